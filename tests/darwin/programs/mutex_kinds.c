/* SPDX-License-Identifier: MIT */
/* Mutexes of every kind on macOS: what each call returns, by initialiser and by attribute, for
   objects that are aligned to 4 bytes only, destroyed, or never were mutexes. */
#include <string.h>

#include "check.h"

/* ---- kinds ------------------------------------------------------------------ */

struct stranger {
    pthread_mutex_t *mutex;
    int (*call)(pthread_mutex_t *);
};

static void *call_as_stranger(void *argument)
{
    struct stranger *stranger = argument;

    return (void *)(intptr_t)stranger->call(stranger->mutex);
}

static int by_stranger(int (*call)(pthread_mutex_t *), pthread_mutex_t *mutex)
{
    struct stranger stranger = {mutex, call};
    pthread_t thread;

    check_start(&thread, call_as_stranger, &stranger);
    return (int)(intptr_t)check_join(thread);
}

static void is_normal(pthread_mutex_t *mutex)
{
    CHECK_INT(pthread_mutex_lock(mutex), 0);
    CHECK_INT(pthread_mutex_trylock(mutex), EBUSY);
    CHECK_INT(by_stranger(pthread_mutex_trylock, mutex), EBUSY);
    CHECK_INT(pthread_mutex_destroy(mutex), EBUSY);
    CHECK_INT(pthread_mutex_unlock(mutex), 0);
    CHECK_INT(pthread_mutex_trylock(mutex), 0);
    CHECK_INT(pthread_mutex_unlock(mutex), 0);
}

static void is_errorcheck(pthread_mutex_t *mutex)
{
    CHECK_INT(pthread_mutex_unlock(mutex), EPERM);
    CHECK_INT(pthread_mutex_lock(mutex), 0);
    CHECK_INT(pthread_mutex_lock(mutex), EDEADLK);
    CHECK_INT(pthread_mutex_trylock(mutex), EBUSY);
    CHECK_INT(by_stranger(pthread_mutex_unlock, mutex), EPERM);
    CHECK_INT(by_stranger(pthread_mutex_trylock, mutex), EBUSY);
    CHECK_INT(pthread_mutex_unlock(mutex), 0);
    CHECK_INT(pthread_mutex_unlock(mutex), EPERM);
}

static void is_recursive(pthread_mutex_t *mutex)
{
    CHECK_INT(pthread_mutex_unlock(mutex), EPERM);
    CHECK_INT(pthread_mutex_lock(mutex), 0);
    CHECK_INT(pthread_mutex_lock(mutex), 0);
    CHECK_INT(pthread_mutex_trylock(mutex), 0);
    CHECK_INT(by_stranger(pthread_mutex_trylock, mutex), EBUSY);
    CHECK_INT(pthread_mutex_unlock(mutex), 0);
    CHECK_INT(pthread_mutex_unlock(mutex), 0);
    CHECK_INT(by_stranger(pthread_mutex_trylock, mutex), EBUSY);
    CHECK_INT(by_stranger(pthread_mutex_unlock, mutex), EPERM);
    CHECK_INT(pthread_mutex_unlock(mutex), 0);
    CHECK_INT(by_stranger(pthread_mutex_lock, mutex), 0);
}

static void static_initialisers_give_each_kind(void)
{
    static pthread_mutex_t normal = PTHREAD_MUTEX_INITIALIZER;
    static pthread_mutex_t first_fit = PTHREAD_FIRSTFIT_MUTEX_INITIALIZER;
    static pthread_mutex_t errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER;
    static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER;

    is_normal(&normal);
    is_normal(&first_fit);
    is_errorcheck(&errorcheck);
    is_recursive(&recursive);
}

static void init_with_type(pthread_mutex_t *mutex, int type)
{
    pthread_mutexattr_t attr;

    CHECK_INT(pthread_mutexattr_init(&attr), 0);
    CHECK_INT(pthread_mutexattr_settype(&attr, type), 0);
    memset(mutex, 0xa5, sizeof *mutex);
    CHECK_INT(pthread_mutex_init(mutex, &attr), 0);
    CHECK_INT(pthread_mutexattr_destroy(&attr), 0);
}

