/* SPDX-License-Identifier: MIT */
/*
 * Condition variables: the ways to initialise one, signal and broadcast with nobody, with one
 * and with several waiting, the mutex on return, errno, and very many condition variables one
 * after another and at once. Time, cancellation, the kinds of mutex and the lifetime of the
 * memory have programs of their own.
 */
#include "gate.h"

#define MANY_IN_TURN 100000
#define MANY_AT_ONCE 1000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};

static void one_round_trip(pthread_cond_t *c)
{
    gate = (struct gate){.mutex = &mutex, .cond = c};
    struct thread t;
    thread_start(&t, gate_take, &gate);
    gate_await_waiting(&gate, 1);
    gate_put(&gate, 1, pthread_cond_signal, GATE_RELEASED);
    thread_join(&t);
    ck_assert_int_eq(gate.taken, 1);
}

START_TEST(a_static_initialiser_is_enough)
{
    one_round_trip(&cond);
    OK(pthread_cond_destroy(&cond));
}
END_TEST

START_TEST(zeroed_memory_is_a_condition_variable)
{
    pthread_cond_t *c = calloc(1, sizeof *c);
    one_round_trip(c);
    OK(pthread_cond_destroy(c));
    free(c);
}
END_TEST

START_TEST(init_without_attributes_over_garbage)
{
    pthread_cond_t c;
    memset(&c, 0xa5, sizeof c);
    OK(pthread_cond_init(&c, NULL));
    one_round_trip(&c);
    OK(pthread_cond_destroy(&c));
}
END_TEST

START_TEST(init_with_every_attribute)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    static const int scopes[] = {PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED};
    for (size_t i = 0; i < COUNT_OF(clocks); i++) {
        for (size_t k = 0; k < COUNT_OF(scopes); k++) {
            pthread_condattr_t attr;
            pthread_cond_t c;
            memset(&c, 0xff, sizeof c);
            OK(pthread_condattr_init(&attr));
            OK(pthread_condattr_setclock(&attr, clocks[i]));
            OK(pthread_condattr_setpshared(&attr, scopes[k]));
            OK(pthread_cond_init(&c, &attr));
            OK(pthread_condattr_destroy(&attr));
            one_round_trip(&c);
            OK(pthread_cond_destroy(&c));
        }
    }
}
END_TEST

START_TEST(a_destroyed_one_can_be_initialised_again)
{
    pthread_cond_t c;
    for (int i = 0; i < 100; i++) {
        OK(pthread_cond_init(&c, NULL));
        one_round_trip(&c);
        OK(pthread_cond_destroy(&c));
    }
}
END_TEST

START_TEST(signal_and_broadcast_with_nobody_return_0)
{
    for (int i = 0; i < 1000; i++) {
        OK(pthread_cond_signal(&cond));
        OK(pthread_cond_broadcast(&cond));
    }
    one_round_trip(&cond);
}
END_TEST

START_TEST(a_signal_with_nobody_is_not_kept)
{
    for (int i = 0; i < 100; i++)
        OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_lock(&mutex));
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 50);
    int error, woken = 0;
    while ((error = pthread_cond_timedwait(&cond, &mutex, &deadline)) == 0)
        ck_assert_int_lt(woken++, 10);
    ck_assert_int_eq(error, ETIMEDOUT);
    OK(pthread_mutex_unlock(&mutex));
}
END_TEST

START_TEST(a_signal_wakes_one_that_waits)
{
    struct thread t[5];
    for (int style = GATE_HELD; style <= GATE_RELEASED; style++) {
        gate = (struct gate){.mutex = &mutex, .cond = &cond};
        start_many(t, 5, gate_take, &gate);
        gate_await_waiting(&gate, 5);
        for (int i = 1; i <= 5; i++) {
            gate_put(&gate, 1, pthread_cond_signal, style);
            gate_await_taken(&gate, i);
        }
        join_many(t, 5);
        ck_assert_int_eq(gate.tokens, 0);
    }
}
END_TEST

