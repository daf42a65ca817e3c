/* SPDX-License-Identifier: MIT */
/* The reader-writer lock calls: whose object it is, whom it prefers, and the writer that asks
   again. Process-shared ones are the C library's. */
#include <errno.h>
#include <string.h>

#include "interpose/attributes.h"
#include "interpose/calls.h"
#include "interpose/divert.h"
#include "interpose/export.h"
#include "interpose/libc.h"
#include "interpose/view.h"

FS_ATTRIBUTE(pthread_rwlockattr_getpshared);

FS_ALWAYS_INLINE bool is_handed_over(const pthread_rwlock_t *lock)
{
    return FS_UNLIKELY(fs_is_away()) || FS_UNLIKELY(fs_rwlock_is_shared(lock));
}

/* Nothing has to be looked up or asked first. */
FS_ALWAYS_INLINE bool is_plainly_ours(const pthread_rwlock_t *lock)
{
    return (fs_divert_bits() & (FS_DIVERT_AWAY | FS_DIVERT_EARLY)) == 0 &&
           !fs_rwlock_is_shared(lock);
}

static bool is_valid(const struct fs_deadline *deadline)
{
    return !deadline || fs_deadline_is_valid(deadline);
}

static int read_until(pthread_rwlock_t *lock, const struct fs_deadline *deadline)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);

    if (fs_rwlock_is_writer(view))
        return EDEADLK;
    return fs_rwlock_read(fs_rwlock_in(view), fs_rwlock_preference(lock), deadline);
}

static int write_until(pthread_rwlock_t *lock, const struct fs_deadline *deadline)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);
    int err;

    if (fs_rwlock_is_writer(view))
        return EDEADLK;
    err = fs_rwlock_write(fs_rwlock_in(view), fs_rwlock_preference(lock), deadline);
    if (err == 0)
        fs_store_relaxed(&view->writer, fs_thread_id());
    return err;
}

static FS_NOINLINE int read_slow(pthread_rwlock_t *lock)
{
    return is_handed_over(lock) ? FS_HAND_OVER(rwlock_rdlock, lock) : read_until(lock, NULL);
}

int fs_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    if (FS_LIKELY(is_plainly_ours(lock)) &&
        FS_LIKELY(fs_rwlock_read_fast(fs_rwlock_in(fs_view_rwlock(lock)))))
        return 0;
    return read_slow(lock);
}
FS_EXPORT_VERSIONS(pthread_rwlock_rdlock)

int fs_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    if (is_handed_over(lock))
        return FS_HAND_OVER(rwlock_tryrdlock, lock);
    return fs_rwlock_try_read(fs_rwlock_in(fs_view_rwlock(lock)), fs_rwlock_preference(lock));
}
FS_EXPORT_VERSIONS(pthread_rwlock_tryrdlock)

int fs_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *abstime)
{
    struct fs_deadline deadline;
    const struct fs_deadline *until;

    if (is_handed_over(lock))
        return FS_HAND_OVER(rwlock_timedrdlock, lock, abstime);
    until = fs_deadline_of(CLOCK_REALTIME, abstime, &deadline);
    return is_valid(until) ? read_until(lock, until) : EINVAL;
}
FS_EXPORT_VERSIONS(pthread_rwlock_timedrdlock)

int fs_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                  const struct timespec *abstime)
{
    struct fs_deadline deadline;
    const struct fs_deadline *until;

    if (is_handed_over(lock))
        return FS_HAND_OVER(rwlock_clockrdlock, lock, clock, abstime);
    if (!fs_clock_is_supported(clock))
        return EINVAL;
    until = fs_deadline_of(clock, abstime, &deadline);
    return is_valid(until) ? read_until(lock, until) : EINVAL;
}
FS_EXPORT_VERSIONS(pthread_rwlock_clockrdlock)

static FS_NOINLINE int write_slow(pthread_rwlock_t *lock)
{
    return is_handed_over(lock) ? FS_HAND_OVER(rwlock_wrlock, lock) : write_until(lock, NULL);
}

int fs_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);

    if (FS_LIKELY(is_plainly_ours(lock)) && FS_LIKELY(fs_rwlock_write_fast(fs_rwlock_in(view)))) {
        fs_store_relaxed(&view->writer, fs_thread_id_known());
        return 0;
    }
    return write_slow(lock);
}
FS_EXPORT_VERSIONS(pthread_rwlock_wrlock)

int fs_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);
    int err;

    if (is_handed_over(lock))
        return FS_HAND_OVER(rwlock_trywrlock, lock);
    err = fs_rwlock_try_write(fs_rwlock_in(view));
    if (err == 0)
        fs_store_relaxed(&view->writer, fs_thread_id());
    return err;
}
FS_EXPORT_VERSIONS(pthread_rwlock_trywrlock)

int fs_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *abstime)
{
    struct fs_deadline deadline;
    const struct fs_deadline *until;

    if (is_handed_over(lock))
        return FS_HAND_OVER(rwlock_timedwrlock, lock, abstime);
    until = fs_deadline_of(CLOCK_REALTIME, abstime, &deadline);
    return is_valid(until) ? write_until(lock, until) : EINVAL;
}
FS_EXPORT_VERSIONS(pthread_rwlock_timedwrlock)

int fs_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                  const struct timespec *abstime)
{
    struct fs_deadline deadline;
    const struct fs_deadline *until;

    if (is_handed_over(lock))
        return FS_HAND_OVER(rwlock_clockwrlock, lock, clock, abstime);
    if (!fs_clock_is_supported(clock))
        return EINVAL;
    until = fs_deadline_of(clock, abstime, &deadline);
    return is_valid(until) ? write_until(lock, until) : EINVAL;
}
FS_EXPORT_VERSIONS(pthread_rwlock_clockwrlock)

/* A writer inside is the one that leaves: with one, nobody else is there. Returns whether there is.
 */
FS_ALWAYS_INLINE bool forget_writer(struct fs_rwlock_view *view)
{
    if (fs_load_relaxed(&view->writer) == 0)
        return false;
    fs_store_relaxed(&view->writer, 0);
    return true;
}

static FS_NOINLINE int unlock_slow(pthread_rwlock_t *lock)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);

    if (is_handed_over(lock))
        return FS_HAND_OVER(rwlock_unlock, lock);
    forget_writer(view);
    fs_rwlock_release(fs_rwlock_in(view), fs_rwlock_preference(lock));
    return 0;
}

int fs_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    struct fs_rwlock_view *view = fs_view_rwlock(lock);

    if (FS_LIKELY(is_plainly_ours(lock)) &&
        FS_LIKELY(fs_rwlock_release_fast(fs_rwlock_in(view), forget_writer(view))))
        return 0;
    return unlock_slow(lock);
}
FS_EXPORT_VERSIONS(pthread_rwlock_unlock)

int fs_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr)
{
    int shared = PTHREAD_PROCESS_PRIVATE;

    if (fs_is_away())
        return FS_HAND_OVER(rwlock_init, lock, attr);
    if (attr) {
        if (pthread_rwlockattr_getpshared(attr, &shared) != 0)
            return EINVAL;
        if (shared == PTHREAD_PROCESS_SHARED)
            return FS_HAND_OVER(rwlock_init, lock, attr);
    }
    memset(lock, 0, sizeof *lock);
    return fs_rwlock_set_preference(lock, attr) ? 0 : EINVAL;
}
FS_EXPORT_VERSIONS(pthread_rwlock_init)

int fs_pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
    if (is_handed_over(lock))
        return FS_HAND_OVER(rwlock_destroy, lock);
    return 0;
}
FS_EXPORT_VERSIONS(pthread_rwlock_destroy)
