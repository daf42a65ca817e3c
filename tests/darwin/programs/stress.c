/* SPDX-License-Identifier: MIT */
/* Many threads at once, made to be run with faults in the wait calls: a bounded queue with timed
   waits, a barrier of broadcasts, tokens that pass through several condition variables. All that
   went in must come out, whatever a wait answered on the way. Longer with FASTSYNC_SOAK=1. */
#include <stdlib.h>

#include "check.h"

static int effort(int quick)
{
    return getenv("FASTSYNC_SOAK") ? 20 * quick : quick;
}

/* ---- a bounded queue -------------------------------------------------------------- */

#define CAPACITY 4
#define PRODUCERS 3
#define CONSUMERS 3
#define ITEMS 400 /* of each producer */

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    int items[CAPACITY];
    int count;
    int items_each;
    int64_t taken;
    int64_t sum;
};

static void put(struct queue *queue, int item)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == CAPACITY)
        CHECK_INT(pthread_cond_wait(&queue->not_full, &queue->mutex), 0);
    queue->items[queue->count++] = item;
    pthread_cond_signal(&queue->not_empty);
    CHECK_INT(pthread_mutex_unlock(&queue->mutex), 0);
}

/* Waits in short pieces when asked to, by either clock. */
static int wait_not_empty(struct queue *queue, int turn)
{
    struct timespec at = check_after(3);
    struct timespec piece = {0, 2000000};

    switch (turn % 3) {
    case 0:
        return pthread_cond_wait(&queue->not_empty, &queue->mutex);
    case 1:
        return pthread_cond_timedwait(&queue->not_empty, &queue->mutex, &at);
    default:
        return pthread_cond_timedwait_relative_np(&queue->not_empty, &queue->mutex, &piece);
    }
}

/* -1 when there will be no more. */
static int take(struct queue *queue, int turn)
{
    int item;

    pthread_mutex_lock(&queue->mutex);
    while (queue->count == 0) {
        int err;

        if (queue->taken == (int64_t)PRODUCERS * queue->items_each) {
            CHECK_INT(pthread_mutex_unlock(&queue->mutex), 0);
            return -1;
        }
        err = wait_not_empty(queue, turn);
        CHECK(err == 0 || err == ETIMEDOUT);
    }
    item = queue->items[--queue->count];
    queue->sum += item;
    if (++queue->taken == (int64_t)PRODUCERS * queue->items_each)
        pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_signal(&queue->not_full);
    CHECK_INT(pthread_mutex_unlock(&queue->mutex), 0);
    return item;
}

static void *produce(void *argument)
{
    struct queue *queue = argument;

    for (int i = 1; i <= queue->items_each; i++)
        put(queue, i);
    return NULL;
}

static void *consume(void *argument)
{
    int turn = 0;

    while (take(argument, turn) > 0)
        turn++;
    return NULL;
}

static void a_bounded_queue_loses_and_doubles_nothing(void)
{
    struct queue queue = {
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .not_empty = PTHREAD_COND_INITIALIZER,
        .not_full = PTHREAD_COND_INITIALIZER,
        .items_each = effort(ITEMS),
    };
    pthread_t threads[PRODUCERS + CONSUMERS];
    int64_t n = queue.items_each;

    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        check_start(&threads[i], i < PRODUCERS ? produce : consume, &queue);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        check_join(threads[i]);
    CHECK_INT(queue.taken, PRODUCERS * n);
    CHECK_INT(queue.sum, PRODUCERS * (n * (n + 1) / 2));
    CHECK_INT(queue.count, 0);
    CHECK_INT(pthread_cond_destroy(&queue.not_empty), 0);
    CHECK_INT(pthread_cond_destroy(&queue.not_full), 0);
    CHECK_INT(pthread_mutex_destroy(&queue.mutex), 0);
}

/* ---- a barrier ----------------------------------------------------------------------- */

#define MEMBERS 5
#define ROUNDS 150

struct barrier {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int here;
    int round;
    int rounds;
    int steps[MEMBERS];
};

struct member {
    struct barrier *barrier;
    int number;
};

static void meet(struct barrier *barrier)
{
    int round;

    pthread_mutex_lock(&barrier->mutex);
    round = barrier->round;
    if (++barrier->here == MEMBERS) {
        barrier->here = 0;
        barrier->round++;
        pthread_cond_broadcast(&barrier->cond);
    }
    while (barrier->round == round)
        CHECK_INT(pthread_cond_wait(&barrier->cond, &barrier->mutex), 0);
    CHECK_INT(pthread_mutex_unlock(&barrier->mutex), 0);
}

static void *step(void *argument)
{
    struct member *member = argument;
    struct barrier *barrier = member->barrier;

    for (int i = 0; i < barrier->rounds; i++) {
        barrier->steps[member->number] = i;
        meet(barrier);
        for (int k = 0; k < MEMBERS; k++)
            CHECK_INT(barrier->steps[k], i);
        meet(barrier);
    }
    return NULL;
}

