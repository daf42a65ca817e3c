/* SPDX-License-Identifier: MIT */
/*
 * A gate: a mutex, a condition variable and a count of tokens, with threads that wait for one.
 * A thread counts itself as waiting under the mutex, so whoever holds the mutex and sees n
 * waiting knows that n threads are inside the wait, asleep or not. Initialising the mutex and
 * the condition variable, and what is expected of them, is left to each program.
 */
#ifndef TESTS_CONFORM_GATE_H
#define TESTS_CONFORM_GATE_H

#include "conform.h"

struct gate {
    pthread_mutex_t *mutex;
    pthread_cond_t *cond;
    int waiting; /* threads inside the wait; guarded by the mutex, as all that follows */
    int tokens;  /* put in and not yet taken */
    int taken;
};

#if defined(__aarch64__) || defined(__powerpc64__)
#define GATE_STACK_SIZE 131072 /* less is refused there */
#else
#define GATE_STACK_SIZE 65536
#endif

/* True when the library under test serves this process. */
__attribute__((unused)) static bool under_library(void)
{
    const char *preload = getenv("LD_PRELOAD"), *off = getenv("FASTSYNC");
    return preload && strstr(preload, "libfastsync") && !(off && strcmp(off, "0") == 0);
}

/* Takes one token; the body of a waiting thread. */
__attribute__((unused)) static void *gate_take(void *argument)
{
    struct gate *g = argument;
    OK(pthread_mutex_lock(g->mutex));
    g->waiting++;
    while (g->tokens == 0)
        OK(pthread_cond_wait(g->cond, g->mutex));
    g->waiting--;
    g->tokens--;
    g->taken++;
    OK(pthread_mutex_unlock(g->mutex));
    return NULL;
}

/* Returns when n threads are inside the wait; with the mutex free. */
__attribute__((unused)) static void gate_await_waiting(struct gate *g, int n)
{
    for (;;) {
        ck_assert_int_eq(pthread_mutex_lock(g->mutex), 0);
        int waiting = g->waiting;
        ck_assert_int_eq(pthread_mutex_unlock(g->mutex), 0);
        if (waiting >= n)
            return;
        sleep_ms(1);
    }
}

__attribute__((unused)) static void gate_await_taken(struct gate *g, int n)
{
    for (;;) {
        ck_assert_int_eq(pthread_mutex_lock(g->mutex), 0);
        int taken = g->taken;
        ck_assert_int_eq(pthread_mutex_unlock(g->mutex), 0);
        if (taken >= n)
            return;
        sleep_ms(1);
    }
}

/* Adds tokens and signals or broadcasts, holding the mutex meanwhile or not. */
enum gate_style { GATE_HELD, GATE_RELEASED };

__attribute__((unused)) static void gate_put(struct gate *g, int tokens,
                                             int (*notify)(pthread_cond_t *), enum gate_style style)
{
    OK(pthread_mutex_lock(g->mutex));
    g->tokens += tokens;
    if (style == GATE_HELD)
        OK(notify(g->cond));
    OK(pthread_mutex_unlock(g->mutex));
    if (style == GATE_RELEASED)
        OK(notify(g->cond));
}

/* Many threads with small stacks. */
__attribute__((unused)) static void start_many(struct thread *threads, int n, void *(*body)(void *),
                                               void *argument)
{
    pthread_attr_t attr;
    OK(pthread_attr_init(&attr));
    OK(pthread_attr_setstacksize(&attr, GATE_STACK_SIZE));
    for (int i = 0; i < n; i++)
        thread_start_with(&threads[i], &attr, body, argument);
    OK(pthread_attr_destroy(&attr));
}

__attribute__((unused)) static void join_many(struct thread *threads, int n)
{
    for (int i = 0; i < n; i++)
        ck_assert_ptr_null(thread_join(&threads[i]));
}

#endif
