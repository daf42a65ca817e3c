/* SPDX-License-Identifier: MIT */
/* A mutual-exclusion lock of 4 bytes, for the threads of one process.

   It spins for a moment, then sleeps; a thread that has waited for about a millisecond is
   handed the lock, so that none starves. It knows no owner: it is not recursive, and whoever
   unlocks it has to be the one that locked it, which is not checked.

   Rules for every call:
   - It returns 0 or a positive error number; errno is never touched.
   - No call allocates or is a cancellation point: cancel a thread that waits here, and it
     acts on that at its next cancellation point.
   - A deadline is absolute, on the clock named next to it, CLOCK_REALTIME or
     CLOCK_MONOTONIC. A null pointer means for ever, and the clock is then not looked at.
   - There is nothing to destroy. A thread that has locked and unlocked the mutex may free the
     memory if no other will lock it, even while another thread's unlock has yet to return.
   - Linking with -lfastsync also puts the library's pthread and C11 locks in the place of the
     C library's. These calls do not depend on that: they work in the same way with
     FASTSYNC=0, and beside pthread mutexes of either kind. */
#ifndef FASTSYNC_MUTEX_H
#define FASTSYNC_MUTEX_H

#include <stdint.h>

#include <fastsync/timespec.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The mutex. All zero is an unlocked one; it is not copied once it is in use.
   Example (link with -lfastsync):

       #include <fastsync/mutex.h>

       static fastsync_mutex_t lock = FASTSYNC_MUTEX_INIT;
       static long total;

       void add(long amount)
       {
           fastsync_mutex_lock(&lock);
           total += amount;
           fastsync_mutex_unlock(&lock);
       } */
typedef struct fastsync_mutex {
    uint32_t state; /* the library's */
} fastsync_mutex_t;

/* clang-format off */
#define FASTSYNC_MUTEX_INIT {0}
/* clang-format on */

/* Locks, waiting as long as it takes.
   Requires: the caller does not hold the mutex, or it waits for itself.
   Returns: 0. Blocks: yes. Async-signal-safe: no. Source: U. Drepper, "Futexes Are Tricky". */
int fastsync_mutex_lock(fastsync_mutex_t *mutex);

/* Locks if that needs no wait.
   Returns: 0, locked; EBUSY, held, also by the caller.
   Blocks: no. Async-signal-safe: no. */
int fastsync_mutex_trylock(fastsync_mutex_t *mutex);

/* Locks, waiting until the deadline at most.
   Requires: as fastsync_mutex_lock.
   Returns: 0, locked, also past the deadline if that needs no wait; ETIMEDOUT; EINVAL, the
   clock is another one or the nanoseconds lie outside 0 to 999999999, whether the mutex is
   free or not.
   Blocks: yes. Async-signal-safe: no. */
int fastsync_mutex_timedlock(fastsync_mutex_t *mutex, clockid_t clock,
                             const struct timespec *deadline);

/* Unlocks, and wakes a thread that waits.
   Requires: the caller has locked the mutex.
   Returns: 0, also for a mutex that nobody holds, which is left alone.
   Blocks: no. Async-signal-safe: no. */
int fastsync_mutex_unlock(fastsync_mutex_t *mutex);

#ifdef __cplusplus
}
#endif

#endif
