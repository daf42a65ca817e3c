/* SPDX-License-Identifier: MIT */
/*
 * pthread_mutex_timedlock and pthread_mutex_clocklock of every kind on both clocks: deadlines that
 * pass, have passed, are far away, are malformed, or are on a clock nobody sleeps on. Only lower
 * bounds of a duration are asserted.
 */
#include "conform.h"

#include "mutex_kinds.h"

#include <limits.h>
#include <stdint.h>

enum { KINDS = MUTEX_PP_KINDS_BEGIN, TIMED = 3 * KINDS };

static pthread_mutex_t shared;
static const struct mutex_kind *kind; /* of the mutex under test */
static int way;                       /* 0 timedlock, 1 clocklock real, 2 clocklock monotonic */

static clockid_t way_clock(void)
{
    return way == 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

static int lock_until(struct timespec deadline)
{
    struct timespec before = deadline;
    int error = way == 0 ? pthread_mutex_timedlock(&shared, &deadline)
                         : pthread_mutex_clocklock(&shared, way_clock(), &deadline);
    REQUIRE(memcmp(&before, &deadline, sizeof before) == 0, "the deadline was changed");
    return error;
}

static void choose(int loop)
{
    way = loop % 3;
    kind = &mutex_kinds[loop / 3];
    make_mutex(&shared, kind);
}

/* Runs the body in another thread while this one holds the mutex. */
static void while_held(void *(*body)(void *))
{
    OK(pthread_mutex_lock(&shared));
    in_thread(body, NULL);
    OK(pthread_mutex_unlock(&shared));
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
}

START_TEST(a_past_deadline_still_takes_a_free_mutex)
{
    choose(_i);
    OK(lock_until((struct timespec){0, 0}));
    OK(pthread_mutex_unlock(&shared));
    OK(lock_until((struct timespec){-1, 0}));
    OK(pthread_mutex_unlock(&shared));
    OK(lock_until(deadline_in_ms(way_clock(), -50)));
    EXPECT(pthread_mutex_destroy(&shared), is_robust(kind) ? 0 : DESTROY_IN_USE);
}
END_TEST

static void *times_out_when_past(void *unused)
{
    EXPECT(lock_until((struct timespec){0, 0}), ETIMEDOUT);
    EXPECT(lock_until((struct timespec){1, 999999999}), ETIMEDOUT);
    EXPECT(lock_until(deadline_in_ms(way_clock(), -50)), ETIMEDOUT);
    /* The kernel refuses a time before the epoch for a priority-inheriting lock. */
    int error = lock_until((struct timespec){-1, 0});
    REQUIRE(error == ETIMEDOUT || (is_pi(kind) && error == EINVAL), "%s before the epoch: %d",
            kind->name, error);
    return unused;
}

START_TEST(a_past_deadline_on_a_held_mutex_gives_ETIMEDOUT)
{
    choose(_i);
    while_held(times_out_when_past);
}
END_TEST

static void *times_out_not_early(void *unused)
{
    for (int round = 0; round < 3; round++) {
        struct timespec deadline = deadline_in_ms(way_clock(), 3 + 10 * round);
        EXPECT(lock_until(deadline), ETIMEDOUT);
        REQUIRE(deadline_passed(way_clock(), deadline), "%s gives up early", kind->name);
    }
    return unused;
}

START_TEST(a_held_mutex_is_given_up_at_the_deadline_and_never_before)
{
    choose(_i);
    while_held(times_out_not_early);
}
END_TEST

static const long bad_nanoseconds[] = {-1, 1000000000, LONG_MAX, LONG_MIN};

START_TEST(invalid_nanoseconds_do_not_matter_to_a_free_mutex)
{
    choose(_i);
    for (size_t i = 0; i < COUNT_OF(bad_nanoseconds); i++) {
        OK(lock_until((struct timespec){time_on(way_clock()).tv_sec + 9, bad_nanoseconds[i]}));
        OK(pthread_mutex_unlock(&shared));
    }
}
END_TEST

static void *refuses_bad_nanoseconds(void *unused)
{
    for (size_t i = 0; i < COUNT_OF(bad_nanoseconds); i++) {
        time_t soon = time_on(way_clock()).tv_sec + 9;
        EXPECT(lock_until((struct timespec){soon, bad_nanoseconds[i]}), EINVAL);
    }
    return unused;
}

START_TEST(invalid_nanoseconds_on_a_held_mutex_give_EINVAL)
{
    choose(_i);
    while_held(refuses_bad_nanoseconds);
}
END_TEST

static void *refuses_other_clocks(void *unused)
{
    static const clockid_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_THREAD_CPUTIME_ID,
                                       CLOCK_MONOTONIC_RAW,
                                       CLOCK_BOOTTIME,
                                       CLOCK_MONOTONIC_COARSE,
                                       -1,
                                       4711};
    struct timespec far = {INT32_MAX, 0};
    for (size_t i = 0; i < COUNT_OF(clocks); i++)
        EXPECT(pthread_mutex_clocklock(&shared, clocks[i], &far), EINVAL);
    return unused;
}

