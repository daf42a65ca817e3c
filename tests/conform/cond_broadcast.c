/* SPDX-License-Identifier: MIT */
/*
 * Broadcast to 1 to 200 waiters with the mutex held and not, and the memory of a condition
 * variable right after it: destroyed while the waiters still leave, unmapped, refilled, used
 * again as another. A waiter that touches the memory too late crashes or hangs the test.
 */
#include "gate.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};

#define MOST 200
static const int sizes[] = {1, 2, 8, 64, MOST};

static void use_inheriting_mutex(void)
{
    static pthread_mutex_t inheriting;
    pthread_mutexattr_t attr;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
    OK(pthread_mutex_init(&inheriting, &attr));
    gate.mutex = &inheriting;
}

static void broadcast_to(int n, enum gate_style style)
{
    struct thread t[MOST];
    for (int round = 0; round < 3; round++) {
        gate.taken = gate.waiting = 0;
        start_many(t, n, gate_take, &gate);
        gate_await_waiting(&gate, n);
        if (round > 0)
            wait_until_asleep(t[n - 1].tid);
        gate_put(&gate, n, pthread_cond_broadcast, style);
        join_many(t, n);
        ck_assert_int_eq(gate.taken, n);
    }
    OK(pthread_cond_destroy(&cond));
}

START_TEST(a_broadcast_with_the_mutex_held_wakes_all)
{
    broadcast_to(sizes[_i], GATE_HELD);
}
END_TEST

START_TEST(a_broadcast_with_the_mutex_released_wakes_all)
{
    broadcast_to(sizes[_i], GATE_RELEASED);
}
END_TEST

START_TEST(a_broadcast_with_an_inheriting_mutex_wakes_all)
{
    use_inheriting_mutex();
    broadcast_to(sizes[_i], GATE_HELD);
    OK(pthread_cond_init(&cond, NULL));
    broadcast_to(sizes[_i], GATE_RELEASED);
}
END_TEST

static void *broadcast_from_here(void *argument)
{
    OK(pthread_cond_broadcast(argument));
    return NULL;
}

START_TEST(a_broadcast_while_another_thread_holds_the_mutex_wakes_all)
{
    struct thread t[64];
    start_many(t, 64, gate_take, &gate);
    gate_await_waiting(&gate, 64);
    OK(pthread_mutex_lock(&mutex));
    gate.tokens = 64;
    in_thread(broadcast_from_here, &cond);
    sleep_ms(20);
    ck_assert_int_eq(gate.taken, 0);
    OK(pthread_mutex_unlock(&mutex));
    join_many(t, 64);
}
END_TEST

START_TEST(signals_and_broadcasts_mixed_wake_all)
{
    struct thread t[64];
    for (int round = 0; round < 10; round++) {
        gate.taken = gate.waiting = 0;
        start_many(t, 64, gate_take, &gate);
        gate_await_waiting(&gate, 64);
        gate_put(&gate, 1, pthread_cond_signal, round % 2);
        gate_put(&gate, 1, pthread_cond_signal, GATE_RELEASED);
        gate_put(&gate, 62, pthread_cond_broadcast, round % 3 == 0);
        OK(pthread_cond_signal(&cond));
        OK(pthread_cond_broadcast(&cond));
        join_many(t, 64);
        ck_assert_int_eq(gate.taken, 64);
    }
}
END_TEST

/* A phase that all threads pass together, many times: every thread is woken in every phase. */
enum { PHASES = 300, PARTIES = 24 };

static struct {
    int arrived, phase;
} meeting;