START_TEST(as_many_signals_as_waiters_wake_them_all)
{
    struct thread t[32];
    for (int style = GATE_HELD; style <= GATE_RELEASED; style++) {
        gate = (struct gate){.mutex = &mutex, .cond = &cond};
        start_many(t, 32, gate_take, &gate);
        gate_await_waiting(&gate, 32);
        for (int i = 0; i < 32; i++)
            gate_put(&gate, 1, pthread_cond_signal, style);
        join_many(t, 32);
        ck_assert_int_eq(gate.taken, 32);
    }
}
END_TEST

START_TEST(signals_under_one_critical_section_wake_as_many)
{
    struct thread t[8];
    start_many(t, 8, gate_take, &gate);
    gate_await_waiting(&gate, 8);
    OK(pthread_mutex_lock(&mutex));
    gate.tokens = 8;
    for (int i = 0; i < 8; i++)
        OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
    join_many(t, 8);
}
END_TEST

START_TEST(a_signal_does_not_wake_everybody)
{
    struct thread t[8];
    start_many(t, 8, gate_take, &gate);
    gate_await_waiting(&gate, 8);
    gate_put(&gate, 1, pthread_cond_signal, GATE_HELD);
    gate_await_taken(&gate, 1);
    sleep_ms(50);
    OK(pthread_mutex_lock(&mutex));
    ck_assert_int_eq(gate.taken, 1);
    ck_assert_int_eq(gate.waiting, 7);
    OK(pthread_mutex_unlock(&mutex));
    gate_put(&gate, 7, pthread_cond_broadcast, GATE_HELD);
    join_many(t, 8);
}
END_TEST

static void *take_with_errorcheck(void *argument)
{
    struct gate *g = argument;
    OK(pthread_mutex_lock(g->mutex));
    g->waiting++;
    while (g->tokens == 0) {
        OK(pthread_cond_wait(g->cond, g->mutex));
        EXPECT(pthread_mutex_lock(g->mutex), EDEADLK);
    }
    OK(pthread_mutex_unlock(g->mutex));
    EXPECT(pthread_mutex_unlock(g->mutex), EPERM);
    return NULL;
}

START_TEST(the_waiter_holds_the_mutex_on_return)
{
    static pthread_mutex_t errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    gate.mutex = &errorcheck;
    struct thread t;
    thread_start(&t, take_with_errorcheck, &gate);
    gate_await_waiting(&gate, 1);
    gate_put(&gate, 1, pthread_cond_signal, GATE_HELD);
    thread_join(&t);
}
END_TEST

START_TEST(the_mutex_is_free_while_somebody_waits)
{
    struct thread t;
    thread_start(&t, gate_take, &gate);
    gate_await_waiting(&gate, 1);
    wait_until_asleep(t.tid);
    OK(pthread_mutex_trylock(&mutex));
    OK(pthread_mutex_unlock(&mutex));
    gate_put(&gate, 1, pthread_cond_broadcast, GATE_RELEASED);
    thread_join(&t);
}
END_TEST

/* Condition variables used one after another by two threads. */
static pthread_cond_t *row;
static int posted, reached;

