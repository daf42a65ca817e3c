/* SPDX-License-Identifier: MIT */
/* The mutex calls. Lock and unlock begin with fs_mutex_take_free and fs_mutex_give_free of
   lock/mutex.h; what they leave is settled by kind in lock/mutex.c or handed to the C library. */
#include <errno.h>
#include <string.h>

#include "interpose/attributes.h"
#include "interpose/calls.h"
#include "interpose/divert.h"
#include "interpose/export.h"
#include "interpose/libc.h"
#include "interpose/view.h"

FS_ATTRIBUTE(pthread_mutexattr_gettype);
FS_ATTRIBUTE(pthread_mutexattr_getpshared);
FS_ATTRIBUTE(pthread_mutexattr_getprotocol);
FS_ATTRIBUTE(pthread_mutexattr_getrobust);

/* FASTSYNC_PI=1: a private mutex becomes one with priority inheritance at its first use, before
   anybody can hold it, so that the C library takes it for one too. */
static uint32_t make_inheriting(struct fs_mutex *m, uint32_t kind)
{
    uint32_t old = kind;

    if (kind == FS_KIND_DESTROYED || (kind & ~(FS_KIND_TYPE_MASK | FS_KIND_ELISION)) != 0 ||
        (kind & FS_KIND_TYPE_MASK) == FS_KIND_ADAPTIVE)
        return kind;
    fs_cas_relaxed(&m->kind, &old, (kind & FS_KIND_TYPE_MASK) | FS_KIND_PI | FS_KIND_MADE_PI);
    return fs_mutex_kind(m);
}

/* The kind by which our engines treat the mutex. Returns false when it is the C library's. */
static bool settle_kind(struct fs_mutex *m, uint32_t *kind)
{
    uint32_t bits = fs_decide();

    *kind = fs_mutex_kind(m);
    if (bits & FS_DIVERT_LIBC)
        return false;
    if (!fs_kind_is_known(*kind))
        *kind = FS_KIND_DESTROYED;
    if (bits & FS_DIVERT_PI)
        *kind = make_inheriting(m, *kind);
    return *kind == FS_KIND_DESTROYED || !(*kind & FS_KIND_LIBCS);
}

/* Of a kind that our engines know, with nothing to be asked first. `kind` has the bits of
   fs_divert in it; a destroyed mutex has all bits. */
FS_ALWAYS_INLINE bool is_plainly_ours(uint32_t kind)
{
    return kind < FS_DIVERT_UNDECIDED && !(kind & FS_KIND_LIBCS) && fs_kind_is_known(kind);
}

static FS_COLD int lock_settled(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind;

    if (!settle_kind(m, &kind))
        return FS_HAND_OVER(mutex_lock, mutex);
    return fs_mutex_acquire(m, kind, FS_WAIT_FOREVER, NULL);
}

static FS_NOINLINE int lock_slow(pthread_mutex_t *mutex, uint32_t kind)
{
    struct fs_mutex *m = fs_view_mutex(mutex);

    if (FS_UNLIKELY(!is_plainly_ours(kind)))
        return lock_settled(mutex);
    if ((kind & (FS_KIND_ROBUST | FS_KIND_PI)) == FS_KIND_ROBUST)
        return fs_robust_acquire(m, kind, FS_WAIT_FOREVER, NULL);
    return fs_mutex_acquire(m, kind, FS_WAIT_FOREVER, NULL);
}

int fs_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind = fs_mutex_kind(m) | fs_divert_bits();

    if (FS_LIKELY(fs_mutex_take_free(m, kind)))
        return 0;
    return lock_slow(mutex, kind);
}
FS_EXPORT_VERSIONS(pthread_mutex_lock)

static FS_NOINLINE int trylock_slow(pthread_mutex_t *mutex, uint32_t kind)
{
    struct fs_mutex *m = fs_view_mutex(mutex);

    if (!is_plainly_ours(kind) && !settle_kind(m, &kind))
        return FS_HAND_OVER(mutex_trylock, mutex);
    return fs_mutex_acquire(m, kind, FS_WAIT_NEVER, NULL);
}

int fs_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind = fs_mutex_kind(m) | fs_divert_bits();

    if (FS_LIKELY(kind == FS_KIND_NORMAL) && fs_word_lock_try_free_private(&m->word)) {
        fs_store_relaxed(&m->owner, fs_thread_id_known());
        return 0;
    }
    return trylock_slow(mutex, kind);
}
FS_EXPORT_VERSIONS(pthread_mutex_trylock)

int fs_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *abstime)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    struct fs_deadline deadline;
    uint32_t kind;

    if (!settle_kind(m, &kind))
        return FS_HAND_OVER(mutex_timedlock, mutex, abstime);
    return fs_mutex_acquire(m, kind, FS_WAIT_UNTIL,
                            fs_deadline_of(CLOCK_REALTIME, abstime, &deadline));
}
FS_EXPORT_VERSIONS(pthread_mutex_timedlock)