static void attributes_give_each_kind(void)
{
    pthread_mutex_t mutex;

    memset(&mutex, 0x5a, sizeof mutex);
    CHECK_INT(pthread_mutex_init(&mutex, NULL), 0);
    is_normal(&mutex);
    CHECK_INT(pthread_mutex_destroy(&mutex), 0);
    init_with_type(&mutex, PTHREAD_MUTEX_NORMAL);
    is_normal(&mutex);
    CHECK_INT(pthread_mutex_destroy(&mutex), 0);
    init_with_type(&mutex, PTHREAD_MUTEX_ERRORCHECK);
    is_errorcheck(&mutex);
    CHECK_INT(pthread_mutex_destroy(&mutex), 0);
    init_with_type(&mutex, PTHREAD_MUTEX_RECURSIVE);
    is_recursive(&mutex);
}

/* The first call that a static mutex sees may be any. */
static void every_first_call_finds_the_kind(void)
{
    static const pthread_mutex_t errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER;
    pthread_mutex_t mutex = errorcheck;

    CHECK_INT(pthread_mutex_trylock(&mutex), 0);
    CHECK_INT(pthread_mutex_lock(&mutex), EDEADLK);
    mutex = errorcheck;
    CHECK_INT(pthread_mutex_unlock(&mutex), EPERM);
    is_errorcheck(&mutex);
    mutex = errorcheck;
    CHECK_INT(pthread_mutex_destroy(&mutex), 0);
}

/* ---- where and what the object is --------------------------------------------- */

static void four_bytes_of_alignment_are_enough(void)
{
    static char room[sizeof(pthread_mutex_t) + 12] __attribute__((aligned(8)));
    pthread_mutex_t *mutex = (pthread_mutex_t *)(void *)(room + 4);
    static const pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER;

    memset(room, 0x77, sizeof room);
    memcpy(mutex, &recursive, sizeof *mutex);
    is_recursive(mutex);
    memset(room, 0x77, sizeof room);
    init_with_type(mutex, PTHREAD_MUTEX_ERRORCHECK);
    is_errorcheck(mutex);
    for (unsigned i = 0; i < 4; i++)
        CHECK_INT(room[i], 0x77);
    for (unsigned i = 4 + sizeof *mutex; i < sizeof room; i++)
        CHECK_INT(room[i], 0x77);
}

static void no_call_takes(pthread_mutex_t *mutex)
{
    CHECK_INT(pthread_mutex_lock(mutex), EINVAL);
    CHECK_INT(pthread_mutex_trylock(mutex), EINVAL);
    CHECK_INT(pthread_mutex_unlock(mutex), EINVAL);
    CHECK_INT(pthread_mutex_destroy(mutex), EINVAL);
}

static void what_is_no_mutex_gives_EINVAL(void)
{
    pthread_mutex_t mutex;
    uint32_t odd[] = {0x12345678, 0x32aaaba4, 0xffffffff, 0x3cb0b1bb, 0};

    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        memset(&mutex, 0, sizeof mutex);
        memcpy(&mutex, &odd[i], sizeof odd[i]);
        no_call_takes(&mutex);
    }
}

static void a_destroyed_mutex_gives_EINVAL(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
    CHECK_INT(pthread_mutex_destroy(&mutex), 0);
    no_call_takes(&mutex);
    CHECK_INT(pthread_mutex_init(&mutex, NULL), 0);
    is_normal(&mutex);
}

/* ---- many at once ---------------------------------------------------------------- */

#define THREADS 4
#define FRESH 150

/* The last thread to come lets all go; none waits inside a lock of what is tested. */
struct start_line {
    int ready;
};

static void line_up(struct start_line *line, int round)
{
    check_add(&line->ready, 1);
    while (check_load(&line->ready) < (round + 1) * THREADS)
        sched_yield();
}

static struct start_line line;
static pthread_mutex_t fresh[FRESH];
static int inside[FRESH];
static int64_t entered[FRESH];

static void *meet_at_fresh_mutexes(void *unused)
{
    for (int i = 0; i < FRESH; i++) {
        line_up(&line, i);
        for (int n = 0; n < 3; n++) {
            CHECK_INT(pthread_mutex_lock(&fresh[i]), 0);
            CHECK_INT(__atomic_add_fetch(&inside[i], 1, __ATOMIC_RELAXED), 1);
            entered[i]++;
            for (int k = 0; n == 0 && k < 20; k++)
                sched_yield(); /* whoever adopts it once more has time to */
            __atomic_sub_fetch(&inside[i], 1, __ATOMIC_RELAXED);
            CHECK_INT(pthread_mutex_unlock(&fresh[i]), 0);
        }
    }
    return unused;
}

