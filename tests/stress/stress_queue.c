/* SPDX-License-Identifier: MIT */
/* A bounded queue on two condition variables, over every mutex kind: tokens are
   neither lost nor made, and a signal for each token is enough to keep all
   threads going. Where a cell waits without a deadline and wakes with signal
   only, one lost signal leaves it standing, and the watchdog reports it. */
#include "stress.h"

#include <errno.h>
#include <stdio.h>

/* With room for one token, every signal is the only one that can set things going again. */
enum {
    MOST_CAPACITY = 3,
};

enum style {
    SIGNAL_INSIDE,  /* signal with the mutex held */
    SIGNAL_OUTSIDE, /* signal after the unlock */
    BROADCAST,      /* broadcast, inside and outside in turn */
    MIXED,          /* all of these, and waits with short deadlines */
    STYLES,
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t not_full;
    pthread_cond_t not_empty;
    volatile int tokens;
    volatile int producers;
    volatile int inside;
    int capacity;
    enum style style;
} cell;

static void enter(void)
{
    EXPECT(cell.inside == 0, "the mutex is held by two threads");
    cell.inside = 1;
}

static void leave(void)
{
    EXPECT(cell.inside == 1, "the mutex was held by two threads");
    cell.inside = 0;
}

static void wait_on(pthread_cond_t *c, struct stress_random *random)
{
    struct timespec deadline;
    int err;

    leave();
    switch (cell.style == MIXED ? stress_below(random, 4) : 0) {
    case 1:
        deadline = stress_deadline(CLOCK_REALTIME, (long)stress_below(random, 300000));
        err = pthread_cond_timedwait(c, &cell.mutex, &deadline);
        EXPECT(err == 0 || err == ETIMEDOUT, "timedwait gives %d", err);
        break;
    case 2:
        deadline = stress_deadline(CLOCK_MONOTONIC, (long)stress_below(random, 300000));
        err = pthread_cond_clockwait(c, &cell.mutex, CLOCK_MONOTONIC, &deadline);
        EXPECT(err == 0 || err == ETIMEDOUT, "clockwait gives %d", err);
        break;
    default:
        OK(pthread_cond_wait(c, &cell.mutex));
    }
    enter();
}

static void wake_and_unlock(pthread_cond_t *c, struct stress_random *random)
{
    enum style style = cell.style;
    bool inside = stress_below(random, 2) == 0;

    if (style == MIXED)
        style = (enum style)stress_below(random, MIXED);
    leave();
    if (style == SIGNAL_INSIDE)
        OK(pthread_cond_signal(c));
    if (style == BROADCAST && inside)
        OK(pthread_cond_broadcast(c));
    OK(pthread_mutex_unlock(&cell.mutex));
    if (style == SIGNAL_OUTSIDE)
        OK(pthread_cond_signal(c));
    if (style == BROADCAST && !inside)
        OK(pthread_cond_broadcast(c));
}

static void produce(struct stress_worker *worker)
{
    while (stress_goes_on() || worker->done == 0) {
        stress_work(&worker->random, 100);
        OK(pthread_mutex_lock(&cell.mutex));
        enter();
        while (cell.tokens == cell.capacity)
            wait_on(&cell.not_full, &worker->random);
        cell.tokens++;
        worker->done++;
        wake_and_unlock(&cell.not_empty, &worker->random);
    }
    OK(pthread_mutex_lock(&cell.mutex));
    if (--cell.producers == 0)
        OK(pthread_cond_broadcast(&cell.not_empty));
    OK(pthread_mutex_unlock(&cell.mutex));
}

static void consume(struct stress_worker *worker)
{
    for (;;) {
        OK(pthread_mutex_lock(&cell.mutex));
        enter();
        while (cell.tokens == 0 && cell.producers > 0)
            wait_on(&cell.not_empty, &worker->random);
        if (cell.tokens == 0)
            break;
        EXPECT(cell.tokens > 0 && cell.tokens <= cell.capacity, "%d tokens", cell.tokens);
        cell.tokens--;
        worker->aux++;
        wake_and_unlock(&cell.not_full, &worker->random);
        stress_work(&worker->random, 100);
    }
    leave();
    OK(pthread_mutex_unlock(&cell.mutex));
}

static void produce_or_consume(struct stress_worker *worker)
{
    if (worker->index % 2 == 0)
        produce(worker);
    else
        consume(worker);
}

static void init_conditions(bool shared)
{
    pthread_condattr_t attr;

    OK(pthread_condattr_init(&attr));
    OK(pthread_condattr_setpshared(&attr, shared));
    OK(pthread_cond_init(&cell.not_full, &attr));
    OK(pthread_cond_init(&cell.not_empty, &attr));
    OK(pthread_condattr_destroy(&attr));
}

/* After the mutex kinds with private condition variables, process-shared condition variables with
   a private and with a shared mutex. */
static const struct stress_mutex_kind *kind_of(int number, bool *shared)
{
    *shared = number >= stress_mutex_kind_count;
    return &stress_mutex_kinds[*shared ? 4 * (number - stress_mutex_kind_count) : number];
}

START_TEST(no_token_is_lost_and_nobody_is_stuck)
{
    bool shared;
    const struct stress_mutex_kind *kind = kind_of(_i / 3, &shared);
    int threads = stress_thread_counts[_i % 3];
    unsigned long consumed = 0;
    char name[96];

    struct stress_random random = stress_begin("queue", _i);
    cell.style = (enum style)stress_below(&random, STYLES);
    cell.capacity = 1 + (int)stress_below(&random, MOST_CAPACITY);
    snprintf(name, sizeof name, "%s mutex, %s conditions, %d threads, style %d, capacity %d",
             kind->name, shared ? "shared" : "private", threads, (int)cell.style, cell.capacity);
    stress_begin(name, _i);
    watchdog_watch("mutex", &cell.mutex, sizeof cell.mutex);
    watchdog_watch("not_full", &cell.not_full, sizeof cell.not_full);
    watchdog_watch("not_empty", &cell.not_empty, sizeof cell.not_empty);
    watchdog_watch("tokens, producers", (void *)&cell.tokens, 8);
    stress_mutex_init(&cell.mutex, kind);
    init_conditions(shared);
    cell.producers = threads / 2;
    unsigned long produced = stress_run(threads, produce_or_consume, NULL, &consumed);
    EXPECT(produced > 0 && produced == consumed, "%lu produced, %lu consumed", produced, consumed);
    OK(pthread_cond_destroy(&cell.not_full));
    OK(pthread_cond_destroy(&cell.not_empty));
    OK(pthread_mutex_destroy(&cell.mutex));
    watchdog_stop();
}
END_TEST

int main(int argc, char **argv)
{
    return stress_main(argc, argv, "queue", no_token_is_lost_and_nobody_is_stuck,
                       3 * (stress_mutex_kind_count + 2));
}
