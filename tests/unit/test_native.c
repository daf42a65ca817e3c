/* SPDX-License-Identifier: MIT */
/* The native locks through their public headers, linked with the library as a program is: each
   value that each call can return, and that they exclude, wake and time out. The algorithms are
   tested on the lock layer. */
#include "sleepers.h"

#include <fastsync/condition.h>
#include <fastsync/mutex.h>
#include <fastsync/rwlock.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "eventually.h"

static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC}; /* often the loop index */
static const struct timespec past = {-5, 0};

static struct timespec in_ms(clockid_t clock, int64_t ms)
{
    struct fs_deadline d =
        moment(clock == CLOCK_REALTIME ? FS_CLOCK_REALTIME : FS_CLOCK_MONOTONIC, ms);

    return (struct timespec){d.sec, (long)d.nsec};
}

static bool is_over(clockid_t clock, const struct timespec *moment_given)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec > moment_given->tv_sec ||
           (now.tv_sec == moment_given->tv_sec && now.tv_nsec >= moment_given->tv_nsec);
}

/* Deadlines that no call accepts. */
static const struct {
    clockid_t clock;
    struct timespec at;
} invalid[] = {
    {CLOCK_MONOTONIC, {0, -1}},         {CLOCK_REALTIME, {0, 1000000000}},
    {CLOCK_PROCESS_CPUTIME_ID, {0, 0}}, {CLOCK_BOOTTIME, {0, 0}},
    {CLOCK_MONOTONIC_COARSE, {0, 0}},   {(clockid_t)-1, {0, 0}},
};

#define INVALID (int)(sizeof invalid / sizeof *invalid)

/* ---- sizes and initial values ---------------------------------------------------- */

START_TEST(the_sizes_are_those_promised)
{
    ck_assert_uint_eq(sizeof(fastsync_mutex_t), 4);
    ck_assert_uint_eq(sizeof(fastsync_cond_t), 8);
    ck_assert_uint_eq(sizeof(fastsync_rwlock_t), 8);
    ck_assert_uint_eq(_Alignof(fastsync_rwlock_t), 8);
}
END_TEST

/* ---- the mutex ------------------------------------------------------------------- */

START_TEST(a_mutex_is_locked_once_at_a_time)
{
    fastsync_mutex_t m = FASTSYNC_MUTEX_INIT;

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(QUIET(fastsync_mutex_lock(&m)), 0);
        ck_assert_int_eq(QUIET(fastsync_mutex_trylock(&m)), EBUSY);
        ck_assert_int_eq(QUIET(fastsync_mutex_unlock(&m)), 0);
        ck_assert_int_eq(QUIET(fastsync_mutex_trylock(&m)), 0);
        ck_assert_int_eq(QUIET(fastsync_mutex_unlock(&m)), 0);
    }
    ck_assert_int_eq(QUIET(fastsync_mutex_unlock(&m)), 0); /* left alone */
    ck_assert_int_eq(QUIET(fastsync_mutex_trylock(&m)), 0);
}
END_TEST

START_TEST(a_timed_lock_of_a_mutex_is_never_early)
{
    fastsync_mutex_t m = FASTSYNC_MUTEX_INIT;
    clockid_t clock = clocks[_i];
    struct timespec soon = in_ms(clock, 30);

    ck_assert_int_eq(QUIET(fastsync_mutex_timedlock(&m, clock, &past)), 0);
    ck_assert_int_eq(QUIET(fastsync_mutex_timedlock(&m, clock, &past)), ETIMEDOUT);
    ck_assert_int_eq(QUIET(fastsync_mutex_timedlock(&m, clock, &soon)), ETIMEDOUT);
    ck_assert(is_over(clock, &soon));
    ck_assert_int_eq(fastsync_mutex_unlock(&m), 0);
    ck_assert_int_eq(QUIET(fastsync_mutex_timedlock(&m, -1, NULL)), 0);
}
END_TEST

START_TEST(a_mutex_refuses_an_invalid_deadline_held_or_not)
{
    fastsync_mutex_t m = FASTSYNC_MUTEX_INIT;

    ck_assert_int_eq(QUIET(fastsync_mutex_timedlock(&m, invalid[_i].clock, &invalid[_i].at)),
                     EINVAL);
    ck_assert_int_eq(fastsync_mutex_lock(&m), 0);
    ck_assert_int_eq(QUIET(fastsync_mutex_timedlock(&m, invalid[_i].clock, &invalid[_i].at)),
                     EINVAL);
    ck_assert_int_eq(fastsync_mutex_unlock(&m), 0);
    ck_assert_int_eq(fastsync_mutex_trylock(&m), 0);
}
END_TEST

