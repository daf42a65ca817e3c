/* SPDX-License-Identifier: MIT */
/*
 * Every lock that a thread can wait for outside a condition variable, as a table for loop tests:
 * mutexes of every kind, C11's, and both sides of reader-writer locks; and the calls that wait for
 * each, without a deadline and with one on either clock. What disturbs the wait is left to each
 * program. A thread that waits for a priority ceiling needs the right to real-time scheduling.
 */
#ifndef TESTS_CONFORM_LOCK_CALLS_H
#define TESTS_CONFORM_LOCK_CALLS_H

#include "conform.h"

#include "mutex_kinds.h"

#include <threads.h>

enum lock_way { BY_LOCK, BY_TIMEDLOCK, BY_CLOCKLOCK_REALTIME, BY_CLOCKLOCK_MONOTONIC, LOCK_WAYS };

enum {
    C11_KINDS = 2,
    RWLOCK_KINDS = 6, /* three preferences, private and shared */
    RWLOCK_SIDES = 3, /* a reader against a writer, a writer against either */
    C11_BEGIN = MUTEX_KINDS,
    RWLOCK_BEGIN = C11_BEGIN + C11_KINDS,
    LOCK_KINDS = RWLOCK_BEGIN + RWLOCK_KINDS * RWLOCK_SIDES,
};

static struct {
    int index;
    pthread_mutex_t mutex;
    mtx_t c11;
    pthread_rwlock_t rwlock;
} lock;

__attribute__((unused)) static bool lock_is_rwlock(void)
{
    return lock.index >= RWLOCK_BEGIN;
}

__attribute__((unused)) static bool lock_is_c11(void)
{
    return lock.index >= C11_BEGIN && !lock_is_rwlock();
}

static bool lock_waits_to_write(void)
{
    return (lock.index - RWLOCK_BEGIN) % RWLOCK_SIDES != 0;
}

static bool lock_is_held_by_reader(void)
{
    return (lock.index - RWLOCK_BEGIN) % RWLOCK_SIDES == 2;
}

static void lock_make_rwlock(int kind)
{
    static const int preferences[] = {PTHREAD_RWLOCK_PREFER_READER_NP,
                                      PTHREAD_RWLOCK_PREFER_WRITER_NP,
                                      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
    pthread_rwlockattr_t attr;
    OK(pthread_rwlockattr_init(&attr));
    OK(pthread_rwlockattr_setkind_np(&attr, preferences[kind % 3]));
    OK(pthread_rwlockattr_setpshared(&attr, kind / 3));
    OK(pthread_rwlock_init(&lock.rwlock, &attr));
    OK(pthread_rwlockattr_destroy(&attr));
}

/* False when this kind needs a right that is missing here. */
__attribute__((unused)) static bool lock_make(int index)
{
    static char text[64];
    struct sched_param param = {.sched_priority = 1};
    lock.index = index;
    snprintf(text, sizeof text, "lock %d", index);
    conform_context = text;
    if (index >= MUTEX_PP_KINDS_BEGIN && index < MUTEX_KINDS &&
        pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) != 0)
        return false;
    if (lock_is_rwlock())
        lock_make_rwlock((index - RWLOCK_BEGIN) / RWLOCK_SIDES);
    else if (lock_is_c11())
        EXPECT(mtx_init(&lock.c11, mtx_timed | (index % 2 ? mtx_recursive : 0)), thrd_success);
    else
        make_mutex(&lock.mutex, &mutex_kinds[index]);
    return true;
}

__attribute__((unused)) static bool lock_has_way(enum lock_way way)
{
    return !lock_is_c11() || way <= BY_TIMEDLOCK;
}

__attribute__((unused)) static clockid_t lock_clock(enum lock_way way)
{
    return way == BY_CLOCKLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

static int lock_rwlock_by(enum lock_way way, const struct timespec *until)
{
    bool write = lock_waits_to_write();
    if (way == BY_LOCK)
        return write ? pthread_rwlock_wrlock(&lock.rwlock) : pthread_rwlock_rdlock(&lock.rwlock);
    if (way == BY_TIMEDLOCK)
        return write ? pthread_rwlock_timedwrlock(&lock.rwlock, until)
                     : pthread_rwlock_timedrdlock(&lock.rwlock, until);
    return write ? pthread_rwlock_clockwrlock(&lock.rwlock, lock_clock(way), until)
                 : pthread_rwlock_clockrdlock(&lock.rwlock, lock_clock(way), until);
}

/* Waits for the lock; an error number, for C11 too. */
__attribute__((unused)) static int lock_by(enum lock_way way, const struct timespec *until)
{
    if (lock_is_rwlock())
        return lock_rwlock_by(way, until);
    if (lock_is_c11()) {
        int result = way == BY_LOCK ? mtx_lock(&lock.c11) : mtx_timedlock(&lock.c11, until);
        return result == thrd_success ? 0 : result == thrd_timedout ? ETIMEDOUT : EINVAL;
    }
    if (way == BY_LOCK)
        return pthread_mutex_lock(&lock.mutex);
    if (way == BY_TIMEDLOCK)
        return pthread_mutex_timedlock(&lock.mutex, until);
    return pthread_mutex_clocklock(&lock.mutex, lock_clock(way), until);
}

/* Holds the lock, so that all who call lock_by wait. */
__attribute__((unused)) static void lock_hold(void)
{
    if (lock_is_rwlock() && lock_is_held_by_reader())
        OK(pthread_rwlock_rdlock(&lock.rwlock));
    else if (lock_is_rwlock())
        OK(pthread_rwlock_wrlock(&lock.rwlock));
    else
        OK(lock_by(BY_LOCK, NULL));
}

/* The end of either. */
__attribute__((unused)) static int lock_release(void)
{
    if (lock_is_rwlock())
        return pthread_rwlock_unlock(&lock.rwlock);
    if (lock_is_c11())
        return mtx_unlock(&lock.c11) == thrd_success ? 0 : EINVAL;
    return pthread_mutex_unlock(&lock.mutex);
}

/* Nobody is left: the lock is free and can be destroyed. */
__attribute__((unused)) static void lock_destroy(void)
{
    OK(lock_by(BY_LOCK, NULL));
    OK(lock_release());
    if (lock_is_rwlock())
        OK(pthread_rwlock_destroy(&lock.rwlock));
    else if (lock_is_c11())
        mtx_destroy(&lock.c11);
    else
        OK(pthread_mutex_destroy(&lock.mutex));
}

#endif
