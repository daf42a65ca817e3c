/* SPDX-License-Identifier: MIT */
/* The native mutex and reader-writer lock through their public headers, linked with the library as
   a program is: each value that each call can return, and that they exclude, wake and time out. The
   algorithms are tested on the lock layer. */
#include "native_hall.h"

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

int main(void)
{
    Suite *suite = suite_create("native locks");
    TCase *tests = locks_case();

    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
