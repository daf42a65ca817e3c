/* SPDX-License-Identifier: MIT */
/*
 * The condition variable of C11 <threads.h>: each call with each of its results, signal and
 * broadcast to many, deadlines on TIME_UTC, a queue between threads of thrd_create, and memory
 * that goes right after destroy. Cancellation of cnd_wait is left to cond_cancel.
 */
#include "gate.h"
#include <threads.h>

static const int types[] = {mtx_plain, mtx_timed, mtx_plain | mtx_recursive,
                            mtx_timed | mtx_recursive};

enum { TYPES = 4 };

static mtx_t mutex;
static cnd_t *condition;
static int waiting, tokens, taken;

static void set_up(int type)
{
    EXPECT(mtx_init(&mutex, type), thrd_success);
    condition = malloc(sizeof *condition);
    memset(condition, 0xff, sizeof *condition);
    EXPECT(cnd_init(condition), thrd_success);
    waiting = tokens = taken = 0;
}

static void tear_down(void)
{
    cnd_destroy(condition);
    free(condition);
    mtx_destroy(&mutex);
}

static int take(void *argument)
{
    bool with_deadline = argument != NULL;
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 1000000);
    EXPECT(mtx_lock(&mutex), thrd_success);
    waiting++;
    while (tokens == 0)
        EXPECT(with_deadline ? cnd_timedwait(condition, &mutex, &later)
                             : cnd_wait(condition, &mutex),
               thrd_success);
    tokens--;
    taken++;
    EXPECT(mtx_unlock(&mutex), thrd_success);
    return 0;
}

static void start_takers(thrd_t *t, int n)
{
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(thrd_create(&t[i], take, i % 2 ? &waiting : NULL), thrd_success);
    for (int seen = 0; seen < n; sleep_ms(1)) {
        EXPECT(mtx_lock(&mutex), thrd_success);
        seen = waiting;
        EXPECT(mtx_unlock(&mutex), thrd_success);
    }
}

static void put(int n, int (*notify)(cnd_t *), bool held)
{
    EXPECT(mtx_lock(&mutex), thrd_success);
    tokens += n;
    if (held)
        EXPECT(notify(condition), thrd_success);
    EXPECT(mtx_unlock(&mutex), thrd_success);
    if (!held)
        EXPECT(notify(condition), thrd_success);
}

static void join_takers(thrd_t *t, int n)
{
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(thrd_join(t[i], NULL), thrd_success);
    ck_assert_int_eq(taken, n);
}

START_TEST(signal_and_broadcast_with_nobody_succeed)
{
    set_up(types[_i]);
    for (int i = 0; i < 100; i++) {
        EXPECT(cnd_signal(condition), thrd_success);
        EXPECT(cnd_broadcast(condition), thrd_success);
    }
    tear_down();
}
END_TEST

START_TEST(as_many_signals_as_waiters_wake_them_all)
{
    thrd_t t[16];
    for (int held = 0; held < 2; held++) {
        set_up(types[_i]);
        start_takers(t, 16);
        for (int i = 0; i < 16; i++)
            put(1, cnd_signal, held);
        join_takers(t, 16);
        tear_down();
    }
}
END_TEST

START_TEST(a_broadcast_wakes_all)
{
    static const int sizes[] = {1, 2, 8, 64};
    thrd_t t[64];
    for (size_t i = 0; i < 2 * COUNT_OF(sizes); i++) {
        set_up(types[_i]);
        start_takers(t, sizes[i / 2]);
        put(sizes[i / 2], cnd_broadcast, i % 2);
        join_takers(t, sizes[i / 2]);
        tear_down();
    }
}
END_TEST

START_TEST(the_memory_goes_right_after_a_broadcast)
{
    thrd_t t[8];
    for (int i = 0; i < 50; i++) {
        set_up(types[_i]);
        start_takers(t, 8);
        put(8, cnd_broadcast, i % 2);
        cnd_destroy(condition);
        memset(condition, 0xff, sizeof *condition);
        free(condition);
        join_takers(t, 8);
        mtx_destroy(&mutex);
    }
}
END_TEST

static int try_here(void *argument)
{
    (void)argument;
    int result = mtx_trylock(&mutex);
    if (result == thrd_success)
        mtx_unlock(&mutex);
    return result;
}

