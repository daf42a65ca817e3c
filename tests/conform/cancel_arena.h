/* SPDX-License-Identifier: MIT */
/*
 * One mutex and one condition variable of any kind, a victim that is cancelled in a wait and a
 * witness that waits beside it: what they do, what they leave behind, and how a round ends when
 * nothing was lost. Where and when the victim is cancelled is left to each program. Threads that
 * may be cancelled assert nothing themselves, since Check writes to a file.
 */
#ifndef TESTS_CONFORM_CANCEL_ARENA_H
#define TESTS_CONFORM_CANCEL_ARENA_H

#include "gate.h"

#include "mutex_kinds.h"

#include <threads.h>

/* C11 shares libc's types: the casts below are what <threads.h> itself does. C does not name its
 * waits as cancellation points, but libc's are, since they are the POSIX ones. */
enum wait_call { WAIT, TIMEDWAIT, CLOCKWAIT, CND_WAIT, CND_TIMEDWAIT, WAIT_CALLS };

/* What is done to the victim while the witness waits. A token comes with each notification. */
enum deed {
    CANCEL,
    SIGNAL_THEN_CANCEL,
    CANCEL_THEN_SIGNAL,
    BROADCAST_THEN_CANCEL,
    CANCEL_THEN_BROADCAST,
    DEEDS,
};

struct waiter {
    struct thread thread;
    enum wait_call call;
    bool asynchronous;
    void (*before_wait)(void); /* around each wait, with the mutex held */
    void (*after_wait)(void);
    int took, cleaned_up; /* one of them becomes 1, and is the last thing to be written */
    int wait_errors, unlock_error, trylock_error;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    const struct mutex_kind *kind;
    bool shared; /* the condition variable */
    int tokens;  /* atomic: set without the mutex too */
    int waiting, taken;
} arena;

static char took_it;

__attribute__((unused)) static int now(const int *value)
{
    return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

/* Objects of a kind; the kinds of the condition variable follow each other. */
__attribute__((unused)) static void arena_open(int kind, bool shared)
{
    pthread_condattr_t attr;
    memset(&arena, 0, sizeof arena);
    arena.kind = &mutex_kinds[kind];
    arena.shared = shared;
    make_mutex(&arena.mutex, arena.kind);
    OK(pthread_condattr_init(&attr));
    OK(pthread_condattr_setpshared(&attr, shared));
    OK(pthread_cond_init(&arena.cond, &attr));
    OK(pthread_condattr_destroy(&attr));
}

/* Neither object believes that anybody is left. */
__attribute__((unused)) static void arena_close(void)
{
    OK(pthread_cond_destroy(&arena.cond));
    OK(pthread_mutex_destroy(&arena.mutex));
}

struct far_deadlines {
    struct timespec realtime, monotonic;
};

static int wait_by(enum wait_call call, const struct far_deadlines *far)
{
    switch (call) {
    case TIMEDWAIT:
        return pthread_cond_timedwait(&arena.cond, &arena.mutex, &far->realtime);
    case CLOCKWAIT:
        return pthread_cond_clockwait(&arena.cond, &arena.mutex, CLOCK_MONOTONIC, &far->monotonic);
    case CND_WAIT:
        return cnd_wait((cnd_t *)&arena.cond, (mtx_t *)&arena.mutex) != thrd_success;
    case CND_TIMEDWAIT:
        return cnd_timedwait((cnd_t *)&arena.cond, (mtx_t *)&arena.mutex, &far->realtime) !=
               thrd_success;
    default:
        return pthread_cond_wait(&arena.cond, &arena.mutex);
    }
}

static void clean_up(void *argument)
{
    struct waiter *w = argument;
    if (w->after_wait)
        w->after_wait();
    arena.waiting--;
    /* Whoever holds the mutex is told so; a recursive one is taken once more. */
    w->trylock_error = pthread_mutex_trylock(&arena.mutex);
    if (w->trylock_error == 0)
        w->unlock_error = pthread_mutex_unlock(&arena.mutex);
    /* Asynchronously, it may act after the wait has returned 0: then the signal is passed on. */
    if (w->asynchronous && now(&arena.tokens) > 0)
        pthread_cond_signal(&arena.cond);
    w->unlock_error |= pthread_mutex_unlock(&arena.mutex);
    raise_flag(&w->cleaned_up, 1);
}

static void wait_for_token(struct waiter *w)
{
    struct far_deadlines far = {deadline_in_ms(CLOCK_REALTIME, 10000000),
                                deadline_in_ms(CLOCK_MONOTONIC, 10000000)};
    int old;
    while (now(&arena.tokens) == 0) {
        if (w->before_wait)
            w->before_wait();
        if (w->asynchronous)
            pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
        int error = wait_by(w->call, &far);
        if (w->asynchronous)
            pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old);
        if (w->after_wait)
            w->after_wait();
        w->wait_errors += error != 0;
    }
}

