/* SPDX-License-Identifier: MIT */
/*
 * Every timed call of pthread mutexes, condition variables, reader-writer locks and of C11, with
 * every kind of object and on each clock, as a table of trials: objects of its own that a trial
 * cannot have while the main thread holds them, and one call that ends as POSIX errors say. Which
 * deadlines are tried is decided by each program.
 */
#ifndef TESTS_SUPPORT_TIMED_CALLS_H
#define TESTS_SUPPORT_TIMED_CALLS_H

#include "conform.h"

#include "mutex_kinds.h"
#include "rwlock_kinds.h"

#include <threads.h>

enum {
    TIMED_KINDS = MUTEX_PP_KINDS_BEGIN,
    TIMED_MUTEXES = 3 * TIMED_KINDS,
    TIMED_CONDS = 4 * (TIMED_KINDS + 1),
    TIMED_RWLOCKS = 6 * RWLOCK_KINDS,
    TIMED_C11 = 4,
    TIMED_ALL = TIMED_MUTEXES + TIMED_CONDS + TIMED_RWLOCKS + TIMED_C11,
};

/* One timed call on objects of its own, which it cannot have: the main thread holds them. */
struct trial {
    int kind, way; /* the object's and the clock's; what they mean is the family's choice */
    clockid_t clock;
    int (*call)(struct trial *, const struct timespec *);
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    mtx_t mtx;
    cnd_t cnd;
    bool go;
    struct timespec deadline;
    struct thread thread;
};

static struct trial trials[TIMED_ALL];
static int trial_count;

/* Calls of one kind of object: make fills the table, hold and release are the main thread's. */
struct family {
    const char *name;
    void (*make)(void);
    void (*hold)(struct trial *);
    void (*release)(struct trial *);
};

static struct trial *add_trial(int kind, int way, clockid_t clock,
                               int (*call)(struct trial *, const struct timespec *))
{
    struct trial *t = &trials[trial_count++];
    *t = (struct trial){.kind = kind, .way = way, .clock = clock, .call = call};
    return t;
}

/* ---- mutexes: timedlock, clocklock on both clocks ---- */

static int call_mutex(struct trial *t, const struct timespec *deadline)
{
    int error = t->way == 0 ? pthread_mutex_timedlock(&t->mutex, deadline)
                            : pthread_mutex_clocklock(&t->mutex, t->clock, deadline);
    if (error == 0)
        OK(pthread_mutex_unlock(&t->mutex));
    return error;
}

static void make_mutexes(void)
{
    for (int i = 0; i < TIMED_MUTEXES; i++) {
        struct trial *t =
            add_trial(i / 3, i % 3, i % 3 == 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME, call_mutex);
        make_mutex(&t->mutex, &mutex_kinds[t->kind]);
    }
}

static void hold_mutex(struct trial *t)
{
    OK(pthread_mutex_lock(&t->mutex));
}

static void release_mutex(struct trial *t)
{
    OK(pthread_mutex_unlock(&t->mutex));
}

/* ---- condition variables: timedwait and clockwait on both clocks, every kind of mutex; four
   process-shared ones at the end ---- */

static int call_cond(struct trial *t, const struct timespec *deadline)
{
    int error = 0;
    OK(pthread_mutex_lock(&t->mutex));
    while (!t->go && error == 0)
        error = t->way < 2 ? pthread_cond_timedwait(&t->cond, &t->mutex, deadline)
                           : pthread_cond_clockwait(&t->cond, &t->mutex, t->clock, deadline);
    OK(pthread_mutex_unlock(&t->mutex));
    return error;
}

static void make_conds(void)
{
    for (int i = 0; i < TIMED_CONDS; i++) {
        pthread_condattr_t attr;
        clockid_t clock = i % 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
        struct trial *t = add_trial(i / 4 % TIMED_KINDS, i % 4, clock, call_cond);
        make_mutex(&t->mutex, &mutex_kinds[t->kind]);
        OK(pthread_condattr_init(&attr));
        OK(pthread_condattr_setpshared(&attr, i / 4 == TIMED_KINDS));
        if (t->way < 2)
            OK(pthread_condattr_setclock(&attr, clock));
        OK(pthread_cond_init(&t->cond, &attr));
        OK(pthread_condattr_destroy(&attr));
    }
}

