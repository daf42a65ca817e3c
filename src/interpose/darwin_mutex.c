/* SPDX-License-Identifier: MIT */
/* The mutex calls of macOS. Lock and unlock begin with fs_mutex_take_free and fs_mutex_give_free of
   lock/mutex.h; what they leave is settled by the signature and goes to lock/mutex.c or, for a
   mutex that is libpthread's, to the function of the same name, which this image is bound to.
   Process-shared mutexes and those with a priority protocol are libpthread's from their
   initialisation on. */
#include <errno.h>
#include <string.h>

#include "interpose/darwin_calls.h"
#include "interpose/darwin_export.h"
#include "interpose/view_darwin.h"

/* The kind that a static initialiser asks for; false: the signature is not one of them. */
static bool kind_of_static(uint32_t signature, uint32_t *kind)
{
    switch (signature) {
    case FS_STATIC_MUTEX:
    case FS_STATIC_MUTEX_FIRSTFIT:
        *kind = FS_KIND_NORMAL;
        return true;
    case FS_STATIC_MUTEX_ERRORCHECK:
        *kind = FS_KIND_ERRORCHECK;
        return true;
    case FS_STATIC_MUTEX_RECURSIVE:
        *kind = FS_KIND_RECURSIVE;
        return true;
    default:
        return false;
    }
}

FS_ALWAYS_INLINE bool is_ours(uint32_t signature)
{
    return (signature ^ FS_OUR_MUTEX) <= FS_KIND_TYPE_MASK;
}

bool fs_mutex_settle(const pthread_mutex_t *mutex, uint32_t *kind)
{
    fs_word *signature = fs_signature(mutex);
    uint32_t found = fs_load_acquire(signature);

    if (!is_ours(found)) {
        if (!kind_of_static(found, kind) || fs_is_away())
            return false;
        /* Of several threads that are here at once, all write the same. */
        fs_store_relaxed(&fs_view_mutex(mutex)->kind, *kind);
        if (fs_cas_release(signature, &found, FS_OUR_MUTEX | *kind))
            return true;
        found = fs_load_acquire(signature);
    }
    *kind = found ^ FS_OUR_MUTEX;
    return is_ours(found);
}

/* The type, above which every other signature and the bits of fs_divert come out: then the fast
   paths do nothing. */
FS_ALWAYS_INLINE uint32_t guess_kind(const pthread_mutex_t *mutex)
{
    return (fs_load_relaxed(fs_signature(mutex)) ^ FS_OUR_MUTEX) | fs_divert_bits();
}

static FS_NOINLINE int lock_slow(pthread_mutex_t *mutex)
{
    uint32_t kind;

    if (!fs_mutex_settle(mutex, &kind))
        return pthread_mutex_lock(mutex);
    return fs_mutex_acquire(fs_view_mutex(mutex), kind, FS_WAIT_FOREVER, NULL);
}

int fs_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (FS_LIKELY(fs_mutex_take_free(fs_view_mutex(mutex), guess_kind(mutex))))
        return 0;
    return lock_slow(mutex);
}
FS_INTERPOSE(pthread_mutex_lock)

int fs_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    uint32_t kind;

    if (FS_LIKELY(fs_mutex_take_free(fs_view_mutex(mutex), guess_kind(mutex))))
        return 0;
    if (!fs_mutex_settle(mutex, &kind))
        return pthread_mutex_trylock(mutex);
    return fs_mutex_acquire(fs_view_mutex(mutex), kind, FS_WAIT_NEVER, NULL);
}
FS_INTERPOSE(pthread_mutex_trylock)

static FS_NOINLINE int unlock_slow(pthread_mutex_t *mutex)
{
    uint32_t kind;

    if (!fs_mutex_settle(mutex, &kind))
        return pthread_mutex_unlock(mutex);
    return fs_mutex_release(fs_view_mutex(mutex), kind);
}

static FS_NOINLINE int unlock_contended(struct fs_mutex *m)
{
    fs_mutex_release_private_slow(m, true);
    return 0;
}

int fs_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    int given = fs_mutex_give_free(m, guess_kind(mutex));

    if (FS_LIKELY(given >= 0))
        return given;
    return given == FS_GIVE_CONTENDED ? unlock_contended(m) : unlock_slow(mutex);
}
FS_INTERPOSE(pthread_mutex_unlock)

static uint32_t kind_of_type(int type)
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
    int type = PTHREAD_MUTEX_NORMAL;
    int protocol = PTHREAD_PRIO_NONE;
    int shared = PTHREAD_PROCESS_PRIVATE;
    uint32_t kind;

    if (fs_is_away())
        return pthread_mutex_init(mutex, attr);
    if (attr && (pthread_mutexattr_gettype(attr, &type) != 0 ||
                 pthread_mutexattr_getprotocol(attr, &protocol) != 0 ||
                 pthread_mutexattr_getpshared(attr, &shared) != 0))
        return EINVAL;
    if (protocol != PTHREAD_PRIO_NONE || shared == PTHREAD_PROCESS_SHARED)
        return pthread_mutex_init(mutex, attr);
    kind = kind_of_type(type);
    memset(mutex, 0, sizeof *mutex);
    fs_store_relaxed(&fs_view_mutex(mutex)->kind, kind);
    fs_store_release(fs_signature(mutex), FS_OUR_MUTEX | kind);
    return 0;
}
FS_INTERPOSE(pthread_mutex_init)

int fs_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    uint32_t kind;
    int err;

    if (!fs_mutex_settle(mutex, &kind))
        return pthread_mutex_destroy(mutex);
    err = fs_mutex_retire(fs_view_mutex(mutex), kind);
    if (err == 0)
        fs_store_release(fs_signature(mutex), FS_NO_SIGNATURE);
    return err;
}
FS_INTERPOSE(pthread_mutex_destroy)

int fs_pthread_mutex_getprioceiling(const pthread_mutex_t *mutex, int *ceiling)
{
    uint32_t kind;

    if (fs_mutex_settle(mutex, &kind))
        return EINVAL; /* none of ours has a ceiling */
    return pthread_mutex_getprioceiling(mutex, ceiling);
}
FS_INTERPOSE(pthread_mutex_getprioceiling)

int fs_pthread_mutex_setprioceiling(pthread_mutex_t *mutex, int ceiling, int *old)
{
    uint32_t kind;

    if (fs_mutex_settle(mutex, &kind))
        return EINVAL;
    return pthread_mutex_setprioceiling(mutex, ceiling, old);
}
FS_INTERPOSE(pthread_mutex_setprioceiling)
