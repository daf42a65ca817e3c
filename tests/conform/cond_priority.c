/* SPDX-License-Identifier: MIT */
/*
 * Real-time waiters on one CPU: a broadcast makes them run in the order of their priority, and
 * one signal after another wakes the most urgent first, with a plain and with a priority
 * inheriting mutex. Fairness among waiters of one priority is not looked at.
 */
#include "gate.h"

enum { N = 8, LOWEST = 10, MAIN_PRIORITY = 40 };

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};
static int order[N];

/* No two neighbours come in order, neither upwards nor downwards. */
static const int priorities[N] = {13, 10, 16, 11, 17, 14, 12, 15};

static bool become_real_time(int priority)
{
    struct sched_param param = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == 0;
}

static void pin_to_one_cpu(void)
{
    cpu_set_t all, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
            return;
        }
    }
}

static void init_mutex(bool inherit)
{
    pthread_mutexattr_t attr;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_setprotocol(&attr, inherit ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE));
    OK(pthread_mutex_init(&mutex, &attr));
    OK(pthread_mutexattr_destroy(&attr));
}

static void *take_with_priority(void *argument)
{
    int priority = *(const int *)argument;
    ck_assert(become_real_time(priority));
    OK(pthread_mutex_lock(&mutex));
    gate.waiting++;
    while (gate.tokens == 0)
        OK(pthread_cond_wait(&cond, &mutex));
    gate.tokens--;
    order[gate.taken++] = priority;
    OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

/* False when this machine refuses real-time priorities. */
static bool start_waiters(struct thread *t)
{
    if (!become_real_time(1))
        return false;
    struct sched_param normal = {.sched_priority = 0};
    OK(pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal));
    pin_to_one_cpu();
    for (int i = 0; i < N; i++) {
        int priority = priorities[i];
        thread_start(&t[i], take_with_priority, &priority);
        gate_await_waiting(&gate, i + 1);
        wait_until_asleep(t[i].tid);
    }
    ck_assert(become_real_time(MAIN_PRIORITY));
    return true;
}

static void assert_in_order_of_priority(struct thread *t)
{
    for (int i = 0; i < N; i++)
        thread_join(&t[i]);
    ck_assert_int_eq(gate.taken, N);
    for (int i = 0; i < N; i++)
        ck_assert_msg(order[i] == LOWEST + N - 1 - i, "place %d goes to priority %d", i, order[i]);
}

START_TEST(a_broadcast_runs_the_waiters_in_order_of_priority)
{
    struct thread t[N];
    init_mutex(_i / 2);
    if (!start_waiters(t))
        SKIP_TEST("no permission for SCHED_FIFO");
    gate_put(&gate, N, pthread_cond_broadcast, _i % 2);
    assert_in_order_of_priority(t);
}
END_TEST

START_TEST(signals_wake_the_most_urgent_waiter_first)
{
    struct thread t[N];
    init_mutex(_i / 2);
    if (!start_waiters(t))
        SKIP_TEST("no permission for SCHED_FIFO");
    for (int i = 0; i < N; i++) {
        gate_put(&gate, 1, pthread_cond_signal, _i % 2);
        while (__atomic_load_n(&gate.taken, __ATOMIC_ACQUIRE) <= i)
            sleep_ms(1);
    }
    assert_in_order_of_priority(t);
}
END_TEST

/*
 * One that waits later but is more urgent goes first. libc wakes by groups in the order of
 * arrival, so that this is asked of the library only.
 */
START_TEST(an_urgent_waiter_that_came_later_goes_first)
{
    struct thread t[N], late;
    int urgent = LOWEST + N;
    init_mutex(_i / 2);
    if (!start_waiters(t))
        SKIP_TEST("no permission for SCHED_FIFO");
    gate_put(&gate, 1, pthread_cond_signal, _i % 2);
    while (__atomic_load_n(&gate.taken, __ATOMIC_ACQUIRE) < 1)
        sleep_ms(1);
    thread_start(&late, take_with_priority, &urgent);
    gate_await_waiting(&gate, N + 1);
    wait_until_asleep(late.tid);
    gate_put(&gate, 1, pthread_cond_signal, _i % 2);
    while (__atomic_load_n(&gate.taken, __ATOMIC_ACQUIRE) < 2)
        sleep_ms(1);
    ck_assert_int_eq(order[0], LOWEST + N - 1);
    if (under_library())
        ck_assert_int_eq(order[1], urgent);
    OK(pthread_mutex_lock(&mutex));
    gate.tokens = N - 1;
    gate.taken = 0;
    OK(pthread_cond_broadcast(&cond));
    OK(pthread_mutex_unlock(&mutex));
    for (int i = 0; i < N; i++)
        thread_join(&t[i]);
    thread_join(&late);
    ck_assert_int_eq(gate.taken, N - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_priority");
    TCase *tcase = conform_case(suite, "priority");
    tcase_add_loop_test(tcase, a_broadcast_runs_the_waiters_in_order_of_priority, 0, 4);
    tcase_add_loop_test(tcase, signals_wake_the_most_urgent_waiter_first, 0, 4);
    tcase_add_loop_test(tcase, an_urgent_waiter_that_came_later_goes_first, 0, 4);
    return conform_run(suite);
}
