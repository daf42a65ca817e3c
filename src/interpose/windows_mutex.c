/* SPDX-License-Identifier: MIT */
/* The mutex calls of winpthreads. Lock and unlock begin with fs_mutex_take_free and
   fs_mutex_give_free of lock/mutex.h; what they leave goes to lock/mutex.c or, for a mutex that is
   winpthreads', to the function that stood in this place. Results are winpthreads': a typed mutex
   that nobody holds gives EINVAL to an unlock, and any mutex may be destroyed. */
#include <errno.h>

#include "interpose/view_windows.h"
#include "interpose/windows_pthread.h"
#include "interpose/windows_redirect.h"
#include "interpose/windows_start.h"
#include "interpose/windows_time.h"

/* Of a pthread_mutexattr_t, besides the type. */
#define ATTR_TYPE 3u
#define ATTR_SHARED 4u

/* The mutex if it is ours already, else null. */
FS_ALWAYS_INLINE struct fs_mutex *look(const pthread_mutex_t *mutex)
{
    uintptr_t handle = fs_handle_load(mutex);

    return FS_LIKELY(fs_handle_is_ours(handle)) ? &fs_handle_object(handle)->mutex : NULL;
}

/* Also the first use of one that was initialised statically. */
static struct fs_mutex *settle(const pthread_mutex_t *mutex, int *err)
{
    union fs_pool_object *object = fs_handle_settle(mutex, FS_POOL_MUTEX, err);

    return object ? &object->mutex : NULL;
}

static FS_NOINLINE int lock_slow(pthread_mutex_t *mutex)
{
    int err;
    struct fs_mutex *m = settle(mutex, &err);

    if (m)
        return fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL);
    return err == FS_HANDLE_THEIRS ? FS_ORIGINAL(pthread_mutex_lock)(mutex) : err;
}

int fs_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = look(mutex);

    if (FS_LIKELY(m != NULL) && FS_LIKELY(fs_mutex_take_free(m, fs_mutex_kind(m))))
        return 0;
    return lock_slow(mutex);
}

int fs_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = look(mutex);
    int err;

    if (FS_LIKELY(m != NULL) && FS_LIKELY(fs_mutex_take_free(m, fs_mutex_kind(m))))
        return 0;
    m = settle(mutex, &err);
    if (m)
        return fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_NEVER, NULL);
    return err == FS_HANDLE_THEIRS ? FS_ORIGINAL(pthread_mutex_trylock)(mutex) : err;
}

/* Null: for ever. */
static int lock_until(struct fs_mutex *m, const struct fs_deadline *deadline)
{
    return fs_mutex_acquire(m, fs_mutex_kind(m), deadline ? FS_WAIT_UNTIL : FS_WAIT_FOREVER,
                            deadline);
}

#define TIMEDLOCK(name, type)                                                                      \
    int fs_##name(pthread_mutex_t *mutex, const struct type *at)                                   \
    {                                                                                              \
        struct fs_deadline deadline;                                                               \
        int err;                                                                                   \
        struct fs_mutex *m = settle(mutex, &err);                                                  \
                                                                                                   \
        if (m)                                                                                     \
            return lock_until(m, FS_TIME_AT(at, FS_CLOCK_REALTIME, &deadline));                    \
        return err == FS_HANDLE_THEIRS ? FS_ORIGINAL_LIKE(name, fs_##name)(mutex, at) : err;       \
    }

TIMEDLOCK(pthread_mutex_timedlock, timespec)
TIMEDLOCK(pthread_mutex_timedlock32, fs_timespec32)
TIMEDLOCK(pthread_mutex_timedlock64, fs_timespec64)

/* One that is of no use to anybody yet stays as it is. */
static FS_COLD int unlock_unused(pthread_mutex_t *mutex)
{
    uint32_t kind;

    if (!fs_static_mutex_kind(fs_handle_load(mutex), &kind) || fs_start_switches.off)
        return FS_ORIGINAL(pthread_mutex_unlock)(mutex);
    return kind == FS_KIND_NORMAL ? 0 : EINVAL;
}

static FS_NOINLINE int unlock_contended(struct fs_mutex *m)
{
    fs_mutex_release_private_slow(m, true);
    return 0;
}

/* By somebody who does not hold a mutex that looks at its owner. */
static FS_COLD int refuse(const struct fs_mutex *m)
{
    return fs_lock_is_held(fs_load_relaxed(&m->word)) ? EPERM : EINVAL;
}

int fs_mutex_unlock(struct fs_mutex *m)
{
    int given = fs_mutex_give_free(m, fs_mutex_kind(m));

    if (FS_LIKELY(given == 0))
        return 0;
    return given == FS_GIVE_CONTENDED ? unlock_contended(m) : refuse(m);
}

int fs_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = look(mutex);

    return FS_LIKELY(m != NULL) ? fs_mutex_unlock(m) : unlock_unused(mutex);
}

static uint32_t kind_of_type(unsigned type)
{
    switch (type) {
    case PTHREAD_MUTEX_ERRORCHECK:
        return FS_KIND_ERRORCHECK;
    case PTHREAD_MUTEX_RECURSIVE:
        return FS_KIND_RECURSIVE;
    default:
        return FS_KIND_NORMAL;
    }
}

int fs_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
    unsigned bits = attr ? *attr : PTHREAD_MUTEX_NORMAL;
    union fs_pool_object *object;

    if (fs_start_switches.off)
        return FS_ORIGINAL(pthread_mutex_init)(mutex, attr);
    if (bits & ATTR_SHARED)
        return ENOSYS;
    object = fs_pool_take(FS_POOL_MUTEX);
    if (!object)
        return ENOMEM;
    fs_store_relaxed(&object->mutex.kind, kind_of_type(bits & ATTR_TYPE));
    fs_handle_store(mutex, fs_handle_to(object));
    return 0;
}

int fs_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    uintptr_t handle = fs_handle_load(mutex);
    uint32_t kind;

    if (fs_handle_is_ours(handle))
        fs_handle_retire(mutex, FS_POOL_MUTEX, handle);
    else if (!fs_static_mutex_kind(handle, &kind) || fs_start_switches.off)
        return FS_ORIGINAL(pthread_mutex_destroy)(mutex);
    return 0;
}
