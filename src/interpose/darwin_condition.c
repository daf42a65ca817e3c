/* SPDX-License-Identifier: MIT */
/* The condition variable calls of macOS: whose object it is, with which mutex, and where a
   cancellation is acted upon. The wait itself is lock/wait.c's. A condition variable of
   libpthread's, such as a process-shared one, needs a mutex of libpthread's; ours can be used with
   either. */
#include <errno.h>
#include <string.h>

#include "interpose/darwin_calls.h"
#include "interpose/darwin_export.h"
#include "interpose/view_darwin.h"
#include "lock/condition_thread.h"
#include "lock/wait.h"

FS_ALWAYS_INLINE bool is_ours(const pthread_cond_t *cond)
{
    return fs_object_settle(cond, FS_OUR_COND, FS_STATIC_COND);
}

static int acquire(struct fs_mutex *m)
{
    return fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL);
}

static int release(struct fs_mutex *m)
{
    return fs_mutex_release(m, fs_mutex_kind(m));
}

/* A mutex of libpthread's as a wait takes it: of a kind whose word nobody looks at. */
struct stand_in {
    struct fs_mutex mutex;
    pthread_mutex_t *original;
};

static int acquire_original(struct fs_mutex *m)
{
    return pthread_mutex_lock(((struct stand_in *)(void *)m)->original);
}

static int release_original(struct fs_mutex *m)
{
    return pthread_mutex_unlock(((struct stand_in *)(void *)m)->original);
}

static int wait_once(pthread_cond_t *cond, pthread_mutex_t *mutex, struct fs_waiter *who,
                     const struct fs_deadline *deadline)
{
    struct stand_in stand_in = {.original = mutex};
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind;

    who->acquire = acquire;
    who->release = release;
    if (!fs_mutex_settle(mutex, &kind)) {
        fs_store_relaxed(&stand_in.mutex.kind, FS_KIND_LIBCS);
        m = &stand_in.mutex;
        who->acquire = acquire_original;
        who->release = release_original;
    }
    return fs_wait_once(fs_view_cond(cond), m, who, deadline);
}

/* Names the thread also where it is not to be cancelled: pthread_cond_signal_thread_np looks for
   it. An interruption is a spurious wake-up then. */
static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex,
                      const struct fs_deadline *deadline)
{
    struct fs_waiter who = {.thread = pthread_self()};
    int err;

    do {
        who.epoch = fs_wait_epoch_now();
        err = wait_once(cond, mutex, &who, deadline);
    } while (err == FS_WAIT_NOT_BEGUN);
    return err == ECANCELED ? 0 : err;
}

static int wait_with_cancellation(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct fs_deadline *deadline)
{
    struct fs_waiter who = {.thread = pthread_self()};
    int type = PTHREAD_CANCEL_DEFERRED;
    int err;

    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type); /* not amid our instructions */
    do {
        who.epoch = fs_wait_epoch_now();
        pthread_testcancel();
        err = wait_once(cond, mutex, &who, deadline);
    } while (err == FS_WAIT_NOT_BEGUN);
    if (err == ECANCELED) {
        /* What the caller waits for may have come: with cancellation disabled this is a spurious
           wake-up. */
        pthread_testcancel();
        err = 0;
    }
    if (type != PTHREAD_CANCEL_DEFERRED)
        pthread_setcanceltype(type, &type);
    return err;
}

int fs_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!is_ours(cond))
        return pthread_cond_wait(cond, mutex);
    return wait_with_cancellation(cond, mutex, NULL);
}
FS_INTERPOSE(pthread_cond_wait)

int pthread_cond_wait_nocancel(pthread_cond_t *cond,
                               pthread_mutex_t *mutex) __asm__("_pthread_cond_wait$NOCANCEL");

int fs_pthread_cond_wait_nocancel(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!is_ours(cond))
        return pthread_cond_wait_nocancel(cond, mutex);
    return wait_until(cond, mutex, NULL);
}
FS_INTERPOSE(pthread_cond_wait_nocancel)

