/* SPDX-License-Identifier: MIT */
/* glibc's objects as ours see them. This is the only place that knows both layouts, and it checks
   that they agree. */
#ifndef FS_INTERPOSE_VIEW_GLIBC_H
#define FS_INTERPOSE_VIEW_GLIBC_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lock/condition.h"
#include "lock/mutex.h"
#include "lock/rwlock.h"

#define FS_SAME_PLACE(ours, member, theirs)                                                        \
    _Static_assert(offsetof(ours, member) == offsetof(pthread_mutex_t, __data.theirs),             \
                   "the C library keeps " #theirs " elsewhere")

FS_SAME_PLACE(struct fs_mutex, word, __lock);
FS_SAME_PLACE(struct fs_mutex, count, __count);
FS_SAME_PLACE(struct fs_mutex, owner, __owner);
FS_SAME_PLACE(struct fs_mutex, nusers, __nusers);
FS_SAME_PLACE(struct fs_mutex, kind, __kind);
FS_SAME_PLACE(struct fs_mutex, link, __list);
_Static_assert(sizeof(struct fs_mutex) <= sizeof(pthread_mutex_t), "our mutex is too large");

/* A private condition variable of ours. All zero: waits use CLOCK_REALTIME. */
struct fs_cond_view {
    struct fs_condition condition;
    uint32_t is_monotonic;
};

_Static_assert(sizeof(struct fs_cond_view) <= 16, "the C library's flags come later");
_Static_assert(sizeof(struct fs_cond_view) <= sizeof(pthread_cond_t), "too large");

/* A private reader-writer lock of ours, up to the fields we share with the C library. */
#if __SIZEOF_POINTER__ == 8
struct fs_rwlock_view {
    struct fs_rwlock lock;
    uint32_t unused[4];
    fs_word writer; /* id of the thread that holds the lock for writing */
};
#else
/* The C library's is aligned to 4 bytes only: ours is where 8 bytes are aligned, at once or 4 bytes
   later (fs_rwlock_in). */
struct fs_rwlock_view {
    uint32_t room[3];
    uint32_t unused[4]; /* the C library's flags among them */
    fs_word writer;
};

_Static_assert(offsetof(pthread_rwlock_t, __data.__flags) >= 12 &&
                   offsetof(pthread_rwlock_t, __data.__shared) >= 12,
               "the C library's flags are in the way");
#endif

_Static_assert(sizeof(struct fs_rwlock) == 8, "our lock is one wide word");
_Static_assert(offsetof(struct fs_rwlock_view, writer) ==
                   offsetof(pthread_rwlock_t, __data.__cur_writer),
               "the C library keeps the writer elsewhere");

/* Where and how the C library marks a process-shared condition variable; found out by
   initialising one (host_glibc.c). */
extern FS_HIDDEN struct fs_shared_mark {
    unsigned offset;
    uint32_t mask;
} fs_shared_mark;

FS_ALWAYS_INLINE bool fs_cond_is_shared(const pthread_cond_t *cond)
{
    const fs_word *mark = (const void *)((const char *)cond + fs_shared_mark.offset);

    return (fs_load_relaxed(mark) & fs_shared_mark.mask) != 0; /* settled by the initialisation */
}

FS_ALWAYS_INLINE bool fs_rwlock_is_shared(const pthread_rwlock_t *lock)
{
    /* The byte that tells: 0 or 1 in a number of one byte or of four. */
    size_t last = sizeof lock->__data.__shared - 1;
    size_t at = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? last : 0;

    return ((const volatile signed char *)&lock->__data.__shared)[at] != 0;
}

FS_ALWAYS_INLINE enum fs_rw_preference fs_rwlock_preference(const pthread_rwlock_t *lock)
{
    return lock->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
               ? FS_RW_PREFER_WRITERS
               : FS_RW_PREFER_READERS;
}

/* ---- mutexes ---------------------------------------------------------------- */

/* Destroying one that is held is refused, and a destroyed one is not valid any more. */
FS_ALWAYS_INLINE int fs_retire(struct fs_mutex *m, uint32_t kind)
{
    return fs_mutex_retire(m, kind);
}

/* Whether a mutex that is to be made is the C library's; `kind` in our bits. */
FS_ALWAYS_INLINE bool fs_kind_is_handed_over(uint32_t kind)
{
    return (kind & FS_KIND_LIBCS) != 0;
}

/* ---- condition variables ---------------------------------------------------- */

FS_ALWAYS_INLINE clockid_t fs_cond_clock(const pthread_cond_t *cond)
{
    return ((const struct fs_cond_view *)(const void *)cond)->is_monotonic ? CLOCK_MONOTONIC
                                                                           : CLOCK_REALTIME;
}

FS_ALWAYS_INLINE void fs_cond_set_clock(pthread_cond_t *cond, clockid_t clock)
{
    ((struct fs_cond_view *)(void *)cond)->is_monotonic = clock == CLOCK_MONOTONIC;
}

/* Whether the C library waits on its condition variable with a mutex, held by the caller: always,
   once the mutex speaks its protocol. */
FS_ALWAYS_INLINE bool fs_libc_waits_with(struct fs_mutex *m)
{
    fs_mutex_turn_over(m);
    return true;
}

/* Of musl only. */
FS_ALWAYS_INLINE bool fs_cond_waits_by_protocol(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                                const struct fs_deadline *deadline, int *err)
{
    return false;
}

/* ---- reader-writer locks ------------------------------------------------------ */

/* Only the caller writes its own id there. */
FS_ALWAYS_INLINE bool fs_rwlock_is_writer(const struct fs_rwlock_view *view)
{
    return fs_load_relaxed(&view->writer) == fs_thread_id();
}

/* Notes whom the lock prefers. Returns false when the attributes are not valid. */
bool fs_rwlock_set_preference(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr);

#endif