static void a_barrier_of_broadcasts_keeps_all_in_step(void)
{
    struct barrier barrier = {
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .cond = PTHREAD_COND_INITIALIZER,
        .rounds = effort(ROUNDS),
    };
    struct member members[MEMBERS];
    pthread_t threads[MEMBERS];

    for (int i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){&barrier, i};
        check_start(&threads[i], step, &members[i]);
    }
    for (int i = 0; i < MEMBERS; i++)
        check_join(threads[i]);
}

/* ---- tokens -------------------------------------------------------------------------- */

#define SEATS 4
#define LAPS 150

/* Each passes the token to the next, who waits on a condition variable of its own. */
struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t conds[SEATS];
    int at;
    int laps;
    int64_t passed;
};

struct seat {
    struct ring *ring;
    int number;
};

static void *pass_on(void *argument)
{
    struct seat *seat = argument;
    struct ring *ring = seat->ring;

    for (int i = 0; i < ring->laps; i++) {
        pthread_mutex_lock(&ring->mutex);
        while (ring->at != seat->number)
            CHECK_INT(pthread_cond_wait(&ring->conds[seat->number], &ring->mutex), 0);
        ring->passed++;
        ring->at = (seat->number + 1) % SEATS;
        if (i % 2)
            pthread_cond_signal(&ring->conds[ring->at]);
        CHECK_INT(pthread_mutex_unlock(&ring->mutex), 0);
        if (i % 2 == 0)
            pthread_cond_signal(&ring->conds[(seat->number + 1) % SEATS]);
    }
    return NULL;
}

static void a_token_goes_round(void)
{
    struct ring ring = {.mutex = PTHREAD_MUTEX_INITIALIZER, .laps = effort(LAPS)};
    struct seat seats[SEATS];
    pthread_t threads[SEATS];

    for (int i = 0; i < SEATS; i++)
        CHECK_INT(pthread_cond_init(&ring.conds[i], NULL), 0);
    for (int i = 0; i < SEATS; i++) {
        seats[i] = (struct seat){&ring, i};
        check_start(&threads[i], pass_on, &seats[i]);
    }
    for (int i = 0; i < SEATS; i++)
        check_join(threads[i]);
    CHECK_INT(ring.passed, (int64_t)SEATS * ring.laps);
}

/* ---- locks alone ------------------------------------------------------------------------ */

#define WORKERS 4
#define WORK 1000

struct site {
    pthread_mutex_t mutex;
    pthread_rwlock_t lock;
    int turns;
    int64_t by_mutex;
    int64_t by_lock;
};

static void *work(void *argument)
{
    struct site *site = argument;

    for (int i = 0; i < site->turns; i++) {
        pthread_mutex_lock(&site->mutex);
        site->by_mutex++;
        if (i % 8 == 0)
            sched_yield();
        CHECK_INT(pthread_mutex_unlock(&site->mutex), 0);
        if (i % 3 == 0) {
            CHECK_INT(pthread_rwlock_wrlock(&site->lock), 0);
            site->by_lock++;
            if (i % 9 == 0)
                sched_yield();
        } else {
            CHECK_INT(pthread_rwlock_rdlock(&site->lock), 0);
            CHECK(site->by_lock >= 0);
        }
        CHECK_INT(pthread_rwlock_unlock(&site->lock), 0);
    }
    return NULL;
}

static void mutexes_and_rwlocks_exclude(void)
{
    struct site site = {
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .lock = PTHREAD_RWLOCK_INITIALIZER,
        .turns = effort(WORK),
    };
    pthread_t threads[WORKERS];

    for (int i = 0; i < WORKERS; i++)
        check_start(&threads[i], work, &site);
    for (int i = 0; i < WORKERS; i++)
        check_join(threads[i]);
    CHECK_INT(site.by_mutex, (int64_t)WORKERS * site.turns);
    CHECK_INT(site.by_lock, (int64_t)WORKERS * ((site.turns + 2) / 3));
}

/* ---- the faults -------------------------------------------------------------------------- */

/* After all the others: a run with faults that met none would prove nothing. */
static void faults_came_when_they_were_asked_for(void)
{
    static const char *const faults[] = {
        "fault: EINTR", "fault: EFAULT", "fault: spurious", "fault: delay", "fault: EINTR of wake",
    };

    if (!check_has_loader()) {
        check_skip("macOS has no faults to order");
        return;
    }
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++)
        CHECK((check_calls("faults") > 0) == (check_calls(faults[i]) > 0));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        CHECK_CASE(a_bounded_queue_loses_and_doubles_nothing),
        CHECK_CASE(a_barrier_of_broadcasts_keeps_all_in_step),
        CHECK_CASE(a_token_goes_round),
        CHECK_CASE(mutexes_and_rwlocks_exclude),
        CHECK_CASE_OF_LIBRARY(faults_came_when_they_were_asked_for),
        CHECK_END,
    };

    return check_main(argc, argv, cases);
}
