/* SPDX-License-Identifier: MIT */
/* The public reader-writer lock of include/fastsync/rwlock.h: the word of lock/rwlock.h with
   readers preferred. Needs neither the constructor nor the environment. */
#include <fastsync/rwlock.h>

#include <errno.h>

#include "interpose/native.h"
#include "lock/rwlock.h"

_Static_assert(sizeof(fastsync_rwlock_t) == sizeof(struct fs_rwlock) &&
                   sizeof(fastsync_rwlock_t) == 8,
               "a lock is one wide word");
_Static_assert(_Alignof(fastsync_rwlock_t) == 8 &&
                   _Alignof(struct fs_rwlock) <= _Alignof(fastsync_rwlock_t),
               "a wide word is aligned");

static struct fs_rwlock *as_lock(fastsync_rwlock_t *lock)
{
    return (struct fs_rwlock *)(void *)lock;
}

FS_EXPORT int fastsync_rwlock_rdlock(fastsync_rwlock_t *lock)
{
    if (FS_LIKELY(fs_rwlock_read_fast(as_lock(lock))))
        return 0;
    return fs_rwlock_read(as_lock(lock), FS_RW_PREFER_READERS, NULL);
}

FS_EXPORT int fastsync_rwlock_tryrdlock(fastsync_rwlock_t *lock)
{
    return fs_rwlock_try_read(as_lock(lock), FS_RW_PREFER_READERS);
}

FS_EXPORT int fastsync_rwlock_timedrdlock(fastsync_rwlock_t *lock, clockid_t clock,
                                          const struct timespec *deadline)
{
    struct fs_native_deadline d;

    if (!fs_native_deadline(clock, deadline, &d))
        return EINVAL;
    return fs_rwlock_read(as_lock(lock), FS_RW_PREFER_READERS, d.pointer);
}

FS_EXPORT int fastsync_rwlock_wrlock(fastsync_rwlock_t *lock)
{
    if (FS_LIKELY(fs_rwlock_write_fast(as_lock(lock))))
        return 0;
    return fs_rwlock_write(as_lock(lock), FS_RW_PREFER_READERS, NULL);
}

FS_EXPORT int fastsync_rwlock_trywrlock(fastsync_rwlock_t *lock)
{
    return fs_rwlock_try_write(as_lock(lock));
}

FS_EXPORT int fastsync_rwlock_timedwrlock(fastsync_rwlock_t *lock, clockid_t clock,
                                          const struct timespec *deadline)
{
    struct fs_native_deadline d;

    if (!fs_native_deadline(clock, deadline, &d))
        return EINVAL;
    return fs_rwlock_write(as_lock(lock), FS_RW_PREFER_READERS, d.pointer);
}

FS_EXPORT int fastsync_rwlock_unlock(fastsync_rwlock_t *lock)
{
    if (FS_UNLIKELY(!fs_rwlock_release_fast(as_lock(lock), false)))
        fs_rwlock_release(as_lock(lock), FS_RW_PREFER_READERS);
    return 0;
}