static void *meet(void *argument)
{
    (void)argument;
    for (int i = 0; i < PHASES; i++) {
        pthread_mutex_lock(&mutex);
        int phase = meeting.phase;
        if (++meeting.arrived == PARTIES) {
            meeting.arrived = 0;
            meeting.phase++;
            pthread_cond_broadcast(&cond);
        }
        while (phase == meeting.phase)
            pthread_cond_wait(&cond, &mutex);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

START_TEST(threads_meet_again_and_again)
{
    struct thread t[PARTIES];
    start_many(t, PARTIES, meet, NULL);
    join_many(t, PARTIES);
    ck_assert_int_eq(meeting.phase, PHASES);
}
END_TEST

/* ---- the memory afterwards ---- */

enum after { DESTROY_ONLY, UNMAP, REFILL, REUSE, AFTER_COUNT };

static pthread_cond_t *fresh_page(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(p, MAP_FAILED);
    return p;
}

static void let_it_go(pthread_cond_t *c, enum after after)
{
    if (after == UNMAP) {
        ck_assert_int_eq(munmap(c, 4096), 0);
    } else if (after == REFILL) {
        memset(c, 0xff, 4096);
    } else if (after == REUSE) {
        memset(c, 0xff, 4096);
        OK(pthread_cond_init(c, NULL));
        struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 2);
        OK(pthread_mutex_lock(gate.mutex));
        int error;
        while ((error = pthread_cond_clockwait(c, gate.mutex, CLOCK_MONOTONIC, &deadline)) == 0) {
        }
        ck_assert_int_eq(error, ETIMEDOUT);
        OK(pthread_mutex_unlock(gate.mutex));
    }
}

static void destroy_right_after_a_broadcast(enum after after, int rounds)
{
    enum { WAITERS = 12 };
    struct thread t[WAITERS];
    for (int round = 0; round < rounds; round++) {
        pthread_cond_t *c = fresh_page();
        OK(pthread_cond_init(c, NULL));
        gate.cond = c;
        gate.taken = gate.waiting = 0;
        start_many(t, WAITERS, gate_take, &gate);
        gate_await_waiting(&gate, WAITERS);
        if (round % 3 == 0)
            wait_until_asleep(t[WAITERS - 1].tid);
        OK(pthread_mutex_lock(gate.mutex));
        gate.tokens = WAITERS;
        OK(pthread_cond_broadcast(c));
        if (round % 4 == 0) {
            /* Legal: nobody is blocked on it any more. libc needs the waiters to be able to go. */
            OK(pthread_mutex_unlock(gate.mutex));
            OK(pthread_cond_destroy(c));
        } else {
            OK(pthread_cond_destroy(c));
            OK(pthread_mutex_unlock(gate.mutex));
        }
        let_it_go(c, after);
        join_many(t, WAITERS);
        if (after != UNMAP)
            munmap(c, 4096);
    }
}

START_TEST(destroy_right_after_a_broadcast_and_the_memory_goes)
{
    destroy_right_after_a_broadcast(_i, 60);
}
END_TEST

START_TEST(destroy_right_after_a_broadcast_with_an_inheriting_mutex)
{
    use_inheriting_mutex();
    destroy_right_after_a_broadcast(_i, 30);
}
END_TEST

/* The last waiter to leave destroys and unmaps, as in the example of POSIX. */
static void *last_one_out(void *argument)
{
    struct gate *g = argument;
    OK(pthread_mutex_lock(g->mutex));
    g->waiting++;
    while (g->tokens == 0)
        OK(pthread_cond_wait(g->cond, g->mutex));
    bool last = --g->waiting == 0;
    if (last) {
        OK(pthread_cond_destroy(g->cond));
        ck_assert_int_eq(munmap(g->cond, 4096), 0);
    }
    OK(pthread_mutex_unlock(g->mutex));
    return NULL;
}

START_TEST(the_last_waiter_out_unmaps_it)
{
    struct thread t[8];
    for (int round = 0; round < 60; round++) {
        pthread_cond_t *c = fresh_page();
        gate = (struct gate){.mutex = &mutex, .cond = c};
        start_many(t, 8, last_one_out, &gate);
        gate_await_waiting(&gate, 8);
        OK(pthread_mutex_lock(&mutex));
        gate.tokens = 1;
        OK(pthread_cond_broadcast(c));
        OK(pthread_mutex_unlock(&mutex));
        join_many(t, 8);
    }
}
END_TEST

START_TEST(the_one_waiter_unmaps_it_after_a_signal)
{
    struct thread t;
    for (int round = 0; round < 300; round++) {
        pthread_cond_t *c = fresh_page();
        gate = (struct gate){.mutex = &mutex, .cond = c};
        thread_start(&t, last_one_out, &gate);
        gate_await_waiting(&gate, 1);
        OK(pthread_mutex_lock(&mutex));
        gate.tokens = 1;
        OK(pthread_cond_signal(c));
        OK(pthread_mutex_unlock(&mutex));
        thread_join(&t);
    }
}
END_TEST

int main(void)
{
    const int n = (int)COUNT_OF(sizes);
    Suite *suite = suite_create("cond_broadcast");
    TCase *tcase = conform_case(suite, "broadcast");
    tcase_add_loop_test(tcase, a_broadcast_with_the_mutex_held_wakes_all, 0, n);
    tcase_add_loop_test(tcase, a_broadcast_with_the_mutex_released_wakes_all, 0, n);
    tcase_add_loop_test(tcase, a_broadcast_with_an_inheriting_mutex_wakes_all, 0, n);
    tcase_add_test(tcase, a_broadcast_while_another_thread_holds_the_mutex_wakes_all);
    tcase_add_test(tcase, signals_and_broadcasts_mixed_wake_all);
    tcase_add_test(tcase, threads_meet_again_and_again);
    tcase = conform_case(suite, "memory");
    tcase_add_loop_test(tcase, destroy_right_after_a_broadcast_and_the_memory_goes, 0, AFTER_COUNT);
    tcase_add_loop_test(tcase, destroy_right_after_a_broadcast_with_an_inheriting_mutex, 0,
                        AFTER_COUNT);
    tcase_add_test(tcase, the_last_waiter_out_unmaps_it);
    tcase_add_test(tcase, the_one_waiter_unmaps_it_after_a_signal);
    return conform_run(suite);
}
