/* SPDX-License-Identifier: MIT */
/*
 * No wake-up is lost: producers and consumers whose counts must agree, a baton handed round,
 * and tokens that arrive at the very moment of a time-out. A lost wake-up shows as a test that
 * does not end. Cancellation and signal handlers have their own programs.
 */
#include "gate.h"
#include <stdint.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- a bounded queue of counts ---- */

enum { QUEUE_ROUNDS = 60000, QUEUE_ROOM = 4, THREADS_MAX = 16 };

static struct {
    pthread_cond_t room, items;
    int held, produced, consumed, goal;
    bool release_first, broadcast;
} queue;

static void notify(pthread_cond_t *c, bool ours_is_released)
{
    if (queue.release_first != ours_is_released)
        return;
    int error = queue.broadcast ? pthread_cond_broadcast(c) : pthread_cond_signal(c);
    if (error != 0)
        abort();
}

static void *produce(void *argument)
{
    (void)argument;
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (queue.held == QUEUE_ROOM && queue.produced < queue.goal)
            pthread_cond_wait(&queue.room, &mutex);
        bool done = queue.produced == queue.goal;
        if (!done) {
            queue.produced++;
            queue.held++;
        }
        if (done || queue.produced == queue.goal) {
            pthread_cond_broadcast(&queue.room);
            pthread_cond_broadcast(&queue.items);
        }
        notify(&queue.items, false);
        pthread_mutex_unlock(&mutex);
        notify(&queue.items, true);
        if (done)
            return NULL;
    }
}

static void *consume(void *argument)
{
    long *mine = argument;
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (queue.held == 0 && queue.consumed < queue.goal)
            pthread_cond_wait(&queue.items, &mutex);
        bool done = queue.consumed == queue.goal;
        if (!done) {
            queue.held--;
            queue.consumed++;
            (*mine)++;
        }
        if (queue.consumed == queue.goal)
            pthread_cond_broadcast(&queue.items);
        notify(&queue.room, false);
        pthread_mutex_unlock(&mutex);
        notify(&queue.room, true);
        if (done)
            return NULL;
    }
}

static void run_queue(int threads, bool release_first, bool broadcast, int goal)
{
    struct thread producers[THREADS_MAX], consumers[THREADS_MAX];
    long counts[THREADS_MAX] = {0}, sum = 0;
    int half = threads / 2;
    memset(&queue, 0, sizeof queue);
    queue.goal = goal;
    queue.release_first = release_first;
    queue.broadcast = broadcast;
    for (int i = 0; i < half; i++) {
        thread_start(&consumers[i], consume, &counts[i]);
        thread_start(&producers[i], produce, NULL);
    }
    for (int i = 0; i < half; i++) {
        thread_join(&consumers[i]);
        thread_join(&producers[i]);
        sum += counts[i];
    }
    ck_assert_int_eq(sum, goal);
    ck_assert_int_eq(queue.produced, goal);
    ck_assert_int_eq(queue.consumed, goal);
    ck_assert_int_eq(queue.held, 0);
    OK(pthread_cond_destroy(&queue.room));
    OK(pthread_cond_destroy(&queue.items));
}

static const int thread_counts[] = {2, 4, 8, 16};

START_TEST(producers_and_consumers_agree_signal_under_the_mutex)
{
    run_queue(thread_counts[_i], false, false, repeats(QUEUE_ROUNDS));
}
END_TEST

START_TEST(producers_and_consumers_agree_signal_after_unlock)
{
    run_queue(thread_counts[_i], true, false, repeats(QUEUE_ROUNDS));
}
END_TEST

START_TEST(producers_and_consumers_agree_broadcast)
{
    run_queue(thread_counts[_i], _i % 2, true, repeats(QUEUE_ROUNDS / 4));
}
END_TEST

/* ---- a baton handed from thread to thread, one condition variable for all or one each ---- */

enum { BATON_THREADS = 8, BATON_ROUNDS = 2000 };

static struct {
    pthread_cond_t cond[BATON_THREADS];
    int turn;
    bool one_for_all;
} baton;