int fs_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                               const struct timespec *abstime)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    struct fs_deadline deadline;
    uint32_t kind;

    if (!settle_kind(m, &kind))
        return FS_HAND_OVER(mutex_clocklock, mutex, clock, abstime);
    if (!fs_clock_is_supported(clock))
        return EINVAL;
    return fs_mutex_acquire(m, kind, FS_WAIT_UNTIL, fs_deadline_of(clock, abstime, &deadline));
}
FS_EXPORT_VERSIONS(pthread_mutex_clocklock)

static FS_COLD int unlock_settled(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind;

    if (!settle_kind(m, &kind))
        return FS_HAND_OVER(mutex_unlock, mutex);
    return fs_mutex_release(m, kind);
}

static FS_NOINLINE int unlock_slow(pthread_mutex_t *mutex, uint32_t kind)
{
    struct fs_mutex *m = fs_view_mutex(mutex);

    if (FS_UNLIKELY(!is_plainly_ours(kind)))
        return unlock_settled(mutex);
    if ((kind & (FS_KIND_ROBUST | FS_KIND_PI)) == FS_KIND_ROBUST)
        return fs_robust_release(m, kind);
    return fs_mutex_release(m, kind);
}

static FS_NOINLINE int unlock_contended(struct fs_mutex *m)
{
    fs_mutex_release_private_slow(m, true);
    return 0;
}

int fs_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind = fs_mutex_kind(m) | fs_divert_bits();
    int given = fs_mutex_give_free(m, kind);

    if (FS_LIKELY(given >= 0))
        return given;
    return given == FS_GIVE_CONTENDED ? unlock_contended(m) : unlock_slow(mutex, kind);
}
FS_EXPORT_VERSIONS(pthread_mutex_unlock)

/* The kind that an attribute object asks for; false: the attributes are not valid. */
static bool kind_from_attributes(const pthread_mutexattr_t *attr, uint32_t *kind)
{
    int type = PTHREAD_MUTEX_NORMAL;
    int protocol = PTHREAD_PRIO_NONE;
    int shared = PTHREAD_PROCESS_PRIVATE;
    int robust = PTHREAD_MUTEX_STALLED;

    if (pthread_mutexattr_gettype(attr, &type) != 0 ||
        pthread_mutexattr_getprotocol(attr, &protocol) != 0 ||
        pthread_mutexattr_getpshared(attr, &shared) != 0 ||
        pthread_mutexattr_getrobust(attr, &robust) != 0)
        return false;
    *kind = (uint32_t)type & FS_KIND_TYPE_MASK;
    if (robust == PTHREAD_MUTEX_ROBUST)
        *kind |= FS_KIND_ROBUST | FS_KIND_SHARED; /* as in the C library: robust implies shared */
    if (protocol == PTHREAD_PRIO_INHERIT)
        *kind |= FS_KIND_PI;
    if (protocol == PTHREAD_PRIO_PROTECT)
        *kind |= FS_KIND_LIBCS;
    if (shared == PTHREAD_PROCESS_SHARED)
        *kind |= FS_KIND_SHARED;
    return true;
}

int fs_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind = FS_KIND_NORMAL;

    if (fs_is_away())
        return FS_HAND_OVER(mutex_init, mutex, attr);
    if (attr) {
        if (!kind_from_attributes(attr, &kind))
            return EINVAL;
        if (fs_kind_is_handed_over(kind))
            return FS_HAND_OVER(mutex_init, mutex, attr);
        if (kind & FS_KIND_PI && !fs_system_has(FS_FEATURE_PI))
            return ENOTSUP;
    }
    memset(mutex, 0, sizeof *mutex);
    fs_store_relaxed(&m->kind, kind);
    return 0;
}
FS_EXPORT_VERSIONS(pthread_mutex_init)

int fs_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind;

    if (!settle_kind(m, &kind))
        return FS_HAND_OVER(mutex_destroy, mutex);
    return fs_retire(m, kind);
}
FS_EXPORT_VERSIONS(pthread_mutex_destroy)

int fs_pthread_mutex_consistent(pthread_mutex_t *mutex)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind;

    if (!settle_kind(m, &kind))
        return FS_HAND_OVER(mutex_consistent, mutex);
    return fs_mutex_make_consistent(m, kind);
}
FS_EXPORT_VERSIONS(pthread_mutex_consistent)

int fs_pthread_mutex_getprioceiling(const pthread_mutex_t *mutex, int *ceiling)
{
    uint32_t kind;

    if (settle_kind(fs_view_mutex(mutex), &kind))
        return EINVAL; /* none of ours has a ceiling */
    return FS_HAND_OVER(mutex_getprioceiling, mutex, ceiling);
}
FS_EXPORT_VERSIONS(pthread_mutex_getprioceiling)

int fs_pthread_mutex_setprioceiling(pthread_mutex_t *mutex, int ceiling, int *old)
{
    uint32_t kind;

    if (settle_kind(fs_view_mutex(mutex), &kind))
        return EINVAL;
    return FS_HAND_OVER(mutex_setprioceiling, mutex, ceiling, old);
}
FS_EXPORT_VERSIONS(pthread_mutex_setprioceiling)
