/* SPDX-License-Identifier: MIT */
/* A condition variable of 8 bytes, for the threads of one process, with a fastsync_mutex_t.

   A signal chooses a thread that waits already; no other can take it away. A broadcast to many
   wakes a few of them and lines the others up at the mutex. Threads of real-time priority are
   chosen first, the others in the order of their arrival.

   Rules for every call:
   - It returns 0 or a positive error number; errno is never touched.
   - No call is a cancellation point, unlike pthread_cond_wait: cancel a thread that waits
     here, and it waits on, and acts on that at its next cancellation point.
   - A wait may end without a reason: ask again whether what is waited for has come.
   - There is nothing to destroy. The memory may be freed as soon as nobody waits whom no
     signal or broadcast has chosen, right after a broadcast for instance; the mutex is needed
     until the waits have returned.
   - The library maps memory for its waiters at the first wait, and more when there have never
     been as many; it keeps that for good. Where there is none, a wait gives up the mutex
     for a moment and ends without a reason.
   - Linking with -lfastsync also puts the library's pthread and C11 locks in the place of the
     C library's. These calls do not depend on that: they work in the same way with
     FASTSYNC=0. */
#ifndef FASTSYNC_CONDITION_H
#define FASTSYNC_CONDITION_H

#include <stdint.h>

#include <fastsync/mutex.h>
#include <fastsync/timespec.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The condition variable. All zero is one that nobody waits for; it is not copied once it is
   in use.
   Example (link with -lfastsync):

       #include <fastsync/condition.h>

       static fastsync_mutex_t lock = FASTSYNC_MUTEX_INIT;
       static fastsync_cond_t arrived = FASTSYNC_COND_INIT;
       static int parcels;

       void deliver(void)
       {
           fastsync_mutex_lock(&lock);
           parcels++;
           fastsync_cond_signal(&arrived);
           fastsync_mutex_unlock(&lock);
       }

       void collect(void)
       {
           fastsync_mutex_lock(&lock);
           while (parcels == 0)
               fastsync_cond_wait(&arrived, &lock);
           parcels--;
           fastsync_mutex_unlock(&lock);
       } */
typedef struct fastsync_cond {
    uint32_t state; /* the library's */
    uint32_t spare;
} fastsync_cond_t;

/* clang-format off */
#define FASTSYNC_COND_INIT {0, 0}
/* clang-format on */

/* Gives up the mutex, waits for a signal or a broadcast, and locks the mutex again.
   Requires: the caller has locked the mutex.
   Returns: 0, with the mutex locked, at times without a reason.
   Blocks: yes. Async-signal-safe: no. Source: POSIX, pthread_cond_wait, without cancellation. */
int fastsync_cond_wait(fastsync_cond_t *cond, fastsync_mutex_t *mutex);

/* As fastsync_cond_wait, waiting for the signal until the deadline at most; an absolute moment
   on the clock, a null pointer means for ever. Locking the mutex again may take longer.
   Requires: as fastsync_cond_wait.
   Returns: 0; ETIMEDOUT, with the mutex locked, and no signal was used up; EINVAL, the clock is
   neither CLOCK_REALTIME nor CLOCK_MONOTONIC or the nanoseconds lie outside 0 to 999999999:
   the mutex has stayed locked.
   Blocks: yes. Async-signal-safe: no. Source: POSIX, pthread_cond_clockwait. */
int fastsync_cond_timedwait(fastsync_cond_t *cond, fastsync_mutex_t *mutex, clockid_t clock,
                            const struct timespec *deadline);

/* Wakes one thread that waits, if any does.
   Requires: nothing of the mutex, held or not.
   Returns: 0. Blocks: no. Async-signal-safe: no. Source: POSIX, pthread_cond_signal. */
int fastsync_cond_signal(fastsync_cond_t *cond);

/* Wakes all threads that wait.
   Requires: nothing of the mutex, held or not.
   Returns: 0. Blocks: no. Async-signal-safe: no. Source: POSIX, pthread_cond_broadcast. */
int fastsync_cond_broadcast(fastsync_cond_t *cond);

#ifdef __cplusplus
}
#endif

#endif
