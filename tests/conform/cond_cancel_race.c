/* SPDX-License-Identifier: MIT */
/*
 * A cancellation and a signal at the same moment: the token goes to somebody who waits, the
 * mutex is held in the handler, and pthread_join reports PTHREAD_CANCELED exactly for those
 * whose cleanup handler ran. A token that is lost shows as a round that does not end.
 */
#include "gate.h"
#include <stdint.h>

enum { ROUNDS = 1500, WAITERS = 3 };

static pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};

struct taker {
    struct thread thread;
    bool timed, asynchronous;
    int took, cleaned_up, unlock_error;
};

static char took_it;

static void clean_up(void *argument)
{
    struct taker *t = argument;
    t->cleaned_up++;
    gate.waiting--;
    /* Asynchronously, it may act after the wait has returned 0: then the signal is passed on. */
    if (t->asynchronous && gate.tokens > 0)
        pthread_cond_signal(&cond);
    t->unlock_error = pthread_mutex_unlock(&mutex);
}

static void *take(void *argument)
{
    struct taker *t = argument;
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 10000000);
    int old;
    pthread_mutex_lock(&mutex);
    gate.waiting++;
    pthread_cleanup_push(clean_up, t);
    while (gate.tokens == 0) {
        if (t->asynchronous)
            pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
        if (t->timed)
            pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &deadline);
        else
            pthread_cond_wait(&cond, &mutex);
        if (t->asynchronous)
            pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old);
    }
    gate.waiting--;
    gate.tokens--;
    gate.taken++;
    t->took = 1;
    pthread_cleanup_pop(0);
    pthread_mutex_unlock(&mutex);
    return &took_it;
}

/* Some order of one signal and one cancellation, close together. */
static void signal_and_cancel(struct taker *victim, int round)
{
    bool held = round & 1;
    pthread_mutex_lock(&mutex);
    gate.tokens = 1;
    if (round & 2)
        pthread_cancel(victim->thread.id);
    if (held)
        pthread_cond_signal(&cond);
    if (!(round & 2) && round & 4)
        pthread_cancel(victim->thread.id);
    pthread_mutex_unlock(&mutex);
    if (!held)
        pthread_cond_signal(&cond);
    for (int spin = round % 97; !(round & 6) && spin > 0; spin--)
        pause_spinning();
    if (!(round & 6))
        pthread_cancel(victim->thread.id);
}

/*
 * The token must be taken although one waiter is cancelled: by the victim, whose join then gives
 * its own result, or by another.
 */
static void run_rounds(bool asynchronous, bool timed)
{
    struct taker t[WAITERS];
    int wrong = 0, cancelled = 0;
    for (int round = 0; round < repeats(ROUNDS); round++) {
        memset(t, 0, sizeof t);
        gate.taken = 0;
        for (int i = 0; i < WAITERS; i++) {
            t[i].asynchronous = asynchronous;
            t[i].timed = timed;
            thread_start(&t[i].thread, take, &t[i]);
        }
        while (__atomic_load_n(&gate.waiting, __ATOMIC_ACQUIRE) < WAITERS)
            sched_yield();
        struct taker *victim = &t[round % WAITERS];
        signal_and_cancel(victim, round);
        for (int taken = 0; taken == 0; sched_yield()) {
            pthread_mutex_lock(&mutex);
            taken = gate.taken;
            pthread_mutex_unlock(&mutex);
        }
        pthread_mutex_lock(&mutex);
        gate.tokens += WAITERS;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
        for (int i = 0; i < WAITERS; i++) {
            void *result = thread_join(&t[i].thread);
            /* libc's signal for an asynchronous cancellation may come when the thread's function
               has returned, and overwrites the result. */
            if (!(asynchronous && &t[i] == victim && result == PTHREAD_CANCELED))
                wrong += result != (t[i].cleaned_up ? PTHREAD_CANCELED : (void *)&took_it);
            wrong += t[i].took + t[i].cleaned_up != 1;
            wrong += t[i].unlock_error != 0;
            wrong += t[i].cleaned_up && &t[i] != victim;
            cancelled += t[i].cleaned_up;
        }
        wrong += gate.taken + victim->cleaned_up != WAITERS;
        wrong += gate.waiting != 0;
        gate.tokens = 0;
    }
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_gt(cancelled, 0);
    OK(pthread_cond_destroy(&cond));
}