int fs_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                              const struct timespec *abstime)
{
    struct fs_deadline deadline;
    const struct fs_deadline *until = fs_deadline_of(CLOCK_REALTIME, abstime, &deadline);

    if (!is_ours(cond))
        return pthread_cond_timedwait(cond, mutex, abstime);
    if (until && !fs_deadline_is_valid(until))
        return EINVAL;
    return wait_with_cancellation(cond, mutex, until);
}
FS_INTERPOSE(pthread_cond_timedwait)

int pthread_cond_timedwait_nocancel(
    pthread_cond_t *cond, pthread_mutex_t *mutex,
    const struct timespec *abstime) __asm__("_pthread_cond_timedwait$NOCANCEL");

int fs_pthread_cond_timedwait_nocancel(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                       const struct timespec *abstime)
{
    struct fs_deadline deadline;
    const struct fs_deadline *until = fs_deadline_of(CLOCK_REALTIME, abstime, &deadline);

    if (!is_ours(cond))
        return pthread_cond_timedwait_nocancel(cond, mutex, abstime);
    if (until && !fs_deadline_is_valid(until))
        return EINVAL;
    return wait_until(cond, mutex, until);
}
FS_INTERPOSE(pthread_cond_timedwait_nocancel)

/* A moment so far from now; one that no clock reaches is the last that can be told. */
static struct fs_deadline deadline_after(const struct timespec *timeout)
{
    struct fs_deadline at = fs_system_now(FS_CLOCK_MONOTONIC);

    at.nsec += timeout->tv_nsec;
    if (at.nsec >= FS_NSEC_PER_SEC) {
        at.nsec -= FS_NSEC_PER_SEC;
        at.sec++;
    }
    if (__builtin_add_overflow(at.sec, (int64_t)timeout->tv_sec, &at.sec))
        at.sec = INT64_MAX;
    return at;
}

int fs_pthread_cond_timedwait_relative_np(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                          const struct timespec *timeout)
{
    struct fs_deadline deadline;

    if (!is_ours(cond))
        return pthread_cond_timedwait_relative_np(cond, mutex, timeout);
    if (!timeout)
        return wait_with_cancellation(cond, mutex, NULL);
    if (timeout->tv_nsec < 0 || timeout->tv_nsec >= FS_NSEC_PER_SEC)
        return EINVAL;
    deadline = deadline_after(timeout);
    return wait_with_cancellation(cond, mutex, &deadline);
}
FS_INTERPOSE(pthread_cond_timedwait_relative_np)

int fs_pthread_cond_signal(pthread_cond_t *cond)
{
    if (!is_ours(cond))
        return pthread_cond_signal(cond);
    fs_condition_signal(fs_view_cond(cond));
    return 0;
}
FS_INTERPOSE(pthread_cond_signal)

/* No thread: any. */
int fs_pthread_cond_signal_thread_np(pthread_cond_t *cond, pthread_t thread)
{
    if (!is_ours(cond))
        return pthread_cond_signal_thread_np(cond, thread);
    if (thread)
        fs_condition_signal_thread(fs_view_cond(cond), thread);
    else
        fs_condition_signal(fs_view_cond(cond));
    return 0;
}
FS_INTERPOSE(pthread_cond_signal_thread_np)

int fs_pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (!is_ours(cond))
        return pthread_cond_broadcast(cond);
    fs_condition_broadcast(fs_view_cond(cond));
    return 0;
}
FS_INTERPOSE(pthread_cond_broadcast)

int fs_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    int shared = PTHREAD_PROCESS_PRIVATE;

    if (fs_is_away())
        return pthread_cond_init(cond, attr);
    if (attr && pthread_condattr_getpshared(attr, &shared) != 0)
        return EINVAL;
    if (shared == PTHREAD_PROCESS_SHARED)
        return pthread_cond_init(cond, attr);
    memset(cond, 0, sizeof *cond);
    fs_store_release(fs_signature(cond), FS_OUR_COND);
    return 0;
}
FS_INTERPOSE(pthread_cond_init)

/* Nothing of ours is in a condition variable: its waiters find their way out without it. */
int fs_pthread_cond_destroy(pthread_cond_t *cond)
{
    if (!is_ours(cond))
        return pthread_cond_destroy(cond);
    fs_store_release(fs_signature(cond), FS_NO_SIGNATURE);
    return 0;
}
FS_INTERPOSE(pthread_cond_destroy)
