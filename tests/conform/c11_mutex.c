/* SPDX-License-Identifier: MIT */
/*
 * The mutex of C11 <threads.h>: every type, each call with each of its results, deadlines on
 * TIME_UTC, threads of thrd_create, and exclusion. The condition variable is left to
 * c11_condition.
 */
#include "gate.h"
#include <threads.h>

static const int types[] = {mtx_plain, mtx_timed, mtx_plain | mtx_recursive,
                            mtx_timed | mtx_recursive};

enum { TYPES = 4 };

static mtx_t mutex;

static struct timespec utc_in_ms(long ms)
{
    struct timespec now;
    ck_assert_int_eq(timespec_get(&now, TIME_UTC), TIME_UTC);
    now.tv_nsec += ms % 1000 * 1000000;
    now.tv_sec += ms / 1000 + now.tv_nsec / 1000000000;
    now.tv_nsec %= 1000000000;
    return now;
}

static int try_here(void *argument)
{
    int result;
    EXPECT(result = mtx_trylock(&mutex), *(int *)argument);
    if (result == thrd_success)
        EXPECT(mtx_unlock(&mutex), thrd_success);
    return result;
}

static void elsewhere(int result)
{
    thrd_t t;
    int got = -1;
    ck_assert_int_eq(thrd_create(&t, try_here, &result), thrd_success);
    ck_assert_int_eq(thrd_join(t, &got), thrd_success);
    ck_assert_int_eq(got, result);
}

START_TEST(lock_trylock_and_unlock_of_every_type)
{
    memset(&mutex, 0xa5, sizeof mutex);
    EXPECT(mtx_init(&mutex, types[_i]), thrd_success);
    for (int i = 0; i < 3; i++) {
        elsewhere(thrd_success);
        EXPECT(i ? mtx_trylock(&mutex) : mtx_lock(&mutex), thrd_success);
        elsewhere(thrd_busy);
        EXPECT(mtx_unlock(&mutex), thrd_success);
    }
    elsewhere(thrd_success);
    mtx_destroy(&mutex);
}
END_TEST

START_TEST(a_recursive_mutex_is_locked_as_often_as_its_owner_likes)
{
    struct timespec later = utc_in_ms(100000), past = {0, 0};
    EXPECT(mtx_init(&mutex, types[_i]), thrd_success);
    for (int i = 0; i < 250; i++) {
        EXPECT(mtx_lock(&mutex), thrd_success);
        EXPECT(mtx_trylock(&mutex), thrd_success);
        EXPECT(mtx_timedlock(&mutex, &later), thrd_success);
        EXPECT(mtx_timedlock(&mutex, &past), thrd_success);
    }
    for (int i = 0; i < 1000; i++) {
        if (i % 100 == 0)
            elsewhere(thrd_busy);
        EXPECT(mtx_unlock(&mutex), thrd_success);
    }
    elsewhere(thrd_success);
    /* Nobody owns it now. */
    EXPECT(mtx_unlock(&mutex), thrd_error);
    mtx_destroy(&mutex);
}
END_TEST

START_TEST(a_plain_mutex_is_busy_for_its_own_owner)
{
    EXPECT(mtx_init(&mutex, types[_i]), thrd_success);
    EXPECT(mtx_lock(&mutex), thrd_success);
    EXPECT(mtx_trylock(&mutex), thrd_busy);
    struct timespec soon = utc_in_ms(10);
    EXPECT(mtx_timedlock(&mutex, &soon), thrd_timedout);
    EXPECT(mtx_unlock(&mutex), thrd_success);
    elsewhere(thrd_success);
}
END_TEST

static int unlock_a_strangers(void *argument)
{
    (void)argument;
    EXPECT(mtx_unlock(&mutex), thrd_error);
    return 0;
}

START_TEST(a_recursive_mutex_unlocked_by_a_stranger_gives_thrd_error)
{
    thrd_t t;
    EXPECT(mtx_init(&mutex, types[_i]), thrd_success);
    EXPECT(mtx_lock(&mutex), thrd_success);
    ck_assert_int_eq(thrd_create(&t, unlock_a_strangers, NULL), thrd_success);
    ck_assert_int_eq(thrd_join(t, NULL), thrd_success);
    elsewhere(thrd_busy);
    EXPECT(mtx_unlock(&mutex), thrd_success);
}
END_TEST