START_TEST(a_clock_nobody_sleeps_on_gives_EINVAL_free_or_held)
{
    choose(3 * _i);
    refuses_other_clocks(NULL);
    while_held(refuses_other_clocks);
}
END_TEST

static void *take_by_far_deadline(void *deadline)
{
    OK(lock_until(*(struct timespec *)deadline));
    OK(pthread_mutex_unlock(&shared));
    return NULL;
}

static void unlock_reaches_waiter(struct timespec deadline)
{
    struct thread waiter;
    OK(pthread_mutex_lock(&shared));
    thread_start(&waiter, take_by_far_deadline, &deadline);
    wait_until_asleep(waiter.tid);
    OK(pthread_mutex_unlock(&shared));
    thread_join(&waiter);
}

START_TEST(an_unlock_before_the_deadline_gives_the_mutex)
{
    choose(_i);
    unlock_reaches_waiter(deadline_in_ms(way_clock(), 50000));
}
END_TEST

START_TEST(a_deadline_at_the_end_of_time_does_not_wrap)
{
    choose(_i);
    unlock_reaches_waiter((struct timespec){INT32_MAX, 999999999});
    unlock_reaches_waiter((struct timespec){TIME_END, 999999999});
}
END_TEST

START_TEST(ones_own_mutex_relocks_as_its_type_says)
{
    choose(_i);
    OK(pthread_mutex_lock(&shared));
    struct timespec soon = deadline_in_ms(way_clock(), 10), past = {1, 0};
    if (kind->type == PTHREAD_MUTEX_RECURSIVE) {
        OK(lock_until(soon));
        OK(lock_until(past));
        OK(pthread_mutex_unlock(&shared));
        OK(pthread_mutex_unlock(&shared));
    } else if (kind->type == PTHREAD_MUTEX_ERRORCHECK) {
        EXPECT(lock_until(soon), EDEADLK);
        EXPECT(lock_until(past), EDEADLK);
    } else {
        EXPECT(lock_until(soon), ETIMEDOUT);
        ck_assert(deadline_passed(way_clock(), soon));
        EXPECT(lock_until(past), ETIMEDOUT);
    }
    OK(pthread_mutex_unlock(&shared));
    unlock_reaches_waiter(deadline_in_ms(way_clock(), 50000));
}
END_TEST

START_TEST(invalid_nanoseconds_on_ones_own_mutex_matter_where_it_would_wait)
{
    choose(_i);
    OK(pthread_mutex_lock(&shared));
    struct timespec bad = {1, -1};
    if (kind->type == PTHREAD_MUTEX_RECURSIVE) {
        OK(lock_until(bad));
        OK(pthread_mutex_unlock(&shared));
    } else {
        EXPECT(lock_until(bad), kind->type == PTHREAD_MUTEX_ERRORCHECK ? EDEADLK : EINVAL);
    }
    OK(pthread_mutex_unlock(&shared));
    unlock_reaches_waiter(deadline_in_ms(way_clock(), 50000));
}
END_TEST

