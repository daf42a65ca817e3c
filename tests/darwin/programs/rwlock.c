/* SPDX-License-Identifier: MIT */
/* Reader-writer locks on macOS: who excludes whom, who wakes whom, and what is refused. */
#include <string.h>

#include "check.h"

struct attempt {
    pthread_rwlock_t *lock;
    int (*call)(pthread_rwlock_t *);
};

static void *attempt(void *argument)
{
    struct attempt *wanted = argument;
    int err = wanted->call(wanted->lock);

    if (err == 0)
        CHECK_INT(pthread_rwlock_unlock(wanted->lock), 0);
    return (void *)(intptr_t)err;
}

/* What the call gives another thread, which unlocks again. */
static int by_stranger(int (*call)(pthread_rwlock_t *), pthread_rwlock_t *lock)
{
    struct attempt wanted = {lock, call};
    pthread_t thread;

    check_start(&thread, attempt, &wanted);
    return (int)(intptr_t)check_join(thread);
}

static void is_free(pthread_rwlock_t *lock)
{
    CHECK_INT(by_stranger(pthread_rwlock_trywrlock, lock), 0);
}

static void is_rwlock(pthread_rwlock_t *lock)
{
    CHECK_INT(pthread_rwlock_rdlock(lock), 0);
    CHECK_INT(pthread_rwlock_rdlock(lock), 0);
    CHECK_INT(by_stranger(pthread_rwlock_tryrdlock, lock), 0);
    CHECK_INT(by_stranger(pthread_rwlock_rdlock, lock), 0);
    CHECK_INT(by_stranger(pthread_rwlock_trywrlock, lock), EBUSY);
    CHECK_INT(pthread_rwlock_unlock(lock), 0);
    CHECK_INT(by_stranger(pthread_rwlock_trywrlock, lock), EBUSY);
    CHECK_INT(pthread_rwlock_destroy(lock), EBUSY);
    CHECK_INT(pthread_rwlock_unlock(lock), 0);
    is_free(lock);
    CHECK_INT(pthread_rwlock_wrlock(lock), 0);
    CHECK_INT(by_stranger(pthread_rwlock_tryrdlock, lock), EBUSY);
    CHECK_INT(by_stranger(pthread_rwlock_trywrlock, lock), EBUSY);
    CHECK_INT(pthread_rwlock_trywrlock(lock), EBUSY);
    CHECK_INT(pthread_rwlock_wrlock(lock), EDEADLK);
    CHECK_INT(pthread_rwlock_rdlock(lock), EDEADLK);
    CHECK_INT(pthread_rwlock_destroy(lock), EBUSY);
    CHECK_INT(pthread_rwlock_unlock(lock), 0);
    CHECK_INT(pthread_rwlock_unlock(lock), EPERM);
    is_free(lock);
}

static void a_static_initialiser_gives_a_lock(void)
{
    static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

    is_rwlock(&lock);
    CHECK_INT(pthread_rwlock_destroy(&lock), 0);
}

static void an_initialised_lock_is_the_same(void)
{
    pthread_rwlock_t lock;
    pthread_rwlockattr_t attr;

    memset(&lock, 0xc3, sizeof lock);
    CHECK_INT(pthread_rwlock_init(&lock, NULL), 0);
    is_rwlock(&lock);
    CHECK_INT(pthread_rwlock_destroy(&lock), 0);
    CHECK_INT(pthread_rwlockattr_init(&attr), 0);
    CHECK_INT(pthread_rwlock_init(&lock, &attr), 0);
    is_rwlock(&lock);
}

static void every_first_call_adopts_a_static_lock(void)
{
    static const pthread_rwlock_t initial = PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_t lock = initial;

    CHECK_INT(pthread_rwlock_trywrlock(&lock), 0);
    CHECK_INT(by_stranger(pthread_rwlock_tryrdlock, &lock), EBUSY);
    lock = initial;
    CHECK_INT(pthread_rwlock_tryrdlock(&lock), 0);
    CHECK_INT(by_stranger(pthread_rwlock_trywrlock, &lock), EBUSY);
    lock = initial;
    CHECK_INT(pthread_rwlock_wrlock(&lock), 0);
    CHECK_INT(pthread_rwlock_unlock(&lock), 0);
    lock = initial;
    CHECK_INT(pthread_rwlock_unlock(&lock), EPERM);
    lock = initial;
    CHECK_INT(pthread_rwlock_destroy(&lock), 0);
}

static void four_bytes_of_alignment_are_enough(void)
{
    static char room[sizeof(pthread_rwlock_t) + 12] __attribute__((aligned(8)));
    static const pthread_rwlock_t initial = PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_t *lock = (pthread_rwlock_t *)(void *)(room + 4);

    memset(room, 0x6d, sizeof room);
    memcpy(lock, &initial, sizeof initial);
    is_rwlock(lock);
    CHECK_INT(pthread_rwlock_destroy(lock), 0);
    CHECK_INT(pthread_rwlock_init(lock, NULL), 0);
    is_rwlock(lock);
    for (unsigned i = 0; i < 4; i++)
        CHECK_INT(room[i], 0x6d);
    for (unsigned i = 4 + sizeof *lock; i < sizeof room; i++)
        CHECK_INT(room[i], 0x6d);
}

static void no_call_takes(pthread_rwlock_t *lock)
{
    CHECK_INT(pthread_rwlock_rdlock(lock), EINVAL);
    CHECK_INT(pthread_rwlock_tryrdlock(lock), EINVAL);
    CHECK_INT(pthread_rwlock_wrlock(lock), EINVAL);
    CHECK_INT(pthread_rwlock_trywrlock(lock), EINVAL);
    CHECK_INT(pthread_rwlock_unlock(lock), EINVAL);
    CHECK_INT(pthread_rwlock_destroy(lock), EINVAL);
}

