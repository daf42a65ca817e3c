/* SPDX-License-Identifier: MIT */
/* One whole wait on a condition variable: the steps of condition.h in their order, with giving up
   and taking back the mutex in between. Whose the objects are, and where a cancelled thread ends,
   is left to the caller.

   A wait is a cancellation point at its beginning, where the mutex is still held, and at its end,
   where it is held again: never in between, so that nothing has to be undone while the stack
   unwinds. A thread that is cancelled in between is interrupted: it takes back the mutex and looks.
   A cancellation that comes between the caller's first look and the queueing finds nobody to
   interrupt; the waiter notices it by the epoch. */
#ifndef FS_LOCK_WAIT_H
#define FS_LOCK_WAIT_H

#include "lock/condition.h"

/* Who waits, and how it locks: with the program's own calls, which know whose the mutex is. */
struct fs_waiter {
    const void *thread; /* what fs_wait_interrupt knows it by; null: it is not interrupted */
    uint32_t epoch;     /* fs_wait_epoch_now() before the caller looked whether it is cancelled */
    int (*acquire)(struct fs_mutex *m);
    int (*release)(struct fs_mutex *m);
};

/* Counts all interruptions of the process. */
extern FS_HIDDEN fs_word fs_wait_epoch;

FS_ALWAYS_INLINE uint32_t fs_wait_epoch_now(void)
{
    return fs_load_seq_cst(&fs_wait_epoch);
}

/* After the thread has been asked to end: makes it look, if it waits or is about to. */
void fs_wait_interrupt(const void *thread);

/* What fs_wait_once returns besides errors. */
#define FS_WAIT_NOT_BEGUN (-1)

/* One wait. The caller holds the mutex, before and after; not after an error of `acquire`.
   Returns 0, signalled or spurious; ETIMEDOUT; ECANCELED: interrupted, no signal was used up, and
   the condition variable may be gone; FS_WAIT_NOT_BEGUN: somebody was cancelled before the mutex
   was given up, so the caller looks and begins again; or what `release` or `acquire` returned. The
   deadline is valid, or null: for ever. */
int fs_wait_once(struct fs_condition *c, struct fs_mutex *m, const struct fs_waiter *who,
                 const struct fs_deadline *deadline);

/* A wait with a mutex that is nothing but a private word, which the caller holds. An interruption
   is a spurious wake-up, and one before the queueing is not noticed. Returns 0 or ETIMEDOUT. */
int fs_wait_with_word(struct fs_condition *c, fs_word *mutex, const void *thread,
                      const struct fs_deadline *deadline);

/* ---- the two halves of fs_wait_once, between which the mutex is released --------------- */

/* Queues the caller. Returns false when there is no memory for it. */
bool fs_wait_queue(struct fs_condition *c, struct fs_mutex *m, const void *thread,
                   struct fs_wait *wait);

/* From queued to holding the mutex again. Returns as fs_wait_once. */
int fs_wait_conclude(struct fs_mutex *m, struct fs_wait *wait, const struct fs_waiter *who,
                     const struct fs_deadline *deadline);

#endif