#ifdef __GLIBC__ /* musl looks at one bit only */
/* C leaves this open; libc makes every type that is not recursive a plain mutex. */
START_TEST(an_unknown_type_is_a_plain_mutex)
{
    static const int unknown[] = {-1, 4, 5, 6, 8, 64, 128};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        EXPECT(mtx_init(&mutex, unknown[i]), thrd_success);
        EXPECT(mtx_lock(&mutex), thrd_success);
        EXPECT(mtx_trylock(&mutex), thrd_busy);
        elsewhere(thrd_busy);
        EXPECT(mtx_unlock(&mutex), thrd_success);
        mtx_destroy(&mutex);
    }
}
END_TEST
#endif

static int time_out_here(void *argument)
{
    static const long delays[] = {-1000, -1, 0, 1, 5, 50};
    (void)argument;
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, delays[i]);
        EXPECT(mtx_timedlock(&mutex, &deadline), thrd_timedout);
        ck_assert(deadline_passed(CLOCK_REALTIME, deadline));
    }
    static const long invalid[] = {-1, 1000000000};
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        struct timespec deadline = {time_on(CLOCK_REALTIME).tv_sec + 1000, invalid[i]};
        EXPECT(mtx_timedlock(&mutex, &deadline), thrd_error);
    }
    return 0;
}

START_TEST(a_timed_lock_times_out_and_never_early)
{
    thrd_t t;
    EXPECT(mtx_init(&mutex, types[_i]), thrd_success);
    EXPECT(mtx_lock(&mutex), thrd_success);
    ck_assert_int_eq(thrd_create(&t, time_out_here, NULL), thrd_success);
    ck_assert_int_eq(thrd_join(t, NULL), thrd_success);
    EXPECT(mtx_unlock(&mutex), thrd_success);
    struct timespec past = {0, 0};
    EXPECT(mtx_timedlock(&mutex, &past), thrd_success);
    EXPECT(mtx_unlock(&mutex), thrd_success);
    mtx_destroy(&mutex);
}
END_TEST

static void *get_it_in_time(void *argument)
{
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 100000);
    EXPECT(mtx_timedlock(argument, &later), thrd_success);
    EXPECT(mtx_unlock(argument), thrd_success);
    return NULL;
}

START_TEST(a_timed_lock_gets_what_is_released_in_time)
{
    struct thread t;
    EXPECT(mtx_init(&mutex, types[_i]), thrd_success);
    EXPECT(mtx_lock(&mutex), thrd_success);
    thread_start(&t, get_it_in_time, &mutex);
    wait_until_asleep(t.tid);
    EXPECT(mtx_unlock(&mutex), thrd_success);
    thread_join(&t);
    elsewhere(thrd_success);
}
END_TEST

static long count, failures;

static int count_up(void *argument)
{
    bool recursive = *(int *)argument & mtx_recursive;
    for (int i = 0; i < 50000; i++) {
        long failed = mtx_lock(&mutex) != thrd_success;
        failed += recursive && mtx_lock(&mutex) != thrd_success;
        count++;
        failed += recursive && mtx_unlock(&mutex) != thrd_success;
        failures += failed;
        if (mtx_unlock(&mutex) != thrd_success)
            return 1;
    }
    return 0;
}

START_TEST(threads_exclude_each_other)
{
    thrd_t t[6];
    int type = types[_i], result;
    EXPECT(mtx_init(&mutex, type), thrd_success);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(thrd_create(&t[i], count_up, &type), thrd_success);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(thrd_join(t[i], &result), thrd_success);
        ck_assert_int_eq(result, 0);
    }
    ck_assert_int_eq(count, 6 * 50000);
    ck_assert_int_eq(failures, 0);
    mtx_destroy(&mutex);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("c11_mutex");
    TCase *tcase = conform_case(suite, "mutex");
    tcase_add_loop_test(tcase, lock_trylock_and_unlock_of_every_type, 0, TYPES);
    tcase_add_loop_test(tcase, a_recursive_mutex_is_locked_as_often_as_its_owner_likes, 2, TYPES);
    tcase_add_loop_test(tcase, a_plain_mutex_is_busy_for_its_own_owner, 0, 2);
    tcase_add_loop_test(tcase, a_recursive_mutex_unlocked_by_a_stranger_gives_thrd_error, 2, TYPES);
#ifdef __GLIBC__
    tcase_add_test(tcase, an_unknown_type_is_a_plain_mutex);
#endif
    tcase_add_loop_test(tcase, a_timed_lock_times_out_and_never_early, 0, TYPES);
    tcase_add_loop_test(tcase, a_timed_lock_gets_what_is_released_in_time, 0, TYPES);
    tcase_add_loop_test(tcase, threads_exclude_each_other, 0, TYPES);
    return conform_run(suite);
}
