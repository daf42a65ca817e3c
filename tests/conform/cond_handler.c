/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers that interrupt a wait, with and without SA_RESTART: a wait may return 0
 * without reason but never EINTR and never early, no token is lost, and a waiter that a
 * broadcast has already moved towards the mutex still arrives. Also: errno and calls made in
 * the handler itself.
 */
#include "gate.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};
static int handled;

static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    __atomic_add_fetch(&handled, 1, __ATOMIC_RELAXED);
    errno = saved;
}

static void install(int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

/* Loop tests run over both. */
static const int action_flags[] = {0, SA_RESTART};

static void inheriting_mutex(void)
{
    static pthread_mutex_t m;
    pthread_mutexattr_t attr;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
    OK(pthread_mutex_init(&m, &attr));
    gate.mutex = &m;
}

static void disturb(struct thread *t, int n, int times)
{
    for (int k = 0; k < times; k++) {
        for (int i = 0; i < n; i++)
            OK(pthread_kill(t[i].id, SIGUSR1));
        if (k % 4 == 3)
            sleep_ms(1);
    }
}

static void disturbed_waiters(enum gate_style style, int (*notify)(pthread_cond_t *))
{
    enum { N = 8 };
    struct thread t[N];
    for (int round = 0; round < 10; round++) {
        gate.taken = 0;
        start_many(t, N, gate_take, &gate);
        gate_await_waiting(&gate, N);
        disturb(t, N, 20);
        if (notify == pthread_cond_broadcast)
            gate_put(&gate, N, notify, style);
        for (int i = 0; notify == pthread_cond_signal && i < N; i++) {
            gate_put(&gate, 1, notify, style);
            OK(pthread_kill(t[i].id, SIGUSR1));
            OK(pthread_kill(t[N - 1 - i].id, SIGUSR1));
        }
        join_many(t, N);
        ck_assert_int_eq(gate.taken, N);
    }
    ck_assert_int_gt(handled, 0);
    OK(pthread_cond_destroy(&cond));
}

START_TEST(handlers_do_not_cost_a_signalled_token)
{
    install(action_flags[_i % 2]);
    disturbed_waiters(_i / 2, pthread_cond_signal);
}
END_TEST

START_TEST(handlers_do_not_cost_a_broadcast)
{
    install(action_flags[_i % 2]);
    disturbed_waiters(_i / 2, pthread_cond_broadcast);
}
END_TEST

START_TEST(handlers_do_not_cost_a_token_with_an_inheriting_mutex)
{
    install(action_flags[_i % 2]);
    inheriting_mutex();
    disturbed_waiters(_i / 2, pthread_cond_signal);
    OK(pthread_cond_init(&cond, NULL));
    disturbed_waiters(_i / 2, pthread_cond_broadcast);
}
END_TEST

/* The mutex stays held after the broadcast, so that every waiter is on its way to it. */
static void disturb_after_a_broadcast(void)
{
    enum { N = 16 };
    struct thread t[N];
    for (int round = 0; round < 10; round++) {
        gate.taken = 0;
        start_many(t, N, gate_take, &gate);
        gate_await_waiting(&gate, N);
        wait_until_asleep(t[N - 1].tid);
        OK(pthread_mutex_lock(gate.mutex));
        gate.tokens = N;
        OK(pthread_cond_broadcast(&cond));
        disturb(t, N, 30);
        if (round % 2) {
            OK(pthread_mutex_unlock(gate.mutex));
            join_many(t, N);
        } else {
            /* The condition variable is destroyed while they are disturbed. */
            OK(pthread_cond_destroy(&cond));
            memset(&cond, 0xff, sizeof cond);
            disturb(t, N, 5);
            OK(pthread_mutex_unlock(gate.mutex));
            join_many(t, N);
            OK(pthread_cond_init(&cond, NULL));
        }
        ck_assert_int_eq(gate.taken, N);
    }
}

START_TEST(handlers_after_a_broadcast_lose_no_waiter)
{
    install(action_flags[_i]);
    disturb_after_a_broadcast();
}
END_TEST

START_TEST(handlers_after_a_broadcast_with_an_inheriting_mutex_lose_no_waiter)
{
    install(action_flags[_i]);
    inheriting_mutex();
    disturb_after_a_broadcast();
}
END_TEST

static void *time_out_once(void *argument)
{
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 100);
    int error;
    OK(pthread_mutex_lock(&mutex));
    do {
        errno = CONFORM_ERRNO;
        error = pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &deadline);
        ck_assert_int_eq(errno, CONFORM_ERRNO);
    } while (error == 0);
    ck_assert_int_eq(error, ETIMEDOUT);
    ck_assert(deadline_passed(CLOCK_MONOTONIC, deadline));
    OK(pthread_mutex_unlock(&mutex));
    raise_flag(argument, 1);
    return NULL;
}

START_TEST(a_disturbed_timed_wait_times_out_and_never_early)
{
    int done = 0;
    struct thread t;
    install(action_flags[_i]);
    thread_start(&t, time_out_once, &done);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        OK(pthread_kill(t.id, SIGUSR1));
        sleep_ms(1);
    }
    ck_assert_ptr_null(thread_join(&t));
    ck_assert_int_gt(handled, 0);
}
END_TEST

/* ---- a handler that itself waits, on objects of its own ---- */

static pthread_mutex_t inner_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t inner_cond = PTHREAD_COND_INITIALIZER;

static void wait_in_handler(int number)
{
    (void)number;
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 2);
    pthread_mutex_lock(&inner_mutex);
    while (pthread_cond_clockwait(&inner_cond, &inner_mutex, CLOCK_MONOTONIC, &deadline) == 0) {
    }
    pthread_mutex_unlock(&inner_mutex);
    __atomic_add_fetch(&handled, 1, __ATOMIC_RELAXED);
}

/*
 * Not async-signal-safe by POSIX; libc happens to allow it when the handler interrupts the
 * sleep and touches other objects. A library that keeps one node per thread must not break it.
 */
START_TEST(a_handler_that_waits_elsewhere_leaves_the_wait_intact)
{
    struct sigaction action = {.sa_handler = wait_in_handler, .sa_flags = action_flags[_i]};
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    struct thread t;
    thread_start(&t, gate_take, &gate);
    gate_await_waiting(&gate, 1);
    for (int i = 1; i <= 10; i++) {
        wait_until_asleep(t.tid);
        OK(pthread_kill(t.id, SIGUSR1));
        wait_for_flag(&handled, i);
    }
    wait_until_asleep(t.tid);
    OK(pthread_kill(t.id, SIGUSR1));
    gate_put(&gate, 1, pthread_cond_signal, GATE_RELEASED);
    thread_join(&t);
    ck_assert_int_eq(gate.taken, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_handler");
    TCase *tcase = conform_case(suite, "handler");
    tcase_add_loop_test(tcase, handlers_do_not_cost_a_signalled_token, 0, 4);
    tcase_add_loop_test(tcase, handlers_do_not_cost_a_broadcast, 0, 4);
    tcase_add_loop_test(tcase, handlers_do_not_cost_a_token_with_an_inheriting_mutex, 0, 4);
    tcase_add_loop_test(tcase, handlers_after_a_broadcast_lose_no_waiter, 0, 2);
    tcase_add_loop_test(tcase, handlers_after_a_broadcast_with_an_inheriting_mutex_lose_no_waiter,
                        0, 2);
    tcase_add_loop_test(tcase, a_disturbed_timed_wait_times_out_and_never_early, 0, 2);
    tcase_add_loop_test(tcase, a_handler_that_waits_elsewhere_leaves_the_wait_intact, 0, 2);
    return conform_run(suite);
}
