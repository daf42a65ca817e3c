/* SPDX-License-Identifier: MIT */
/* What others than mutex.c need of the PI engine: sleeping on a condition
   variable's word until the kernel hands over the mutex, and what a fork child inherits. */
#ifndef FS_LOCK_PI_MUTEX_H
#define FS_LOCK_PI_MUTEX_H

#include "lock/mutex.h"

/* FUTEX_WAIT_REQUEUE_PI onto m with m's bookkeeping. Returns what
   fs_futex_wait_requeue_pi returns; when that is 0, the caller holds m and *adopted is 0,
   EOWNERDEAD or ENOTRECOVERABLE (then it does not hold m). */
int fs_pi_wait_requeue(struct fs_mutex *m, uint32_t kind, fs_word *from, uint32_t expected,
                       const struct fs_deadline *deadline, int *adopted);

/* A bare PI word as a lock of the library's own, so that it inherits priority. Where
   the kernel refuses, a locker polls. */
void fs_pi_word_acquire(fs_word *w);
void fs_pi_word_release(fs_word *w);

/* Before the calling thread forks: its id counts as the child's own there, for private
   mutexes. */
void fs_pi_before_fork(void);

/* In the child, by the thread that forked. */
void fs_pi_after_fork_in_child(void);

#endif