static int state_of_mutex(void)
{
    thrd_t t;
    int result = -1;
    ck_assert_int_eq(thrd_create(&t, try_here, NULL), thrd_success);
    ck_assert_int_eq(thrd_join(t, &result), thrd_success);
    return result;
}

START_TEST(a_timed_wait_times_out_with_the_mutex_held_and_never_early)
{
    static const long delays[] = {-1000, -1, 0, 1, 5, 50};
    set_up(types[_i]);
    EXPECT(mtx_lock(&mutex), thrd_success);
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, delays[i]);
        int result;
        do {
            errno = CONFORM_ERRNO;
            result = cnd_timedwait(condition, &mutex, &deadline);
            ck_assert_int_eq(errno, CONFORM_ERRNO);
        } while (result == thrd_success);
        ck_assert_int_eq(result, thrd_timedout);
        ck_assert(deadline_passed(CLOCK_REALTIME, deadline));
        ck_assert_int_eq(state_of_mutex(), thrd_busy);
    }
    EXPECT(mtx_unlock(&mutex), thrd_success);
    ck_assert_int_eq(state_of_mutex(), thrd_success);
    tear_down();
}
END_TEST

START_TEST(invalid_nanoseconds_give_thrd_error_and_keep_the_mutex)
{
    static const long invalid[] = {-1, 1000000000};
    set_up(types[_i]);
    EXPECT(mtx_lock(&mutex), thrd_success);
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        struct timespec deadline = {time_on(CLOCK_REALTIME).tv_sec + 1000, invalid[i]};
        EXPECT(cnd_timedwait(condition, &mutex, &deadline), thrd_error);
        ck_assert_int_eq(state_of_mutex(), thrd_busy);
    }
    EXPECT(mtx_unlock(&mutex), thrd_success);
    tear_down();
}
END_TEST

START_TEST(a_recursive_mutex_that_nobody_holds_gives_thrd_error)
{
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 100000);
    set_up(types[_i]);
    EXPECT(cnd_wait(condition, &mutex), thrd_error);
    EXPECT(cnd_timedwait(condition, &mutex, &later), thrd_error);
    ck_assert_int_eq(state_of_mutex(), thrd_success);
    tear_down();
}
END_TEST

/* A baton that two threads pass, waiting with and without a deadline. */
enum { ROUNDS = 20000 };

static int turn, errors;

static int play(void *argument)
{
    int me = *(int *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec later = deadline_in_ms(CLOCK_REALTIME, 100000);
        errors += mtx_lock(&mutex) != thrd_success;
        while (turn != me)
            errors += (me ? cnd_wait(condition, &mutex)
                          : cnd_timedwait(condition, &mutex, &later)) != thrd_success;
        turn = !me;
        errors += (i % 2 ? cnd_signal(condition) : cnd_broadcast(condition)) != thrd_success;
        if (mtx_unlock(&mutex) != thrd_success)
            return 1;
    }
    return 0;
}

START_TEST(two_threads_take_turns)
{
    thrd_t t[2];
    int numbers[2] = {0, 1}, result;
    set_up(types[_i]);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(thrd_create(&t[i], play, &numbers[i]), thrd_success);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(thrd_join(t[i], &result), thrd_success);
        ck_assert_int_eq(result, 0);
    }
    ck_assert_int_eq(errors, 0);
    tear_down();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("c11_condition");
    TCase *tcase = conform_case(suite, "condition");
    tcase_add_loop_test(tcase, signal_and_broadcast_with_nobody_succeed, 0, TYPES);
    tcase_add_loop_test(tcase, as_many_signals_as_waiters_wake_them_all, 0, TYPES);
    tcase_add_loop_test(tcase, a_broadcast_wakes_all, 0, TYPES);
    tcase_add_loop_test(tcase, the_memory_goes_right_after_a_broadcast, 0, TYPES);
    tcase_add_loop_test(tcase, a_timed_wait_times_out_with_the_mutex_held_and_never_early, 0,
                        TYPES);
    tcase_add_loop_test(tcase, invalid_nanoseconds_give_thrd_error_and_keep_the_mutex, 0, TYPES);
    tcase_add_loop_test(tcase, a_recursive_mutex_that_nobody_holds_gives_thrd_error, 2, TYPES);
    tcase_add_loop_test(tcase, two_threads_take_turns, 0, TYPES);
    return conform_run(suite);
}
