/* SPDX-License-Identifier: MIT */
/* Cancellation of a thread that waits in our code. The C library keeps the request and acts on
   it; we choose where, and make sure that the thread gets there. */
#ifndef FS_INTERPOSE_CANCEL_H
#define FS_INTERPOSE_CANCEL_H

#include <pthread.h>

#include "base/compiler.h"
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
#if defined(__x86_64__)
    const void *self;

    __asm__("movq %%fs:0, %0" : "=r"(self));
    return self;
#else
    return __builtin_thread_pointer();
#endif
}

#endif
