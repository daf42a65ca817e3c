/* SPDX-License-Identifier: MIT */
/* What the program has asked for so far of cancellation, for the waits, which are cancellation
   points. As long as nobody has asked for anything, a wait calls nothing of winpthreads': it holds
   the program's mutex, and winpthreads holds a lock of its own while a thread that ends runs its
   destructors, which may wait for that mutex. */
#ifndef FS_INTERPOSE_WINDOWS_CANCEL_H
#define FS_INTERPOSE_WINDOWS_CANCEL_H

#include "base/atomic.h"

#define FS_CANCEL_REQUESTED 1u    /* some thread was or is asked to end */
#define FS_CANCEL_ASYNCHRONOUS 2u /* some thread chose to end amid its instructions */

/* Of those; set before winpthreads is told, and never cleared. */
extern FS_HIDDEN fs_word fs_cancel_seen;

/* What fs_wait_interrupt knows the thread of that id by. */
FS_ALWAYS_INLINE const void *fs_cancel_waiter(uint32_t thread_id)
{
    return (const void *)(uintptr_t)thread_id;
}

#endif