static int lock_and_unlock(void *arg)
{
    int err = fastsync_mutex_lock(arg);

    return err ? err : fastsync_mutex_unlock(arg);
}

START_TEST(an_unlock_lets_a_sleeping_locker_in)
{
    fastsync_mutex_t m = FASTSYNC_MUTEX_INIT;
    struct sleeper locker;

    fastsync_mutex_lock(&m);
    sleeper_put_to_sleep(&locker, lock_and_unlock, &m);
    fastsync_mutex_unlock(&m);
    ck_assert_int_eq(sleeper_join(&locker), 0);
}
END_TEST

#define CROWD 4
#define ROUNDS 20000

struct hall {
    fastsync_mutex_t mutex;
    fastsync_cond_t cond;
    fastsync_rwlock_t rwlock;
    long total;
    long other;
};

static int count_under_mutex(void *arg)
{
    struct hall *hall = arg;

    for (int i = 0; i < ROUNDS; i++) {
        fastsync_mutex_lock(&hall->mutex);
        hall->total++;
        fastsync_mutex_unlock(&hall->mutex);
    }
    return 0;
}

static int read_or_write(void *arg)
{
    struct hall *hall = arg;
    int torn = 0;

    for (int i = 0; i < ROUNDS; i++) {
        if (i % 8 == 0) {
            fastsync_rwlock_wrlock(&hall->rwlock);
            hall->total++;
            hall->other++;
        } else {
            fastsync_rwlock_rdlock(&hall->rwlock);
            torn += hall->total != hall->other;
        }
        fastsync_rwlock_unlock(&hall->rwlock);
    }
    return torn;
}

static void crowd_in(int (*body)(void *), struct hall *hall)
{
    struct sleeper threads[CROWD];

    for (int i = 0; i < CROWD; i++)
        sleeper_start(&threads[i], body, hall);
    for (int i = 0; i < CROWD; i++)
        ck_assert_int_eq(sleeper_join(&threads[i]), 0);
}

START_TEST(a_mutex_excludes)
{
    struct hall hall = {.mutex = FASTSYNC_MUTEX_INIT};

    crowd_in(count_under_mutex, &hall);
    ck_assert_int_eq(hall.total, (long)CROWD * ROUNDS);
}
END_TEST

/* ---- the reader-writer lock ---------------------------------------------------------- */

START_TEST(a_rwlock_admits_readers_or_one_writer)
{
    fastsync_rwlock_t l = FASTSYNC_RWLOCK_INIT;

    ck_assert_int_eq(QUIET(fastsync_rwlock_rdlock(&l)), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_tryrdlock(&l)), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_trywrlock(&l)), EBUSY);
    ck_assert_int_eq(QUIET(fastsync_rwlock_unlock(&l)), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_trywrlock(&l)), EBUSY);
    ck_assert_int_eq(QUIET(fastsync_rwlock_unlock(&l)), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_wrlock(&l)), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_tryrdlock(&l)), EBUSY);
    ck_assert_int_eq(QUIET(fastsync_rwlock_trywrlock(&l)), EBUSY);
    ck_assert_int_eq(QUIET(fastsync_rwlock_unlock(&l)), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_unlock(&l)), 0); /* left alone */
    ck_assert_int_eq(QUIET(fastsync_rwlock_trywrlock(&l)), 0);
}
END_TEST

START_TEST(too_many_readers_give_EAGAIN)
{
    fastsync_rwlock_t l = {134217727};

    ck_assert_int_eq(QUIET(fastsync_rwlock_rdlock(&l)), EAGAIN);
    ck_assert_int_eq(QUIET(fastsync_rwlock_tryrdlock(&l)), EAGAIN);
    ck_assert_int_eq(QUIET(fastsync_rwlock_timedrdlock(&l, -1, NULL)), EAGAIN);
    ck_assert_int_eq(fastsync_rwlock_unlock(&l), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_rdlock(&l)), 0);
}
END_TEST