static void *wait_along_the_row(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < MANY_IN_TURN; i++) {
        __atomic_store_n(&reached, i + 1, __ATOMIC_RELEASE);
        while (posted <= i)
            pthread_cond_wait(&row[i], &mutex);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

START_TEST(a_hundred_thousand_used_in_turn)
{
    row = calloc(MANY_IN_TURN, sizeof *row);
    struct thread t;
    thread_start(&t, wait_along_the_row, NULL);
    int errors = 0;
    for (int i = 0; i < MANY_IN_TURN; i++) {
        while (__atomic_load_n(&reached, __ATOMIC_ACQUIRE) <= i)
            sched_yield();
        pthread_mutex_lock(&mutex);
        posted = i + 1;
        errors += pthread_cond_signal(&row[i]) != 0;
        pthread_mutex_unlock(&mutex);
    }
    thread_join(&t);
    for (int i = 0; i < MANY_IN_TURN; i++)
        errors += pthread_cond_destroy(&row[i]) != 0;
    ck_assert_int_eq(errors, 0);
    free(row);
}
END_TEST

struct own_gate {
    struct gate gate;
    pthread_cond_t cond;
};

START_TEST(a_thousand_alive_with_a_waiter_each)
{
    struct own_gate *g = calloc(MANY_AT_ONCE, sizeof *g);
    struct thread *t = calloc(MANY_AT_ONCE, sizeof *t);
    for (int i = 0; i < MANY_AT_ONCE; i++) {
        g[i].gate = (struct gate){.mutex = &mutex, .cond = &g[i].cond};
        start_many(&t[i], 1, gate_take, &g[i].gate);
    }
    for (int i = 0; i < MANY_AT_ONCE; i++)
        gate_await_waiting(&g[i].gate, 1);
    for (int i = 0; i < MANY_AT_ONCE; i++) {
        int k = (int)((long)i * 617 % MANY_AT_ONCE);
        gate_put(&g[k].gate, 1, k % 2 ? pthread_cond_signal : pthread_cond_broadcast, k % 3 == 0);
        ck_assert_ptr_null(thread_join(&t[k]));
        OK(pthread_cond_destroy(&g[k].cond));
    }
    free(t);
    free(g);
}
END_TEST

START_TEST(several_waiters_on_each_of_many_wake_only_by_their_own)
{
    enum { CONDS = 40, EACH = 4 };
    struct own_gate *g = calloc(CONDS, sizeof *g);
    struct thread *t = calloc(CONDS * EACH, sizeof *t);
    for (int i = 0; i < CONDS; i++) {
        g[i].gate = (struct gate){.mutex = &mutex, .cond = &g[i].cond};
        start_many(&t[i * EACH], EACH, gate_take, &g[i].gate);
    }
    for (int i = 0; i < CONDS; i++)
        gate_await_waiting(&g[i].gate, EACH);
    for (int i = CONDS - 1; i >= 0; i--) {
        gate_put(&g[i].gate, EACH, pthread_cond_broadcast, i % 2);
        join_many(&t[i * EACH], EACH);
        for (int k = 0; k < i; k++)
            ck_assert_int_eq(g[k].gate.waiting, EACH);
    }
    free(t);
    free(g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_basic");
    TCase *tcase = conform_case(suite, "basic");
    tcase_add_test(tcase, a_static_initialiser_is_enough);
    tcase_add_test(tcase, zeroed_memory_is_a_condition_variable);
    tcase_add_test(tcase, init_without_attributes_over_garbage);
    tcase_add_test(tcase, init_with_every_attribute);
    tcase_add_test(tcase, a_destroyed_one_can_be_initialised_again);
    tcase_add_test(tcase, signal_and_broadcast_with_nobody_return_0);
    tcase_add_test(tcase, a_signal_with_nobody_is_not_kept);
    tcase_add_test(tcase, a_signal_wakes_one_that_waits);
    tcase_add_test(tcase, as_many_signals_as_waiters_wake_them_all);
    tcase_add_test(tcase, signals_under_one_critical_section_wake_as_many);
    tcase_add_test(tcase, a_signal_does_not_wake_everybody);
    tcase_add_test(tcase, the_waiter_holds_the_mutex_on_return);
    tcase_add_test(tcase, the_mutex_is_free_while_somebody_waits);
    tcase_add_test(tcase, a_hundred_thousand_used_in_turn);
    tcase_add_test(tcase, a_thousand_alive_with_a_waiter_each);
    tcase_add_test(tcase, several_waiters_on_each_of_many_wake_only_by_their_own);
    return conform_run(suite);
}
