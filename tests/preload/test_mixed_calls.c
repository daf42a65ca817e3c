/* SPDX-License-Identifier: MIT */
/* The library's calls and libc's own, found by dlsym in libc itself, on the same mutexes at once:
   the fields, the waiting and the robust list are one protocol for both, as they have to be for
   processes of which some do without the library. */
#include <check.h>

#include "snippet.h"
#include "watchdog.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MUTEXES = 6, THREADS = 4, ROUNDS = 20000, STEPS = 5000, SEEDS = 40 };

struct calls {
    int (*lock)(pthread_mutex_t *);
    int (*trylock)(pthread_mutex_t *);
    int (*timedlock)(pthread_mutex_t *, const struct timespec *);
    int (*unlock)(pthread_mutex_t *);
};

/* The program's, and libc's. */
static struct calls calls[2];

static pthread_mutex_t mutexes[MUTEXES];
static volatile long inside[MUTEXES];

static void *of_libc(void *libc, const char *name)
{
    void *call = dlsym(libc, name);

    ck_assert_msg(call != NULL, "%s is missing", name);
    return call;
}

static void find_calls(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW);

    ck_assert_ptr_nonnull(libc);
    calls[0] = (struct calls){pthread_mutex_lock, pthread_mutex_trylock, pthread_mutex_timedlock,
                              pthread_mutex_unlock};
    calls[1].lock = (int (*)(pthread_mutex_t *))(uintptr_t)of_libc(libc, "pthread_mutex_lock");
    calls[1].trylock =
        (int (*)(pthread_mutex_t *))(uintptr_t)of_libc(libc, "pthread_mutex_trylock");
    calls[1].timedlock = (int (*)(pthread_mutex_t *, const struct timespec *))(uintptr_t)of_libc(
        libc, "pthread_mutex_timedlock");
    calls[1].unlock = (int (*)(pthread_mutex_t *))(uintptr_t)of_libc(libc, "pthread_mutex_unlock");
    if (getenv("FASTSYNC_EXPECTED"))
        ck_assert(calls[0].lock != calls[1].lock);
}