__attribute__((unused)) static void *take(void *argument)
{
    struct waiter *w = argument;
    pthread_mutex_lock(&arena.mutex);
    __atomic_add_fetch(&arena.waiting, 1, __ATOMIC_SEQ_CST);
    pthread_cleanup_push(clean_up, w);
    wait_for_token(w);
    pthread_cleanup_pop(0);
    arena.waiting--;
    __atomic_sub_fetch(&arena.tokens, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&arena.taken, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&arena.mutex);
    raise_flag(&w->took, 1);
    return &took_it;
}

/* A pause in a loop that waits for a state: very short at first. */
__attribute__((unused)) static void look_again(int *times, const char *what)
{
    REQUIRE(++*times < 25000, "%s: %s never comes", conform_context, what);
    if (*times < 1000)
        pause_spinning();
    else if (*times < 5000)
        sched_yield();
    else
        sleep_ms(1);
}

/* Returns when n threads are inside the wait and the mutex is free. */
__attribute__((unused)) static void await_waiting(int n)
{
    int waiting = 0;
    for (int times = 0; waiting < n; look_again(&times, "a wait")) {
        OK(pthread_mutex_lock(&arena.mutex));
        waiting = arena.waiting;
        OK(pthread_mutex_unlock(&arena.mutex));
    }
}

static void notify(int tokens, int (*call)(pthread_cond_t *))
{
    __atomic_add_fetch(&arena.tokens, tokens, __ATOMIC_SEQ_CST);
    OK(call(&arena.cond));
}

/* The deed in two halves. */
__attribute__((unused)) static void do_first(enum deed deed, struct waiter *victim)
{
    if (deed == SIGNAL_THEN_CANCEL)
        notify(1, pthread_cond_signal);
    else if (deed == BROADCAST_THEN_CANCEL)
        notify(2, pthread_cond_broadcast);
    else
        OK(pthread_cancel(victim->thread.id));
}

__attribute__((unused)) static void do_then(enum deed deed, struct waiter *victim)
{
    if (deed == CANCEL_THEN_SIGNAL)
        notify(1, pthread_cond_signal);
    else if (deed == CANCEL_THEN_BROADCAST)
        notify(2, pthread_cond_broadcast);
    else if (deed != CANCEL)
        OK(pthread_cancel(victim->thread.id));
}

/* The result of a thread agrees with what it did, and it held the mutex in the handler. */
static void judge(struct waiter *w)
{
    void *result = thread_join(&w->thread);
    int wanted = arena.kind->type == PTHREAD_MUTEX_RECURSIVE ? 0 : EBUSY;
    /* libc's own signal for an asynchronous cancellation may come after the thread's function has
     * returned, and then changes the result. */
    bool too_late = w->asynchronous && w->took && result == PTHREAD_CANCELED;
    REQUIRE(too_late || result == (w->cleaned_up ? PTHREAD_CANCELED : (void *)&took_it),
            "%s: pthread_join gives %p", conform_context, result);
    REQUIRE(w->took + w->cleaned_up == 1, "%s: took %d, handlers %d", conform_context, w->took,
            w->cleaned_up);
    REQUIRE(w->wait_errors == 0, "%s: a wait gives an error", conform_context);
    if (!w->cleaned_up)
        return;
    REQUIRE(w->trylock_error == wanted || (wanted && w->trylock_error == EDEADLK),
            "%s: trylock gives %s in the handler", conform_context, strerrorname(w->trylock_error));
    REQUIRE(w->unlock_error == 0, "%s: unlock gives %s in the handler", conform_context,
            strerrorname(w->unlock_error));
}

/* The round ends by itself wherever nothing was lost. True when the victim was cancelled. */
__attribute__((unused)) static bool settle(enum deed deed, struct waiter *victim,
                                           struct waiter *witness)
{
    bool by_broadcast = deed == BROADCAST_THEN_CANCEL || deed == CANCEL_THEN_BROADCAST;
    for (int times = 0; by_broadcast && !now(&witness->took);)
        look_again(&times, "the broadcast");
    for (int times = 0; deed != CANCEL && !now(&arena.taken);)
        look_again(&times, "the signal");
    for (int times = 0; deed == CANCEL && !now(&victim->cleaned_up);)
        look_again(&times, "the cancellation");
    OK(pthread_mutex_lock(&arena.mutex));
    notify(2, pthread_cond_broadcast);
    OK(pthread_mutex_unlock(&arena.mutex));
    judge(victim);
    judge(witness);
    REQUIRE(!witness->cleaned_up, "%s: another thread is cancelled", conform_context);
    REQUIRE(arena.taken + victim->cleaned_up == 2 && arena.waiting == 0, "%s: %d taken, %d waiting",
            conform_context, arena.taken, arena.waiting);
    arena.taken = arena.tokens = 0;
    return victim->cleaned_up;
}

#endif