static void *run_with_the_baton(void *argument)
{
    int me = (int)(intptr_t)argument, next = (me + 1) % BATON_THREADS;
    for (int i = 0; i < repeats(BATON_ROUNDS); i++) {
        pthread_mutex_lock(&mutex);
        while (baton.turn != me)
            pthread_cond_wait(&baton.cond[baton.one_for_all ? 0 : me], &mutex);
        baton.turn = next;
        if (baton.one_for_all)
            pthread_cond_broadcast(&baton.cond[0]);
        pthread_mutex_unlock(&mutex);
        if (!baton.one_for_all)
            pthread_cond_signal(&baton.cond[next]);
    }
    return NULL;
}

START_TEST(a_baton_goes_round)
{
    struct thread t[BATON_THREADS];
    baton.one_for_all = _i;
    for (int i = 0; i < BATON_THREADS; i++)
        thread_start(&t[i], run_with_the_baton, (void *)(intptr_t)i);
    join_many(t, BATON_THREADS);
    ck_assert_int_eq(baton.turn, 0);
}
END_TEST

/* ---- a token at the moment of a time-out ---- */

enum { RACE_THREADS = 4, RACE_TOKENS = 6000 };

static pthread_cond_t race_cond = PTHREAD_COND_INITIALIZER;
static int tokens, taken, time_outs, early, wrong;
static bool finished;

/*
 * Even threads time out all the time, and take a token only when their wait returned 0. Odd
 * threads have no deadline: a signal that a time-out swallowed leaves them asleep for ever.
 */
static void *race_for_tokens(void *argument)
{
    bool timed = (intptr_t)argument % 2 == 0;
    pthread_mutex_lock(&mutex);
    while (!finished) {
        int error = 0;
        if (timed) {
            struct timespec deadline = time_on(CLOCK_MONOTONIC);
            deadline.tv_nsec += 20000 + deadline.tv_nsec % 60000;
            if (deadline.tv_nsec >= 1000000000) {
                deadline.tv_nsec -= 1000000000;
                deadline.tv_sec++;
            }
            error = pthread_cond_clockwait(&race_cond, &mutex, CLOCK_MONOTONIC, &deadline);
            early += error == ETIMEDOUT && !deadline_passed(CLOCK_MONOTONIC, deadline);
        } else if (tokens == 0) {
            error = pthread_cond_wait(&race_cond, &mutex);
        }
        if (error == 0 && tokens > 0) {
            tokens--;
            taken++;
        }
        time_outs += error == ETIMEDOUT;
        wrong += error != 0 && !(timed && error == ETIMEDOUT);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

START_TEST(a_time_out_at_the_moment_of_a_signal_loses_no_token)
{
    struct thread t[RACE_THREADS];
    for (int i = 0; i < RACE_THREADS; i++)
        thread_start(&t[i], race_for_tokens, (void *)(intptr_t)i);
    for (int i = 0; i < RACE_TOKENS; i++) {
        for (;;) {
            pthread_mutex_lock(&mutex);
            bool all_taken = tokens == 0;
            if (all_taken)
                tokens++;
            pthread_mutex_unlock(&mutex);
            if (all_taken)
                break;
            sched_yield();
        }
        if (pthread_cond_signal(&race_cond) != 0)
            abort();
    }
    pthread_mutex_lock(&mutex);
    while (tokens != 0) {
        pthread_mutex_unlock(&mutex);
        sched_yield();
        pthread_mutex_lock(&mutex);
    }
    finished = true;
    pthread_cond_broadcast(&race_cond);
    pthread_mutex_unlock(&mutex);
    join_many(t, RACE_THREADS);
    ck_assert_int_eq(taken, RACE_TOKENS);
    ck_assert_int_eq(early, 0);
    ck_assert_int_eq(wrong, 0);
    OK(pthread_cond_destroy(&race_cond));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_stress");
    TCase *tcase = conform_case(suite, "stress");
    const int n = (int)COUNT_OF(thread_counts);
    tcase_add_loop_test(tcase, producers_and_consumers_agree_signal_under_the_mutex, 0, n);
    tcase_add_loop_test(tcase, producers_and_consumers_agree_signal_after_unlock, 0, n);
    tcase_add_loop_test(tcase, producers_and_consumers_agree_broadcast, 0, n);
    tcase_add_loop_test(tcase, a_baton_goes_round, 0, 2);
    tcase_add_test(tcase, a_time_out_at_the_moment_of_a_signal_loses_no_token);
    return conform_run(suite);
}