START_TEST(a_timed_lock_of_a_rwlock_is_never_early)
{
    fastsync_rwlock_t l = FASTSYNC_RWLOCK_INIT;
    clockid_t clock = clocks[_i];
    struct timespec soon = in_ms(clock, 30);

    ck_assert_int_eq(QUIET(fastsync_rwlock_timedrdlock(&l, clock, &past)), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_timedrdlock(&l, clock, &past)), 0);
    ck_assert_int_eq(QUIET(fastsync_rwlock_timedwrlock(&l, clock, &past)), ETIMEDOUT);
    ck_assert_int_eq(QUIET(fastsync_rwlock_timedwrlock(&l, clock, &soon)), ETIMEDOUT);
    ck_assert(is_over(clock, &soon));
    fastsync_rwlock_unlock(&l);
    fastsync_rwlock_unlock(&l);
    ck_assert_int_eq(QUIET(fastsync_rwlock_timedwrlock(&l, -1, NULL)), 0);
    soon = in_ms(clock, 30);
    ck_assert_int_eq(QUIET(fastsync_rwlock_timedrdlock(&l, clock, &soon)), ETIMEDOUT);
    ck_assert(is_over(clock, &soon));
    fastsync_rwlock_unlock(&l);
    ck_assert_int_eq(fastsync_rwlock_trywrlock(&l), 0);
}
END_TEST

START_TEST(a_rwlock_refuses_an_invalid_deadline_held_or_not)
{
    fastsync_rwlock_t l = FASTSYNC_RWLOCK_INIT;

    for (int held = 0; held < 2; held++) {
        ck_assert_int_eq(QUIET(fastsync_rwlock_timedrdlock(&l, invalid[_i].clock, &invalid[_i].at)),
                         EINVAL);
        ck_assert_int_eq(QUIET(fastsync_rwlock_timedwrlock(&l, invalid[_i].clock, &invalid[_i].at)),
                         EINVAL);
        ck_assert_int_eq(fastsync_rwlock_trywrlock(&l), held ? EBUSY : 0);
    }
}
END_TEST

static int write_once(void *arg)
{
    int err = fastsync_rwlock_wrlock(arg);

    return err ? err : fastsync_rwlock_unlock(arg);
}

static int read_once(void *arg)
{
    int err = fastsync_rwlock_rdlock(arg);

    return err ? err : fastsync_rwlock_unlock(arg);
}

START_TEST(a_reader_may_read_again_while_a_writer_waits)
{
    fastsync_rwlock_t l = FASTSYNC_RWLOCK_INIT;
    struct sleeper writer, reader;

    fastsync_rwlock_rdlock(&l);
    sleeper_put_to_sleep(&writer, write_once, &l);
    ck_assert_int_eq(fastsync_rwlock_rdlock(&l), 0);
    sleeper_start(&reader, read_once, &l);
    ck_assert_int_eq(sleeper_join(&reader), 0);
    fastsync_rwlock_unlock(&l);
    ck_assert(!sleeper_is_done(&writer));
    fastsync_rwlock_unlock(&l);
    ck_assert_int_eq(sleeper_join(&writer), 0);
}
END_TEST

START_TEST(a_writer_that_leaves_lets_sleeping_readers_in)
{
    fastsync_rwlock_t l = FASTSYNC_RWLOCK_INIT;
    struct sleeper readers[3];

    fastsync_rwlock_wrlock(&l);
    for (int i = 0; i < 3; i++)
        sleeper_put_to_sleep(&readers[i], read_once, &l);
    fastsync_rwlock_unlock(&l);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sleeper_join(&readers[i]), 0);
}
END_TEST

START_TEST(a_rwlock_excludes)
{
    struct hall hall = {.rwlock = FASTSYNC_RWLOCK_INIT};

    crowd_in(read_or_write, &hall);
    ck_assert_int_eq(hall.total, (long)CROWD * ROUNDS / 8);
}
END_TEST

/* ---- the condition variable ------------------------------------------------------------ */

struct waiter {
    struct hall *hall;
    const struct timespec *deadline;
    clockid_t clock;
    long last;  /* waits until the hall's total is larger */
    bool frees; /* the hall, when it is the last to leave */
    struct sleeper sleeper;
};

static int wait_for_more(void *arg)
{
    struct waiter *w = arg;
    struct hall *hall = w->hall;
    bool last;
    int err = 0;

    fastsync_mutex_lock(&hall->mutex);
    hall->other++;
    while (hall->total <= w->last && err == 0)
        err = w->deadline
                  ? QUIET(fastsync_cond_timedwait(&hall->cond, &hall->mutex, w->clock, w->deadline))
                  : QUIET(fastsync_cond_wait(&hall->cond, &hall->mutex));
    ck_assert_int_eq(fastsync_mutex_trylock(&hall->mutex), EBUSY);
    last = --hall->other == 0;
    fastsync_mutex_unlock(&hall->mutex);
    if (last && w->frees)
        munmap(hall, sizeof *hall);
    return err;
}

