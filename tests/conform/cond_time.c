/* SPDX-License-Identifier: MIT */
/*
 * Timed waits on a condition variable: the clock by attribute and by call, deadlines that have
 * passed, that are far away or no time at all, never early, the mutex afterwards, and tokens
 * that arrive together with the time-out. Waits without a deadline are left to cond_basic.
 */
#include "gate.h"
#include <limits.h>

static pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};

/* The three ways to name a clock. */
struct way {
    const char *name;
    clockid_t clock;
    bool by_call; /* clockwait on a condition variable of the other clock */
};

static const struct way ways[] = {
    {"timedwait, realtime by attribute", CLOCK_REALTIME, false},
    {"timedwait, monotonic by attribute", CLOCK_MONOTONIC, false},
    {"clockwait, realtime", CLOCK_REALTIME, true},
    {"clockwait, monotonic", CLOCK_MONOTONIC, true},
};

static void init_for(pthread_cond_t *c, const struct way *way)
{
    pthread_condattr_t attr;
    clockid_t other = way->clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : CLOCK_REALTIME;
    OK(pthread_condattr_init(&attr));
    OK(pthread_condattr_setclock(&attr, way->by_call ? other : way->clock));
    OK(pthread_cond_init(c, &attr));
    OK(pthread_condattr_destroy(&attr));
}

static int wait_until(pthread_cond_t *c, pthread_mutex_t *m, const struct way *way,
                      const struct timespec *deadline)
{
    return way->by_call ? pthread_cond_clockwait(c, m, way->clock, deadline)
                        : pthread_cond_timedwait(c, m, deadline);
}

static void assert_held_then_release(void)
{
    EXPECT(pthread_mutex_lock(&mutex), EDEADLK);
    OK(pthread_mutex_unlock(&mutex));
}

START_TEST(a_wait_times_out_and_never_early)
{
    static const long delays[] = {0, 1, 2, 5, 20, 100, 0, 1, 3};
    const struct way *way = &ways[_i];
    pthread_cond_t c;
    init_for(&c, way);
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        OK(pthread_mutex_lock(&mutex));
        struct timespec deadline = deadline_in_ms(way->clock, delays[i]);
        int error;
        do {
            errno = CONFORM_ERRNO;
            error = wait_until(&c, &mutex, way, &deadline);
            ck_assert_int_eq(errno, CONFORM_ERRNO);
        } while (error == 0);
        ck_assert_msg(deadline_passed(way->clock, deadline), "%s is early", way->name);
        ck_assert_int_eq(error, ETIMEDOUT);
        assert_held_then_release();
    }
    OK(pthread_cond_destroy(&c));
}
END_TEST

START_TEST(a_deadline_in_the_past_times_out_at_once)
{
    const struct way *way = &ways[_i];
    struct timespec pasts[] = {deadline_in_ms(way->clock, -1),
                               deadline_in_ms(way->clock, -1000),
                               {0, 0},
                               {0, 1},
                               {-1, 0},
                               {-1, 999999999},
                               {TIME_BEGINNING, 0}};
    pthread_cond_t c;
    init_for(&c, way);
    for (size_t i = 0; i < COUNT_OF(pasts); i++) {
        OK(pthread_mutex_lock(&mutex));
        EXPECT(wait_until(&c, &mutex, way, &pasts[i]), ETIMEDOUT);
        assert_held_then_release();
    }
    OK(pthread_cond_destroy(&c));
}
END_TEST

START_TEST(invalid_nanoseconds_give_EINVAL_and_keep_the_mutex)
{
    static const long invalid[] = {-1, 1000000000, LONG_MAX, LONG_MIN};
    const struct way *way = &ways[_i];
    pthread_cond_t c;
    init_for(&c, way);
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        struct timespec late = {time_on(way->clock).tv_sec + 1000, invalid[i]};
        struct timespec early = {0, invalid[i]};
        OK(pthread_mutex_lock(&mutex));
        EXPECT(wait_until(&c, &mutex, way, &late), EINVAL);
        EXPECT(wait_until(&c, &mutex, way, &early), EINVAL);
        assert_held_then_release();
    }
    OK(pthread_cond_destroy(&c));
}
END_TEST

START_TEST(invalid_clocks_give_EINVAL_and_keep_the_mutex)
{
    static const clockid_t invalid[] = {CLOCK_PROCESS_CPUTIME_ID,
                                        CLOCK_THREAD_CPUTIME_ID,
                                        CLOCK_MONOTONIC_RAW,
                                        CLOCK_BOOTTIME,
                                        4711,
                                        -1};
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 1000000);
        OK(pthread_mutex_lock(&mutex));
        EXPECT(pthread_cond_clockwait(&cond, &mutex, invalid[i], &deadline), EINVAL);
        assert_held_then_release();
    }
}
END_TEST

struct timed_waiter {
    const struct way *way;
    pthread_cond_t cond;
    struct timespec deadline;
    bool go;
    int waiting;
    int error;
};

static void *wait_for_go(void *argument)
{
    struct timed_waiter *w = argument;
    OK(pthread_mutex_lock(&mutex));
    w->waiting++;
    while (!w->go && w->error == 0)
        w->error = wait_until(&w->cond, &mutex, w->way, &w->deadline);
    assert_held_then_release();
    return NULL;
}

