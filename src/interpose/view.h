/* SPDX-License-Identifier: MIT */
/* The C library's objects as ours see them. The layouts, and what else the objects of one C library
   have of their own, are in view_glibc.h and view_musl.h. */
#ifndef FS_INTERPOSE_VIEW_H
#define FS_INTERPOSE_VIEW_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "interpose/clock.h"
#ifdef FS_LIBC_MUSL
#include "interpose/view_musl.h"
#else
#include "interpose/view_glibc.h"
#endif

FS_ALWAYS_INLINE struct fs_mutex *fs_view_mutex(const pthread_mutex_t *mutex)
{
    return (struct fs_mutex *)(uintptr_t)mutex;
}

/* The way back. */
FS_ALWAYS_INLINE pthread_mutex_t *fs_program_mutex(struct fs_mutex *m)
{
    return (pthread_mutex_t *)(void *)m;
}

FS_ALWAYS_INLINE struct fs_cond_view *fs_view_cond(const pthread_cond_t *cond)
{
    return (struct fs_cond_view *)(uintptr_t)cond;
}

FS_ALWAYS_INLINE struct fs_rwlock_view *fs_view_rwlock(const pthread_rwlock_t *lock)
{
    return (struct fs_rwlock_view *)(uintptr_t)lock;
}

FS_ALWAYS_INLINE struct fs_rwlock *fs_rwlock_in(struct fs_rwlock_view *view)
{
#if __SIZEOF_POINTER__ == 8
    return &view->lock;
#else
    return (struct fs_rwlock *)(((uintptr_t)view + 7) & ~(uintptr_t)7);
#endif
}

#endif