static void raise_total(struct hall *hall)
{
    fastsync_mutex_lock(&hall->mutex);
    hall->total++;
    fastsync_mutex_unlock(&hall->mutex);
}

START_TEST(signals_and_broadcasts_to_nobody_are_forgotten)
{
    struct hall hall = {.cond = FASTSYNC_COND_INIT};
    struct timespec soon = in_ms(CLOCK_MONOTONIC, 20);
    int err = 0;

    ck_assert_int_eq(QUIET(fastsync_cond_signal(&hall.cond)), 0);
    ck_assert_int_eq(QUIET(fastsync_cond_broadcast(&hall.cond)), 0);
    fastsync_mutex_lock(&hall.mutex);
    while (err == 0)
        err = fastsync_cond_timedwait(&hall.cond, &hall.mutex, CLOCK_MONOTONIC, &soon);
    ck_assert_int_eq(err, ETIMEDOUT);
    ck_assert(is_over(CLOCK_MONOTONIC, &soon));
}
END_TEST

START_TEST(a_signal_wakes_one_waiter)
{
    struct hall hall = {.total = 0};
    struct waiter waiters[4];

    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){.hall = &hall};
        sleeper_put_to_sleep(&waiters[i].sleeper, wait_for_more, &waiters[i]);
    }
    raise_total(&hall);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(fastsync_cond_signal(&hall.cond), 0);
        ck_assert_int_eq(sleeper_join(&waiters[i].sleeper), 0); /* in the order of arrival */
    }
}
END_TEST

/* The loop index: with the mutex held or not. */
START_TEST(a_broadcast_wakes_all)
{
    struct hall hall = {.total = 0};
    struct waiter waiters[40];

    for (int i = 0; i < 40; i++) {
        waiters[i] = (struct waiter){.hall = &hall};
        sleeper_put_to_sleep(&waiters[i].sleeper, wait_for_more, &waiters[i]);
    }
    fastsync_mutex_lock(&hall.mutex);
    hall.total = 1;
    if (_i)
        ck_assert_int_eq(QUIET(fastsync_cond_broadcast(&hall.cond)), 0);
    fastsync_mutex_unlock(&hall.mutex);
    if (!_i)
        ck_assert_int_eq(QUIET(fastsync_cond_broadcast(&hall.cond)), 0);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(sleeper_join(&waiters[i].sleeper), 0);
    ck_assert_int_eq(fastsync_mutex_trylock(&hall.mutex), 0);
}
END_TEST

START_TEST(a_timed_wait_is_never_early_and_holds_the_mutex_again)
{
    struct hall hall = {.total = 0};
    clockid_t clock = clocks[_i];
    struct timespec soon = in_ms(clock, 30);
    struct waiter w = {.hall = &hall, .deadline = &soon, .clock = clock};

    ck_assert_int_eq(wait_for_more(&w), ETIMEDOUT);
    ck_assert(is_over(clock, &soon));
    w.deadline = &past;
    ck_assert_int_eq(wait_for_more(&w), ETIMEDOUT);
}
END_TEST

START_TEST(a_timed_wait_refuses_an_invalid_deadline_and_keeps_the_mutex)
{
    struct hall hall = {.total = 0};

    fastsync_mutex_lock(&hall.mutex);
    ck_assert_int_eq(
        QUIET(fastsync_cond_timedwait(&hall.cond, &hall.mutex, invalid[_i].clock, &invalid[_i].at)),
        EINVAL);
    ck_assert_int_eq(fastsync_mutex_trylock(&hall.mutex), EBUSY);
}
END_TEST

static fs_word wait_is_over;

/* Without checks, which write to a pipe and so are cancellation points. */
static int wait_and_tell(void *arg)
{
    struct hall *hall = arg;

    fastsync_mutex_lock(&hall->mutex);
    while (hall->total == 0)
        fastsync_cond_wait(&hall->cond, &hall->mutex);
    fastsync_mutex_unlock(&hall->mutex);
    fs_store_release(&wait_is_over, 1);
    pthread_testcancel();
    return 0;
}

START_TEST(a_cancellation_does_not_end_a_wait)
{
    struct hall hall = {.total = 0};
    struct sleeper thread;
    void *result;

    sleeper_put_to_sleep(&thread, wait_and_tell, &hall);
    ck_assert_int_eq(pthread_cancel(thread.thread), 0);
    sleep_ms(20);
    sleeper_await_sleep(&thread);
    raise_total(&hall);
    fastsync_cond_signal(&hall.cond);
    ck_assert_int_eq(pthread_join(thread.thread, &result), 0);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    ck_assert_uint_eq(fs_load_acquire(&wait_is_over), 1);
}
END_TEST

