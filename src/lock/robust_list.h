/* SPDX-License-Identifier: MIT */
/* The calling thread's robust list: the mutexes whose words the kernel marks when
   the thread dies (get_robust_list(2), Documentation/locking/robust-futexes). The C library
   registered the list and keeps its own mutexes on it, so entries are linked exactly as it
   does: `next` pointers that the kernel follows, `prev` pointers for unlinking.

   A robust operation is a bracket: begin names the mutex that is about to change
   hands, so that a death in between is noticed; end clears that. The slot is one per
   thread: a signal handler that runs a robust operation inside another's bracket
   puts back what it found. */
#ifndef FS_LOCK_ROBUST_LIST_H
#define FS_LOCK_ROBUST_LIST_H

#include "lock/mutex.h"

struct fs_robust_head; /* the kernel's struct robust_list_head */

/* An open bracket. */
struct fs_robust_bracket {
    struct fs_robust_head *head; /* null: this thread has no list, robustness is off for it */
    void *saved;
};

/* Opens the bracket around a change of m's word. pi: m is a PI mutex. */
struct fs_robust_bracket fs_robust_begin(struct fs_mutex *m, bool pi);

/* Closes it. */
void fs_robust_end(struct fs_robust_bracket bracket);

/* Puts a mutex that the caller holds on the list, or takes it off; inside a bracket. */
void fs_robust_link(struct fs_robust_bracket bracket, struct fs_mutex *m, bool pi);
void fs_robust_unlink(struct fs_robust_bracket bracket, struct fs_mutex *m);

#endif
