/* SPDX-License-Identifier: MIT */
/* The reader-writer lock calls of macOS: whose object it is, and the writer that asks again.
   Process-shared ones are libpthread's. A waiting writer keeps new readers out, as
   pthread_rwlock_rdlock(3) says of macOS. */
#include <errno.h>
#include <string.h>

#include "interpose/darwin_calls.h"
#include "interpose/darwin_export.h"
#include "interpose/view_darwin.h"

#define PREFERENCE FS_RW_PREFER_WRITERS

FS_ALWAYS_INLINE bool is_ours(const pthread_rwlock_t *lock)
{
    return fs_object_settle(lock, FS_OUR_RWLOCK, FS_STATIC_RWLOCK);
}

/* Only the caller writes its own id there. */
FS_ALWAYS_INLINE bool is_writer(const struct fs_rwlock_view *view)
{
    return fs_load_relaxed(&view->writer) == fs_thread_id();
}

static int entered_as_writer(struct fs_rwlock_view *view, int err)
{
    if (err == 0)
        fs_store_relaxed(&view->writer, fs_thread_id());
    return err;
}

int fs_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);

    if (!is_ours(lock))
        return pthread_rwlock_rdlock(lock);
    if (FS_LIKELY(fs_rwlock_read_fast(&view->lock)))
        return 0;
    return is_writer(view) ? EDEADLK : fs_rwlock_read(&view->lock, PREFERENCE, NULL);
}
FS_INTERPOSE(pthread_rwlock_rdlock)

int fs_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    if (!is_ours(lock))
        return pthread_rwlock_tryrdlock(lock);
    return fs_rwlock_try_read(&fs_view_rwlock(lock)->lock, PREFERENCE);
}
FS_INTERPOSE(pthread_rwlock_tryrdlock)

int fs_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);

    if (!is_ours(lock))
        return pthread_rwlock_wrlock(lock);
    if (FS_LIKELY(fs_rwlock_write_fast(&view->lock)))
        return entered_as_writer(view, 0);
    if (is_writer(view))
        return EDEADLK;
    return entered_as_writer(view, fs_rwlock_write(&view->lock, PREFERENCE, NULL));
}
FS_INTERPOSE(pthread_rwlock_wrlock)

int fs_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);

    if (!is_ours(lock))
        return pthread_rwlock_trywrlock(lock);
    return entered_as_writer(view, fs_rwlock_try_write(&view->lock));
}
FS_INTERPOSE(pthread_rwlock_trywrlock)

/* A writer inside is the one that leaves: with one, nobody else is there. */
static bool forget_writer(struct fs_rwlock_view *view)
{
    if (fs_load_relaxed(&view->writer) == 0)
        return false;
    fs_store_relaxed(&view->writer, 0);
    return true;
}

static bool is_held(const struct fs_rwlock_view *view)
{
    return fs_rw_has_holder(fs_wide_load_relaxed(&view->lock.state));
}

int fs_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);

    if (!is_ours(lock))
        return pthread_rwlock_unlock(lock);
    if (!is_held(view))
        return EPERM;
    if (FS_UNLIKELY(!fs_rwlock_release_fast(&view->lock, forget_writer(view))))
        fs_rwlock_release(&view->lock, PREFERENCE);
    return 0;
}
FS_INTERPOSE(pthread_rwlock_unlock)

int fs_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr)
{
    int shared = PTHREAD_PROCESS_PRIVATE;

    if (fs_is_away())
        return pthread_rwlock_init(lock, attr);
    if (attr && pthread_rwlockattr_getpshared(attr, &shared) != 0)
        return EINVAL;
    if (shared == PTHREAD_PROCESS_SHARED)
        return pthread_rwlock_init(lock, attr);
    memset(lock, 0, sizeof *lock);
    fs_store_release(fs_signature(lock), FS_OUR_RWLOCK);
    return 0;
}
FS_INTERPOSE(pthread_rwlock_init)

int fs_pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
    if (!is_ours(lock))
        return pthread_rwlock_destroy(lock);
    if (is_held(fs_view_rwlock(lock)))
        return EBUSY;
    fs_store_release(fs_signature(lock), FS_NO_SIGNATURE);
    return 0;
}
FS_INTERPOSE(pthread_rwlock_destroy)