START_TEST(a_signal_and_a_cancellation_at_once_lose_no_token)
{
    run_rounds(false, _i);
}
END_TEST

/* POSIX and libc leave this undefined: a wait is not async-cancel-safe. The library's is. */
START_TEST(the_same_with_asynchronous_cancellation)
{
    run_rounds(true, _i);
}
END_TEST

START_TEST(all_cancelled_while_a_broadcast_comes)
{
    struct taker t[16];
    int wrong = 0;
    for (int round = 0; round < repeats(100); round++) {
        memset(t, 0, sizeof t);
        gate.taken = 0;
        for (int i = 0; i < 16; i++) {
            t[i].timed = i % 2;
            thread_start(&t[i].thread, take, &t[i]);
        }
        while (__atomic_load_n(&gate.waiting, __ATOMIC_ACQUIRE) < 16)
            sched_yield();
        for (int i = 0; i < 8; i++)
            pthread_cancel(t[i].thread.id);
        pthread_mutex_lock(&mutex);
        gate.tokens = 16;
        pthread_cond_broadcast(&cond);
        if (round % 2)
            pthread_mutex_unlock(&mutex);
        for (int i = 8; i < 12; i++)
            pthread_cancel(t[i].thread.id);
        if (round % 2 == 0)
            pthread_mutex_unlock(&mutex);
        for (int i = 0; i < 16; i++) {
            void *result = thread_join(&t[i].thread);
            wrong += result != (t[i].cleaned_up ? PTHREAD_CANCELED : (void *)&took_it);
            wrong += t[i].took + t[i].cleaned_up != 1 || t[i].unlock_error != 0;
            wrong += i >= 12 && t[i].cleaned_up;
        }
        gate.tokens = 0;
    }
    ck_assert_int_eq(wrong, 0);
    OK(pthread_cond_destroy(&cond));
}
END_TEST

/* ---- cancelled at some point of an endless series of short timed waits ---- */

static long series_errors;

static void *wait_in_series(void *argument)
{
    struct taker *t = argument;
    pthread_mutex_lock(&mutex);
    gate.waiting++;
    pthread_cleanup_push(clean_up, t);
    for (;;) {
        struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 0);
        deadline.tv_nsec += deadline.tv_nsec < 999900000 ? 30000 : 0;
        int error = pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &deadline);
        series_errors += error != 0 && error != ETIMEDOUT;
    }
    pthread_cleanup_pop(0);
    return NULL;
}

START_TEST(a_cancellation_among_time_outs_leaves_the_mutex_in_order)
{
    struct taker t[4];
    int wrong = 0;
    for (int round = 0; round < 200; round++) {
        memset(t, 0, sizeof t);
        for (int i = 0; i < 4; i++)
            thread_start(&t[i].thread, wait_in_series, &t[i]);
        for (int i = 0; i < 4; i++) {
            for (int k = 0; k < round % 5; k++)
                pthread_cond_signal(&cond);
            pthread_cancel(t[i].thread.id);
            wrong += thread_join(&t[i].thread) != PTHREAD_CANCELED;
            wrong += t[i].cleaned_up != 1 || t[i].unlock_error != 0;
        }
    }
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(series_errors, 0);
    OK(pthread_mutex_trylock(&mutex));
    OK(pthread_cond_destroy(&cond));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_cancel_race");
    TCase *tcase = conform_case(suite, "race");
    tcase_add_loop_test(tcase, a_signal_and_a_cancellation_at_once_lose_no_token, 0, 2);
    if (under_library())
        tcase_add_loop_test(tcase, the_same_with_asynchronous_cancellation, 0, 2);
    tcase_add_test(tcase, all_cancelled_while_a_broadcast_comes);
    tcase_add_test(tcase, a_cancellation_among_time_outs_leaves_the_mutex_in_order);
    return conform_run(suite);
}
