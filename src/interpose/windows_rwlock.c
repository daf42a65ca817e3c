/* SPDX-License-Identifier: MIT */
/* The reader-writer lock calls of winpthreads: whose object it is, and the writer that asks again.
   A waiting writer keeps new readers out, as there. Results are winpthreads': EINVAL for what was
   destroyed, and 0 for an unlock by whoever. Where a thread would wait for itself for ever it gets
   EDEADLK. */
#include <errno.h>
#include <stddef.h>

#include "interpose/view_windows.h"
#include "interpose/windows_pthread.h"
#include "interpose/windows_redirect.h"
#include "interpose/windows_start.h"
#include "interpose/windows_time.h"

#define PREFERENCE FS_RW_PREFER_WRITERS

FS_ALWAYS_INLINE struct fs_rwlock_object *look(const pthread_rwlock_t *lock)
{
    uintptr_t handle = fs_handle_load(lock);

    return FS_LIKELY(fs_handle_is_ours(handle)) ? &fs_handle_object(handle)->rwlock : NULL;
}

static struct fs_rwlock_object *settle(const pthread_rwlock_t *lock, int *err)
{
    union fs_pool_object *object = fs_handle_settle(lock, FS_POOL_RWLOCK, err);

    return object ? &object->rwlock : NULL;
}

/* Only the caller writes its own id there. */
FS_ALWAYS_INLINE bool is_writer(const struct fs_rwlock_object *object)
{
    return fs_load_relaxed(&object->writer) == fs_thread_id();
}

static int entered_as_writer(struct fs_rwlock_object *object, int err)
{
    if (err == 0)
        fs_store_relaxed(&object->writer, fs_thread_id());
    return err;
}

static int read(struct fs_rwlock_object *object)
{
    return is_writer(object) ? EDEADLK : fs_rwlock_read(&object->lock, PREFERENCE, NULL);
}

static int write(struct fs_rwlock_object *object)
{
    if (is_writer(object))
        return EDEADLK;
    return entered_as_writer(object, fs_rwlock_write(&object->lock, PREFERENCE, NULL));
}

static FS_NOINLINE int read_slow(pthread_rwlock_t *lock)
{
    int err;
    struct fs_rwlock_object *object = settle(lock, &err);

    if (object)
        return read(object);
    return err == FS_HANDLE_THEIRS ? FS_ORIGINAL(pthread_rwlock_rdlock)(lock) : err;
}

int fs_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_object *object = look(lock);

    if (FS_LIKELY(object != NULL) && FS_LIKELY(fs_rwlock_read_fast(&object->lock)))
        return 0;
    return read_slow(lock);
}

int fs_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    int err;
    struct fs_rwlock_object *object = settle(lock, &err);

    if (object)
        return fs_rwlock_try_read(&object->lock, PREFERENCE);
    return err == FS_HANDLE_THEIRS ? FS_ORIGINAL(pthread_rwlock_tryrdlock)(lock) : err;
}

static FS_NOINLINE int write_slow(pthread_rwlock_t *lock)
{
    int err;
    struct fs_rwlock_object *object = settle(lock, &err);

    if (object)
        return write(object);
    return err == FS_HANDLE_THEIRS ? FS_ORIGINAL(pthread_rwlock_wrlock)(lock) : err;
}

int fs_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_object *object = look(lock);

    if (FS_LIKELY(object != NULL) && FS_LIKELY(fs_rwlock_write_fast(&object->lock)))
        return entered_as_writer(object, 0);
    return write_slow(lock);
}

int fs_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    int err;
    struct fs_rwlock_object *object = settle(lock, &err);

    if (object)
        return entered_as_writer(object, fs_rwlock_try_write(&object->lock));
    return err == FS_HANDLE_THEIRS ? FS_ORIGINAL(pthread_rwlock_trywrlock)(lock) : err;
}

