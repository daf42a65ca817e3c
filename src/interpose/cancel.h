/* SPDX-License-Identifier: MIT */
/* Cancellation of a thread that waits in our code. The C library keeps the request and acts on
   it; we choose where, and make sure that the thread gets there. */
#ifndef FS_INTERPOSE_CANCEL_H
#define FS_INTERPOSE_CANCEL_H

#include <pthread.h>
#include <stdint.h>

#include "base/compiler.h"
#include "futex/thread.h"
#include "interpose/libc.h"

/* Acts on a pending cancellation, if the thread allows it. */
FS_ALWAYS_INLINE void fs_cancel_point(void)
{
    if (fs_libc.testcancel)
        fs_libc.testcancel();
}

/* No cancellation in the middle of our instructions. Returns the type to be restored. */
FS_ALWAYS_INLINE int fs_cancel_defer(void)
{
    int type = PTHREAD_CANCEL_DEFERRED;

    if (fs_libc.setcanceltype)
        fs_libc.setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    return type;
}

FS_ALWAYS_INLINE void fs_cancel_restore(int type)
{
    if (type != PTHREAD_CANCEL_DEFERRED)
        fs_libc.setcanceltype(type, &type);
}

/* What the queues know the calling thread by. */
FS_ALWAYS_INLINE const void *fs_thread_name(void)
{
    return fs_thread_pointer();
}

/* What they know another by: the distance from a thread's handle to its thread pointer is the same
   in all threads. */
FS_ALWAYS_INLINE const void *fs_thread_name_of(pthread_t thread)
{
    return (const void *)((uintptr_t)thread + (uintptr_t)fs_thread_pointer() -
                          (uintptr_t)pthread_self());
}

#endif