static void threads_that_meet_at_a_fresh_mutex_exclude_each_other(void)
{
    static const pthread_mutex_t kinds[] = {
        PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_RECURSIVE_MUTEX_INITIALIZER,
        PTHREAD_ERRORCHECK_MUTEX_INITIALIZER,
    };
    pthread_t threads[THREADS];

    for (int i = 0; i < FRESH; i++)
        fresh[i] = kinds[i % 3];
    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], meet_at_fresh_mutexes, NULL);
    for (int i = 0; i < THREADS; i++)
        check_join(threads[i]);
    for (int i = 0; i < FRESH; i++)
        CHECK_INT(entered[i], 3 * THREADS);
}

#define TURNS 4000

struct counter {
    pthread_mutex_t mutex;
    int64_t count;
    bool by_try;
};

static void *count_up(void *argument)
{
    struct counter *counter = argument;

    for (int i = 0; i < TURNS; i++) {
        if (counter->by_try)
            while (pthread_mutex_trylock(&counter->mutex) != 0)
                sched_yield();
        else
            pthread_mutex_lock(&counter->mutex);
        counter->count++;
        if (i % 64 == 0)
            sched_yield(); /* so that somebody meets the lock held */
        CHECK_INT(pthread_mutex_unlock(&counter->mutex), 0);
    }
    return NULL;
}

static void contended_counters_are_exact(void)
{
    struct counter counters[] = {
        {PTHREAD_MUTEX_INITIALIZER, 0, false},
        {PTHREAD_RECURSIVE_MUTEX_INITIALIZER, 0, false},
        {PTHREAD_ERRORCHECK_MUTEX_INITIALIZER, 0, false},
        {PTHREAD_MUTEX_INITIALIZER, 0, true},
    };

    for (unsigned k = 0; k < sizeof counters / sizeof counters[0]; k++) {
        pthread_t threads[THREADS];

        for (int i = 0; i < THREADS; i++)
            check_start(&threads[i], count_up, &counters[k]);
        for (int i = 0; i < THREADS; i++)
            check_join(threads[i]);
        CHECK_INT(counters[k].count, THREADS * TURNS);
    }
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_held(void *unused)
{
    errno = 55;
    CHECK_INT(pthread_mutex_lock(&held), 0);
    CHECK_INT(pthread_mutex_unlock(&held), 0);
    CHECK_INT(errno, 55);
    return unused;
}

static void a_sleeper_is_woken_and_errno_is_kept(void)
{
    pthread_t threads[THREADS];

    CHECK_INT(pthread_mutex_lock(&held), 0);
    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], wait_for_held, NULL);
    check_until_asleep(THREADS);
    errno = 56;
    CHECK_INT(pthread_mutex_unlock(&held), 0);
    CHECK_INT(errno, 56);
    for (int i = 0; i < THREADS; i++)
        check_join(threads[i]);
}

/* POSIX: EINVAL, where the protocol is PTHREAD_PRIO_NONE. */
static void a_mutex_without_a_protocol_has_no_ceiling(void)
{
    pthread_mutex_t mutexes[] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_RECURSIVE_MUTEX_INITIALIZER,
                                 PTHREAD_ERRORCHECK_MUTEX_INITIALIZER};
    int ceiling = 7;

    for (unsigned i = 0; i < sizeof mutexes / sizeof mutexes[0]; i++) {
        CHECK_INT(pthread_mutex_getprioceiling(&mutexes[i], &ceiling), EINVAL);
        CHECK_INT(pthread_mutex_setprioceiling(&mutexes[i], 31, &ceiling), EINVAL);
        CHECK_INT(ceiling, 7);
        CHECK_INT(pthread_mutex_lock(&mutexes[i]), 0);
        CHECK_INT(pthread_mutex_getprioceiling(&mutexes[i], &ceiling), EINVAL);
        CHECK_INT(pthread_mutex_unlock(&mutexes[i]), 0);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        CHECK_CASE(static_initialisers_give_each_kind),
        CHECK_CASE(attributes_give_each_kind),
        CHECK_CASE(every_first_call_finds_the_kind),
        CHECK_CASE(four_bytes_of_alignment_are_enough),
        CHECK_CASE(what_is_no_mutex_gives_EINVAL),
        CHECK_CASE(a_destroyed_mutex_gives_EINVAL),
        CHECK_CASE(threads_that_meet_at_a_fresh_mutex_exclude_each_other),
        CHECK_CASE(contended_counters_are_exact),
        CHECK_CASE(a_sleeper_is_woken_and_errno_is_kept),
        CHECK_CASE_OF_LIBRARY(a_mutex_without_a_protocol_has_no_ceiling),
        CHECK_END,
    };

    return check_main(argc, argv, cases);
}
