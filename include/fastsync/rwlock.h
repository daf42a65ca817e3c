/* SPDX-License-Identifier: MIT */
/* A reader-writer lock of 8 bytes, for the threads of one process: any number of readers, or
   one writer.

   Readers are preferred: a thread that reads may read again while a writer waits, and readers
   that keep coming can keep a writer waiting. It knows no owner: a writer that asks again
   waits for itself, and whoever unlocks it has to be one that locked it, which is not checked.

   Rules for every call:
   - It returns 0 or a positive error number; errno is never touched.
   - No call allocates or is a cancellation point: cancel a thread that waits here, and it
     acts on that at its next cancellation point.
   - A deadline is absolute, on the clock named next to it, CLOCK_REALTIME or
     CLOCK_MONOTONIC. A null pointer means for ever, and the clock is then not looked at.
   - There is nothing to destroy. A thread that has locked and unlocked it may free the memory
     if no other will lock it, even while another thread's unlock has yet to return.
   - At most 134217727 readers are inside at one time. Of more than 65535 writers that wait, the
     rest poll.
   - Linking with -lfastsync also puts the library's pthread and C11 locks in the place of the
     C library's. These calls do not depend on that: they work in the same way with
     FASTSYNC=0. */
#ifndef FASTSYNC_RWLOCK_H
#define FASTSYNC_RWLOCK_H

#include <stdint.h>

#include <fastsync/timespec.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The lock. All zero is an unlocked one; it is not copied once it is in use.
   Example (link with -lfastsync):

       #include <fastsync/rwlock.h>

       static fastsync_rwlock_t lock = FASTSYNC_RWLOCK_INIT;
       static int width, height;

       int area(void)
       {
           fastsync_rwlock_rdlock(&lock);
           int result = width * height;
           fastsync_rwlock_unlock(&lock);
           return result;
       }

       void resize(int new_width, int new_height)
       {
           fastsync_rwlock_wrlock(&lock);
           width = new_width;
           height = new_height;
           fastsync_rwlock_unlock(&lock);
       } */
typedef struct fastsync_rwlock {
    uint64_t state __attribute__((aligned(8))); /* the library's */
} fastsync_rwlock_t;

/* clang-format off */
#define FASTSYNC_RWLOCK_INIT {0}
/* clang-format on */

/* Locks for reading, waiting while a writer is inside.
   Requires: the caller is not the writer, or it waits for itself.
   Returns: 0; EAGAIN, too many readers.
   Blocks: yes. Async-signal-safe: no. Source: POSIX, pthread_rwlock_rdlock. */
int fastsync_rwlock_rdlock(fastsync_rwlock_t *lock);

/* Locks for reading if no writer is inside.
   Returns: 0, locked; EBUSY, a writer is inside; EAGAIN, too many readers.
   Blocks: no. Async-signal-safe: no. Source: POSIX, pthread_rwlock_tryrdlock. */
int fastsync_rwlock_tryrdlock(fastsync_rwlock_t *lock);

/* Locks for reading, waiting until the deadline at most.
   Requires: as fastsync_rwlock_rdlock.
   Returns: 0, locked, also past the deadline if that needs no wait; ETIMEDOUT; EAGAIN, too many
   readers; EINVAL, the clock is another one or the nanoseconds lie outside 0 to 999999999,
   whether the lock is free or not.
   Blocks: yes. Async-signal-safe: no. Source: POSIX, pthread_rwlock_clockrdlock. */
int fastsync_rwlock_timedrdlock(fastsync_rwlock_t *lock, clockid_t clock,
                                const struct timespec *deadline);

/* Locks for writing, waiting while anybody is inside.
   Requires: the caller is not inside, or it waits for itself.
   Returns: 0. Blocks: yes. Async-signal-safe: no. Source: POSIX, pthread_rwlock_wrlock. */
int fastsync_rwlock_wrlock(fastsync_rwlock_t *lock);

/* Locks for writing if nobody is inside.
   Returns: 0, locked; EBUSY, a reader or a writer is inside, also the caller.
   Blocks: no. Async-signal-safe: no. Source: POSIX, pthread_rwlock_trywrlock. */
int fastsync_rwlock_trywrlock(fastsync_rwlock_t *lock);

/* Locks for writing, waiting until the deadline at most.
   Requires: as fastsync_rwlock_wrlock.
   Returns: 0, locked, also past the deadline if that needs no wait; ETIMEDOUT; EINVAL, as
   fastsync_rwlock_timedrdlock.
   Blocks: yes. Async-signal-safe: no. Source: POSIX, pthread_rwlock_clockwrlock. */
int fastsync_rwlock_timedwrlock(fastsync_rwlock_t *lock, clockid_t clock,
                                const struct timespec *deadline);

/* Unlocks what the caller has locked, for reading or for writing, and wakes whom that lets in.
   Requires: the caller has locked it.
   Returns: 0, also for a lock that nobody holds, which is left alone.
   Blocks: no. Async-signal-safe: no. Source: POSIX, pthread_rwlock_unlock. */
int fastsync_rwlock_unlock(fastsync_rwlock_t *lock);

#ifdef __cplusplus
}
#endif

#endif