static void what_is_no_rwlock_gives_EINVAL(void)
{
    uint32_t odd[] = {0x12345678, 0x32aaaba7, 0xffffffff, 0};
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        memcpy(&lock, &odd[i], sizeof odd[i]);
        no_call_takes(&lock);
    }
    CHECK_INT(pthread_rwlock_init(&lock, NULL), 0);
    CHECK_INT(pthread_rwlock_destroy(&lock), 0);
    no_call_takes(&lock);
}

/* ---- sleeping -------------------------------------------------------------------- */

#define THREADS 4

struct door {
    pthread_rwlock_t lock;
    int (*enter)(pthread_rwlock_t *);
    int coming;
    int inside;
    int been;
    bool alone;
};

static void *come_in(void *argument)
{
    struct door *door = argument;

    check_add(&door->coming, 1);
    CHECK_INT(door->enter(&door->lock), 0);
    check_add(&door->inside, 1);
    if (door->alone)
        CHECK_INT(check_load(&door->inside), 1);
    check_pause(2);
    check_add(&door->inside, -1);
    check_add(&door->been, 1);
    CHECK_INT(pthread_rwlock_unlock(&door->lock), 0);
    return NULL;
}

/* All come while it is held by the caller, and have to wait. */
static void all_wait(int (*hold)(pthread_rwlock_t *), int (*enter)(pthread_rwlock_t *), bool alone)
{
    struct door door = {.lock = PTHREAD_RWLOCK_INITIALIZER, .enter = enter, .alone = alone};
    pthread_t threads[THREADS];

    CHECK_INT(hold(&door.lock), 0);
    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], come_in, &door);
    check_until(&door.coming, THREADS);
    check_until_asleep(THREADS);
    CHECK_INT(check_load(&door.been), 0);
    CHECK_INT(pthread_rwlock_unlock(&door.lock), 0);
    for (int i = 0; i < THREADS; i++)
        check_join(threads[i]);
    CHECK_INT(door.been, THREADS);
    is_free(&door.lock);
}

static void a_writer_keeps_readers_waiting(void)
{
    all_wait(pthread_rwlock_wrlock, pthread_rwlock_rdlock, false);
}

static void a_writer_keeps_writers_waiting(void)
{
    all_wait(pthread_rwlock_wrlock, pthread_rwlock_wrlock, true);
}

static void a_reader_keeps_writers_waiting(void)
{
    all_wait(pthread_rwlock_rdlock, pthread_rwlock_wrlock, true);
}

/* Readers that meet inside: each waits there for the other. */
static void *meet(void *argument)
{
    struct door *door = argument;

    CHECK_INT(pthread_rwlock_rdlock(&door->lock), 0);
    check_add(&door->inside, 1);
    check_until(&door->inside, THREADS);
    CHECK_INT(pthread_rwlock_unlock(&door->lock), 0);
    return NULL;
}

static void readers_are_inside_together(void)
{
    struct door door = {.lock = PTHREAD_RWLOCK_INITIALIZER};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], meet, &door);
    for (int i = 0; i < THREADS; i++)
        check_join(threads[i]);
}

/* ---- many ------------------------------------------------------------------------- */

#define TURNS 1500

struct ledger {
    pthread_rwlock_t lock;
    int64_t sum;
    int64_t check; /* always minus the sum, for who is inside */
};

static void *keep_books(void *argument)
{
    struct ledger *ledger = argument;

    for (int i = 0; i < TURNS; i++) {
        if (i % 4 == 0) {
            while (i % 8 == 0 ? pthread_rwlock_trywrlock(&ledger->lock) != 0
                              : pthread_rwlock_wrlock(&ledger->lock) != 0)
                sched_yield();
            ledger->sum++;
            if (i % 16 == 0)
                sched_yield();
            ledger->check--;
        } else {
            while (i % 3 == 0 ? pthread_rwlock_tryrdlock(&ledger->lock) != 0
                              : pthread_rwlock_rdlock(&ledger->lock) != 0)
                sched_yield();
            CHECK_INT(ledger->sum + ledger->check, 0);
        }
        CHECK_INT(pthread_rwlock_unlock(&ledger->lock), 0);
    }
    return NULL;
}

static void readers_see_what_writers_finished(void)
{
    struct ledger ledger = {.lock = PTHREAD_RWLOCK_INITIALIZER};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], keep_books, &ledger);
    for (int i = 0; i < THREADS; i++)
        check_join(threads[i]);
    CHECK_INT(ledger.sum, THREADS * TURNS / 4);
    CHECK_INT(pthread_rwlock_destroy(&ledger.lock), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        CHECK_CASE(a_static_initialiser_gives_a_lock),
        CHECK_CASE(an_initialised_lock_is_the_same),
        CHECK_CASE(every_first_call_adopts_a_static_lock),
        CHECK_CASE(four_bytes_of_alignment_are_enough),
        CHECK_CASE(what_is_no_rwlock_gives_EINVAL),
        CHECK_CASE(a_writer_keeps_readers_waiting),
        CHECK_CASE(a_writer_keeps_writers_waiting),
        CHECK_CASE(a_reader_keeps_writers_waiting),
        CHECK_CASE(readers_are_inside_together),
        CHECK_CASE(readers_see_what_writers_finished),
        CHECK_END,
    };

    return check_main(argc, argv, cases);
}