static int read_until(struct fs_rwlock_object *object, const struct fs_deadline *deadline)
{
    return deadline ? fs_rwlock_read(&object->lock, PREFERENCE, deadline) : read(object);
}

static int write_until(struct fs_rwlock_object *object, const struct fs_deadline *deadline)
{
    if (!deadline)
        return EINVAL;
    return entered_as_writer(object, fs_rwlock_write(&object->lock, PREFERENCE, deadline));
}

#define TIMED(name, type, enter_until)                                                             \
    int fs_##name(pthread_rwlock_t *lock, const struct type *at)                                   \
    {                                                                                              \
        struct fs_deadline deadline;                                                               \
        int err;                                                                                   \
        struct fs_rwlock_object *object = settle(lock, &err);                                      \
                                                                                                   \
        if (object)                                                                                \
            return enter_until(object, FS_TIME_AT(at, FS_CLOCK_REALTIME, &deadline));              \
        return err == FS_HANDLE_THEIRS ? FS_ORIGINAL_LIKE(name, fs_##name)(lock, at) : err;        \
    }

TIMED(pthread_rwlock_timedrdlock, timespec, read_until)
TIMED(pthread_rwlock_timedrdlock32, fs_timespec32, read_until)
TIMED(pthread_rwlock_timedrdlock64, fs_timespec64, read_until)
TIMED(pthread_rwlock_timedwrlock, timespec, write_until)
TIMED(pthread_rwlock_timedwrlock32, fs_timespec32, write_until)
TIMED(pthread_rwlock_timedwrlock64, fs_timespec64, write_until)

/* A writer inside is the one that leaves: with one, nobody else is there. */
static bool forget_writer(struct fs_rwlock_object *object)
{
    if (fs_load_relaxed(&object->writer) == 0)
        return false;
    fs_store_relaxed(&object->writer, 0);
    return true;
}

/* Whether the library is to answer for a lock that is not its own: one that nobody has used. */
static bool is_unused(uintptr_t handle)
{
    return handle == FS_STATIC_NORMAL && !fs_start_switches.off;
}

int fs_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    uintptr_t handle = lock ? fs_handle_load(lock) : FS_NO_HANDLE;
    struct fs_rwlock_object *object;

    if (FS_UNLIKELY(!fs_handle_is_ours(handle))) {
        if (handle == FS_NO_HANDLE)
            return EINVAL;
        return is_unused(handle) ? EPERM : FS_ORIGINAL(pthread_rwlock_unlock)(lock);
    }
    object = &fs_handle_object(handle)->rwlock;
    if (FS_UNLIKELY(!fs_rwlock_release_fast(&object->lock, forget_writer(object))))
        fs_rwlock_release(&object->lock, PREFERENCE);
    return 0;
}

/* Process-shared ones are no different there. */
int fs_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr)
{
    union fs_pool_object *object;

    if (fs_start_switches.off)
        return FS_ORIGINAL(pthread_rwlock_init)(lock, attr);
    if (!lock)
        return EINVAL;
    object = fs_pool_take(FS_POOL_RWLOCK);
    if (!object)
        return ENOMEM;
    fs_handle_store(lock, fs_handle_to(object));
    return 0;
}

int fs_pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
    uintptr_t handle = lock ? fs_handle_load(lock) : FS_NO_HANDLE;

    if (handle == FS_NO_HANDLE)
        return EINVAL;
    if (fs_handle_is_ours(handle)) {
        if (fs_rw_has_holder(fs_wide_load_relaxed(&fs_handle_object(handle)->rwlock.lock.state)))
            return EBUSY;
        return fs_handle_retire(lock, FS_POOL_RWLOCK, handle) ? 0 : EINVAL;
    }
    if (!is_unused(handle))
        return FS_ORIGINAL(pthread_rwlock_destroy)(lock);
    fs_handle_exchange(lock, &handle, FS_NO_HANDLE);
    return 0;
}