static void allow_memory(bool allow)
{
    struct rlimit limit;

    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = allow ? limit.rlim_max : 0;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

START_TEST(without_memory_a_wait_ends_without_a_reason)
{
    struct hall hall = {.total = 0};
    struct timespec late = in_ms(CLOCK_MONOTONIC, 3600000);
    int forever, timed, over;

    fastsync_mutex_lock(&hall.mutex);
    allow_memory(false);
    forever = fastsync_cond_wait(&hall.cond, &hall.mutex);
    timed = fastsync_cond_timedwait(&hall.cond, &hall.mutex, CLOCK_MONOTONIC, &late);
    over = fastsync_cond_timedwait(&hall.cond, &hall.mutex, CLOCK_MONOTONIC, &past);
    allow_memory(true);
    ck_assert_int_eq(forever, 0);
    ck_assert_int_eq(timed, 0);
    ck_assert_int_eq(over, ETIMEDOUT);
    ck_assert_int_eq(fastsync_mutex_trylock(&hall.mutex), EBUSY);
}
END_TEST

START_TEST(the_last_waiter_may_free_everything)
{
    for (int round = 0; round < 100; round++) {
        struct hall *hall =
            mmap(NULL, sizeof *hall, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct waiter waiters[5];

        ck_assert_ptr_ne(hall, MAP_FAILED);
        for (int i = 0; i < 5; i++) {
            waiters[i] = (struct waiter){.hall = hall, .frees = true};
            sleeper_start(&waiters[i].sleeper, wait_for_more, &waiters[i]);
        }
        for (bool all = false; !all;) {
            fastsync_mutex_lock(&hall->mutex);
            all = hall->other == 5;
            hall->total = all;
            if (all)
                fastsync_cond_broadcast(&hall->cond);
            fastsync_mutex_unlock(&hall->mutex);
        }
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(sleeper_join(&waiters[i].sleeper), 0);
    }
}
END_TEST

static TCase *locks_case(void)
{
    TCase *tests = tcase_create("locks");

    tcase_add_test(tests, the_sizes_are_those_promised);
    tcase_add_test(tests, a_mutex_is_locked_once_at_a_time);
    tcase_add_loop_test(tests, a_timed_lock_of_a_mutex_is_never_early, 0, 2);
    tcase_add_loop_test(tests, a_mutex_refuses_an_invalid_deadline_held_or_not, 0, INVALID);
    tcase_add_test(tests, an_unlock_lets_a_sleeping_locker_in);
    tcase_add_test(tests, a_mutex_excludes);
    tcase_add_test(tests, a_rwlock_admits_readers_or_one_writer);
    tcase_add_test(tests, too_many_readers_give_EAGAIN);
    tcase_add_loop_test(tests, a_timed_lock_of_a_rwlock_is_never_early, 0, 2);
    tcase_add_loop_test(tests, a_rwlock_refuses_an_invalid_deadline_held_or_not, 0, INVALID);
    tcase_add_test(tests, a_reader_may_read_again_while_a_writer_waits);
    tcase_add_test(tests, a_writer_that_leaves_lets_sleeping_readers_in);
    tcase_add_test(tests, a_rwlock_excludes);
    return tests;
}

static TCase *waits_case(void)
{
    TCase *tests = tcase_create("waits");

    tcase_add_test(tests, signals_and_broadcasts_to_nobody_are_forgotten);
    tcase_add_test(tests, a_signal_wakes_one_waiter);
    tcase_add_loop_test(tests, a_broadcast_wakes_all, 0, 2);
    tcase_add_loop_test(tests, a_timed_wait_is_never_early_and_holds_the_mutex_again, 0, 2);
    tcase_add_loop_test(tests, a_timed_wait_refuses_an_invalid_deadline_and_keeps_the_mutex, 0,
                        INVALID);
    tcase_add_test(tests, a_cancellation_does_not_end_a_wait);
    tcase_add_test(tests, without_memory_a_wait_ends_without_a_reason);
    tcase_add_test(tests, the_last_waiter_may_free_everything);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("native locks");
    TCase *cases[] = {locks_case(), waits_case()};

    for (int i = 0; i < 2; i++) {
        tcase_set_timeout(cases[i], 60);
        suite_add_tcase(suite, cases[i]);
    }
    return run_suite(suite);
}
