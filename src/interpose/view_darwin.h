/* SPDX-License-Identifier: MIT */
/* The objects of macOS's pthreads as ours see them: a signature in the first word says whose an
   object is. One that was initialised statically is zero behind its signature, so exchanging the
   signature makes it ours; an object with any other signature is libpthread's, whole. This is the
   only place that knows both layouts. */
#ifndef FS_INTERPOSE_VIEW_DARWIN_H
#define FS_INTERPOSE_VIEW_DARWIN_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "interpose/clock.h"
#include "interpose/divert.h"
#include "lock/condition.h"
#include "lock/mutex.h"
#include "lock/rwlock.h"

/* Apple's, of static initialisers. */
#define FS_STATIC_MUTEX 0x32aaaba7u
#define FS_STATIC_MUTEX_ERRORCHECK 0x32aaaba1u
#define FS_STATIC_MUTEX_RECURSIVE 0x32aaaba2u
#define FS_STATIC_MUTEX_FIRSTFIT 0x32aaaba3u
#define FS_STATIC_COND 0x3cb0b1bbu
#define FS_STATIC_RWLOCK 0x2da8b3b4u

/* Ours. A mutex's has its type in the lowest bits, as the kind of lock/mutex.h has. */
#define FS_OUR_MUTEX 0x46534d00u
#define FS_OUR_COND 0x46534356u
#define FS_OUR_RWLOCK 0x46535257u

#define FS_NO_SIGNATURE 0u /* of a destroyed object */

/* Only the alignment of a 32-bit word may be assumed of an object. */
#define FS_PLACE(object) (((uintptr_t)(object) + 4 + 7) & ~(uintptr_t)7)
#define FS_FITS(ours, theirs) (sizeof(ours) + 8 <= sizeof(theirs) && _Alignof(ours) <= 8)

/* A reader-writer lock of ours. */
struct fs_rwlock_view {
    struct fs_rwlock lock;
    fs_word writer; /* id of the thread that holds the lock for writing */
};

_Static_assert(sizeof(pthread_mutex_t) == 64, "libpthread's mutex");
_Static_assert(sizeof(pthread_cond_t) == 48, "libpthread's condition variable");
_Static_assert(sizeof(pthread_rwlock_t) == 200, "libpthread's rwlock");
_Static_assert(FS_FITS(struct fs_mutex, pthread_mutex_t), "our mutex is too large");
_Static_assert(FS_FITS(struct fs_condition, pthread_cond_t), "our condition variable is too large");
_Static_assert(FS_FITS(struct fs_rwlock_view, pthread_rwlock_t), "our rwlock is too large");

FS_ALWAYS_INLINE fs_word *fs_signature(const void *object)
{
    return (fs_word *)(uintptr_t)object;
}

FS_ALWAYS_INLINE struct fs_mutex *fs_view_mutex(const pthread_mutex_t *mutex)
{
    return (struct fs_mutex *)FS_PLACE(mutex);
}

FS_ALWAYS_INLINE struct fs_condition *fs_view_cond(const pthread_cond_t *cond)
{
    return (struct fs_condition *)FS_PLACE(cond);
}

FS_ALWAYS_INLINE struct fs_rwlock_view *fs_view_rwlock(const pthread_rwlock_t *lock)
{
    return (struct fs_rwlock_view *)FS_PLACE(lock);
}

/* Whether the mutex is ours, also from now on; then its kind. Pairs (acquire) with the exchange of
   the signature. */
bool fs_mutex_settle(const pthread_mutex_t *mutex, uint32_t *kind);

/* Whether an object is ours, also from now on: it has our signature, or the static one given and
   nobody has switched the library off. */
FS_ALWAYS_INLINE bool fs_object_settle(const void *object, uint32_t ours, uint32_t initial)
{
    uint32_t found = fs_load_acquire(fs_signature(object));

    if (FS_LIKELY(found == ours))
        return true;
    if (found != initial || fs_is_away())
        return false;
    /* Release for what nobody has written yet: all zero. */
    return fs_cas_release(fs_signature(object), &found, ours) || found == ours;
}

#endif