static void hold_nothing(struct trial *t)
{
    t->go = false;
}

static void signal_cond(struct trial *t)
{
    OK(pthread_mutex_lock(&t->mutex));
    t->go = true;
    OK(pthread_cond_signal(&t->cond));
    OK(pthread_mutex_unlock(&t->mutex));
}

/* ---- reader-writer locks: six calls, three preferences, both scopes ---- */

static int call_rwlock(struct trial *t, const struct timespec *deadline)
{
    int error;
    if (t->way < 2)
        error = t->way ? pthread_rwlock_timedwrlock(&t->rwlock, deadline)
                       : pthread_rwlock_timedrdlock(&t->rwlock, deadline);
    else
        error = t->way % 2 ? pthread_rwlock_clockwrlock(&t->rwlock, t->clock, deadline)
                           : pthread_rwlock_clockrdlock(&t->rwlock, t->clock, deadline);
    if (error == 0)
        OK(pthread_rwlock_unlock(&t->rwlock));
    return error;
}

static void make_rwlocks(void)
{
    for (int i = 0; i < TIMED_RWLOCKS; i++) {
        clockid_t clock = i % 6 < 4 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
        struct trial *t = add_trial(i / 6, i % 6, clock, call_rwlock);
        make_rwlock(&t->rwlock, t->kind);
    }
}

static void hold_rwlock(struct trial *t)
{
    OK(pthread_rwlock_wrlock(&t->rwlock));
}

static void release_rwlock(struct trial *t)
{
    OK(pthread_rwlock_unlock(&t->rwlock));
}

/* ---- C11: mtx_timedlock and cnd_timedwait ---- */

static int posix_result(int result)
{
    return result == thrd_success    ? 0
           : result == thrd_timedout ? ETIMEDOUT
           : result == thrd_error    ? EINVAL
                                     : -1;
}

static int call_mtx(struct trial *t, const struct timespec *deadline)
{
    int result = mtx_timedlock(&t->mtx, deadline);
    if (result == thrd_success)
        EXPECT(mtx_unlock(&t->mtx), thrd_success);
    return posix_result(result);
}

static int call_cnd(struct trial *t, const struct timespec *deadline)
{
    int result = thrd_success;
    EXPECT(mtx_lock(&t->mtx), thrd_success);
    while (!t->go && result == thrd_success)
        result = cnd_timedwait(&t->cnd, &t->mtx, deadline);
    EXPECT(mtx_unlock(&t->mtx), thrd_success);
    return posix_result(result);
}

static void make_c11(void)
{
    for (int i = 0; i < TIMED_C11; i++) {
        struct trial *t = add_trial(i / 2, i % 2, CLOCK_REALTIME, i % 2 ? call_cnd : call_mtx);
        EXPECT(mtx_init(&t->mtx, mtx_timed | (t->kind ? mtx_recursive : 0)), thrd_success);
        EXPECT(cnd_init(&t->cnd), thrd_success);
    }
}

static void hold_mtx(struct trial *t)
{
    t->go = false;
    if (t->way == 0)
        EXPECT(mtx_lock(&t->mtx), thrd_success);
}

static void release_c11(struct trial *t)
{
    if (t->way == 1) {
        EXPECT(mtx_lock(&t->mtx), thrd_success);
        t->go = true;
        EXPECT(cnd_signal(&t->cnd), thrd_success);
    }
    EXPECT(mtx_unlock(&t->mtx), thrd_success);
}

__attribute__((unused)) static const struct family families[] = {
    {"mutex", make_mutexes, hold_mutex, release_mutex},
    {"condition variable", make_conds, hold_nothing, signal_cond},
    {"rwlock", make_rwlocks, hold_rwlock, release_rwlock},
    {"C11", make_c11, hold_mtx, release_c11},
};

#endif