static void *give_up_soon(void *unused)
{
    EXPECT(lock_until(deadline_in_ms(way_clock(), 20)), ETIMEDOUT);
    return unused;
}

static void *take_and_release(void *unused)
{
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
    return unused;
}

START_TEST(a_sleeper_that_gave_up_takes_no_wake_up_from_another)
{
    struct thread patient[2], hasty[2];
    choose(_i);
    OK(pthread_mutex_lock(&shared));
    for (int i = 0; i < 2; i++) {
        thread_start(&hasty[i], give_up_soon, NULL);
        thread_start(&patient[i], take_and_release, NULL);
    }
    wait_until_asleep(patient[0].tid);
    wait_until_asleep(patient[1].tid);
    thread_join(&hasty[0]);
    thread_join(&hasty[1]);
    OK(pthread_mutex_unlock(&shared));
    thread_join(&patient[0]);
    thread_join(&patient[1]);
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

static long counter;

static void *count_or_give_up(void *unused)
{
    long mine = 0;
    for (int i = 0; i < 1500; i++) {
        struct timespec deadline = time_on(way_clock());
        deadline.tv_nsec += deadline.tv_nsec < 999000000 ? (i % 50) * 1000 : 0;
        int error = lock_until(deadline);
        REQUIRE(error == 0 || error == ETIMEDOUT, "%s: timed lock gives %d", kind->name, error);
        if (error == 0) {
            counter++;
            mine++;
            OK(pthread_mutex_unlock(&shared));
        } else {
            REQUIRE(deadline_passed(way_clock(), deadline), "%s gives up early", kind->name);
        }
    }
    return (char *)unused + mine;
}

START_TEST(short_deadlines_under_contention_keep_exclusion)
{
    struct thread threads[4];
    long sum = 0;
    choose(_i);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        thread_start(&threads[i], count_or_give_up, NULL);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        sum += (long)(intptr_t)thread_join(&threads[i]);
    ck_assert_int_eq(counter, sum);
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_time");
    TCase *tcase = conform_case(suite, "time");
    tcase_add_loop_test(tcase, a_past_deadline_still_takes_a_free_mutex, 0, TIMED);
    tcase_add_loop_test(tcase, a_past_deadline_on_a_held_mutex_gives_ETIMEDOUT, 0, TIMED);
    tcase_add_loop_test(tcase, a_held_mutex_is_given_up_at_the_deadline_and_never_before, 0, TIMED);
    tcase_add_loop_test(tcase, invalid_nanoseconds_do_not_matter_to_a_free_mutex, 0, TIMED);
    tcase_add_loop_test(tcase, invalid_nanoseconds_on_a_held_mutex_give_EINVAL, 0, TIMED);
    tcase_add_loop_test(tcase, a_clock_nobody_sleeps_on_gives_EINVAL_free_or_held, 0, KINDS);
    tcase_add_loop_test(tcase, an_unlock_before_the_deadline_gives_the_mutex, 0, TIMED);
    tcase_add_loop_test(tcase, a_deadline_at_the_end_of_time_does_not_wrap, 0, TIMED);
    tcase_add_loop_test(tcase, ones_own_mutex_relocks_as_its_type_says, 0, TIMED);
    tcase_add_loop_test(tcase, invalid_nanoseconds_on_ones_own_mutex_matter_where_it_would_wait, 0,
                        TIMED);
    tcase_add_loop_test(tcase, a_sleeper_that_gave_up_takes_no_wake_up_from_another, 0, TIMED);
    tcase_add_loop_test(tcase, short_deadlines_under_contention_keep_exclusion, 0, TIMED);
    return conform_run(suite);
}