static void make(pthread_mutex_t *m, int type, int robust, int protocol)
{
    pthread_mutexattr_t attr;

    ck_assert_int_eq(pthread_mutexattr_init(&attr), 0);
    ck_assert_int_eq(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    ck_assert_int_eq(pthread_mutexattr_settype(&attr, type), 0);
    ck_assert_int_eq(pthread_mutexattr_setrobust(&attr, robust), 0);
    ck_assert_int_eq(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    ck_assert_int_eq(pthread_mutex_init(m, &attr), 0);
}

static void expect_free(const pthread_mutex_t *m, int which)
{
    ck_assert_msg((m->__data.__lock & ~(int)FUTEX_WAITERS) == 0 && m->__data.__owner == 0 &&
                      m->__data.__nusers == 0,
                  "mutex %d: word %#x, owner %d, users %u", which, (unsigned)m->__data.__lock,
                  m->__data.__owner, m->__data.__nusers);
}

/* ---- many threads ---- */

struct worker {
    pthread_t thread;
    const struct calls *calls;
    unsigned seed;
    long counts[MUTEXES];
};

static int take(struct worker *me, pthread_mutex_t *m)
{
    struct timespec soon;

    switch (rand_r(&me->seed) % 4) {
    case 0:
        return me->calls->trylock(m);
    case 1:
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += rand_r(&me->seed) % 20000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        return me->calls->timedlock(m, &soon);
    default:
        return me->calls->lock(m);
    }
}

static void *work(void *argument)
{
    struct worker *me = argument;

    for (int i = 0; i < ROUNDS; i++) {
        int which = rand_r(&me->seed) % MUTEXES;
        int error = take(me, &mutexes[which]);

        if (error == EBUSY || error == ETIMEDOUT)
            continue;
        if (error != 0)
            ck_abort_msg("mutex %d: a lock call gives %d", which, error);
        inside[which]++;
        me->counts[which]++;
        if (i % 64 == 0)
            usleep(1);
        if ((error = me->calls->unlock(&mutexes[which])) != 0)
            ck_abort_msg("mutex %d: unlock gives %d", which, error);
    }
    return NULL;
}

START_TEST(callers_of_the_library_and_of_libc_exclude_each_other)
{
    struct worker workers[THREADS];

    for (int i = 0; i < MUTEXES; i++)
        make(&mutexes[i], i == 1 ? PTHREAD_MUTEX_ERRORCHECK : PTHREAD_MUTEX_NORMAL,
             i == 2 || i == 5 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED,
             i == 3 || i == 5 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.calls = &calls[i % 2], .seed = (unsigned)i + 1};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int m = 0; m < MUTEXES; m++) {
        for (int i = 0; i < THREADS; i++)
            inside[m] -= workers[i].counts[m];
        ck_assert_msg(inside[m] == 0, "mutex %d: %ld counts too many", m, inside[m]);
        expect_free(&mutexes[m], m);
    }
}
END_TEST

/* ---- one robust list ---- */

/* The thread's robust list has this many entries, each linked back to the one before it where the
   C library links both ways. */
static void expect_list(struct robust_list_head *head, int count)
{
    const void *before = head;
    int found = 0;

    ck_assert_ptr_null(head->list_op_pending);
    for (uintptr_t entry = (uintptr_t)head->list.next & ~(uintptr_t)1; entry != (uintptr_t)head;
         entry = *(uintptr_t *)entry & ~(uintptr_t)1) {
        if (__PTHREAD_MUTEX_HAVE_PREV &&
            (((uintptr_t *)entry)[-1] & ~(uintptr_t)1) != (uintptr_t)before)
            ck_abort_msg("entry %d is not linked back", found);
        before = (const void *)entry;
        if (++found > count)
            break;
    }
    if (found != count)
        ck_abort_msg("the list has %d entries, %d mutexes are held", found, count);
}

/* Locks and unlocks with either's calls, and ends with some held: those are in the result. */
static void *hold_some(void *seed)
{
    static unsigned held;
    unsigned random = *(unsigned *)seed;
    struct robust_list_head *head = NULL;
    size_t size;

    held = 0;
    syscall(SYS_get_robust_list, 0, &head, &size);
    for (int step = 0; step < STEPS; step++) {
        int which = rand_r(&random) % MUTEXES;
        const struct calls *c = &calls[rand_r(&random) % 2];
        unsigned bit = 1u << which;
        int error = held & bit ? c->unlock(&mutexes[which]) : c->lock(&mutexes[which]);

        if (error != 0)
            ck_abort_msg("mutex %d: %s gives %d", which, held & bit ? "unlock" : "lock", error);
        held ^= bit;
        expect_list(head, __builtin_popcount(held));
    }
    return &held;
}

START_TEST(the_library_and_libc_keep_one_robust_list)
{
    for (int i = 0; i < MUTEXES; i++)
        make(&mutexes[i], PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST,
             i < MUTEXES / 2 ? PTHREAD_PRIO_NONE : PTHREAD_PRIO_INHERIT);
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        pthread_t thread;
        void *held;

        ck_assert_int_eq(pthread_create(&thread, NULL, hold_some, &seed), 0);
        pthread_join(thread, &held);
        for (int i = 0; i < MUTEXES; i++) {
            bool orphan = *(unsigned *)held >> i & 1;

            ck_assert_int_eq(calls[seed % 2].lock(&mutexes[i]), orphan ? EOWNERDEAD : 0);
            if (orphan)
                ck_assert_int_eq(pthread_mutex_consistent(&mutexes[i]), 0);
            ck_assert_int_eq(calls[seed / 2 % 2].unlock(&mutexes[i]), 0);
            expect_free(&mutexes[i], i);
        }
    }
}
END_TEST

static void setup(void)
{
    watchdog_name("mixed_calls");
    watchdog_watch("mutexes", mutexes, sizeof mutexes);
    watchdog_start(50, 0);
    find_calls();
}

int main(void)
{
    Suite *suite = suite_create("mixed_calls");
    TCase *tcase = tcase_create("mixed_calls");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, watchdog_stop);
    tcase_add_test(tcase, callers_of_the_library_and_of_libc_exclude_each_other);
    tcase_add_test(tcase, the_library_and_libc_keep_one_robust_list);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