static void signal_ends_the_wait(const struct way *way, struct timespec deadline)
{
    struct timed_waiter w = {.way = way, .deadline = deadline};
    init_for(&w.cond, way);
    struct thread t;
    thread_start(&t, wait_for_go, &w);
    wait_until_asleep(t.tid);
    OK(pthread_mutex_lock(&mutex));
    ck_assert_int_eq(w.waiting, 1);
    w.go = true;
    OK(pthread_cond_signal(&w.cond));
    OK(pthread_mutex_unlock(&mutex));
    thread_join(&t);
    ck_assert_int_eq(w.error, 0);
    OK(pthread_cond_destroy(&w.cond));
}

START_TEST(a_signal_before_the_deadline_returns_0)
{
    signal_ends_the_wait(&ways[_i], deadline_in_ms(ways[_i].clock, 1000000));
}
END_TEST

START_TEST(a_deadline_at_the_end_of_time_is_waited_for)
{
    signal_ends_the_wait(&ways[_i], (struct timespec){INT_MAX, 999999999});
    signal_ends_the_wait(&ways[_i], (struct timespec){NEAREST_TIME(INT64_MAX / 1000000000), 0});
}
END_TEST

START_TEST(the_farthest_second_is_waited_for)
{
    signal_ends_the_wait(&ways[_i], (struct timespec){TIME_END, 999999999});
}
END_TEST

START_TEST(the_clock_of_the_call_wins_over_the_attribute)
{
    /* The realtime clock is decades ahead: a monotonic deadline read on it has long passed. */
    signal_ends_the_wait(&ways[3], deadline_in_ms(CLOCK_MONOTONIC, 100000));
    OK(pthread_mutex_lock(&mutex));
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 0);
    EXPECT(pthread_cond_timedwait(&cond, &mutex, &deadline), ETIMEDOUT);
    assert_held_then_release();
}
END_TEST

static int timed_out;

static void *time_out(void *argument)
{
    struct gate *g = argument;
    OK(pthread_mutex_lock(g->mutex));
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 30);
    int error;
    while ((error = pthread_cond_timedwait(g->cond, g->mutex, &deadline)) == 0) {
    }
    ck_assert_int_eq(error, ETIMEDOUT);
    ck_assert(deadline_passed(CLOCK_REALTIME, deadline));
    timed_out++;
    OK(pthread_mutex_unlock(g->mutex));
    return NULL;
}

START_TEST(a_hundred_time_out_together)
{
    struct thread t[100];
    start_many(t, 100, time_out, &gate);
    join_many(t, 100);
    ck_assert_int_eq(timed_out, 100);
    OK(pthread_cond_destroy(&cond));
}
END_TEST

START_TEST(those_that_time_out_leave_the_others_waiting)
{
    struct thread patient[6], impatient[6];
    for (int i = 0; i < 6; i++) {
        start_many(&patient[i], 1, gate_take, &gate);
        start_many(&impatient[i], 1, time_out, &gate);
    }
    join_many(impatient, 6);
    gate_await_waiting(&gate, 6);
    for (int i = 1; i <= 6; i++) {
        gate_put(&gate, 1, pthread_cond_signal, i % 2);
        gate_await_taken(&gate, i);
    }
    join_many(patient, 6);
}
END_TEST

START_TEST(a_time_out_waits_for_the_mutex)
{
    struct thread t;
    OK(pthread_mutex_lock(&mutex));
    thread_start(&t, time_out, &gate);
    OK(pthread_mutex_unlock(&mutex));
    sleep_ms(5);
    OK(pthread_mutex_lock(&mutex));
    sleep_ms(80);
    ck_assert_int_eq(timed_out, 0);
    OK(pthread_mutex_unlock(&mutex));
    thread_join(&t);
    ck_assert_int_eq(timed_out, 1);
}
END_TEST

int main(void)
{
    const int n = (int)COUNT_OF(ways);
    Suite *suite = suite_create("cond_time");
    TCase *tcase = conform_case(suite, "time");
    tcase_add_loop_test(tcase, a_wait_times_out_and_never_early, 0, n);
    tcase_add_loop_test(tcase, a_deadline_in_the_past_times_out_at_once, 0, n);
    tcase_add_loop_test(tcase, invalid_nanoseconds_give_EINVAL_and_keep_the_mutex, 0, n);
    tcase_add_test(tcase, invalid_clocks_give_EINVAL_and_keep_the_mutex);
    tcase_add_loop_test(tcase, a_signal_before_the_deadline_returns_0, 0, n);
    tcase_add_loop_test(tcase, a_deadline_at_the_end_of_time_is_waited_for, 0, n);
    tcase_add_loop_test(tcase, the_farthest_second_is_waited_for, 0, n);
    tcase_add_test(tcase, the_clock_of_the_call_wins_over_the_attribute);
    tcase_add_test(tcase, a_hundred_time_out_together);
    tcase_add_test(tcase, those_that_time_out_leave_the_others_waiting);
    tcase_add_test(tcase, a_time_out_waits_for_the_mutex);
    return conform_run(suite);
}
