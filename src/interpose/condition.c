/* SPDX-License-Identifier: MIT */
/* The condition variable calls: whose object it is, and where a cancellation is acted upon. The
   wait itself is lock/wait.c's. */
#include <errno.h>
#include <string.h>

#include "interpose/attributes.h"
#include "interpose/calls.h"
#include "interpose/cancel.h"
#include "interpose/divert.h"
#include "interpose/export.h"
#include "interpose/libc.h"
#include "interpose/view.h"
#include "lock/wait.h"

FS_ATTRIBUTE(pthread_condattr_getpshared);
FS_ATTRIBUTE(pthread_condattr_getclock);

static int acquire(struct fs_mutex *m)
{
    return fs_pthread_mutex_lock(fs_program_mutex(m));
}

static int release(struct fs_mutex *m)
{
    return fs_pthread_mutex_unlock(fs_program_mutex(m));
}

static int wait_private(pthread_cond_t *cond, pthread_mutex_t *mutex,
                        const struct fs_deadline *deadline)
{
    struct fs_waiter who = {.thread = fs_thread_name(), .acquire = acquire, .release = release};
    int type;
    int err;

    if (fs_cond_waits_by_protocol(cond, mutex, deadline, &err))
        return err;
    type = fs_cancel_defer();
    do {
        who.epoch = fs_wait_epoch_now();
        fs_cancel_point();
        err = fs_wait_once(&fs_view_cond(cond)->condition, fs_view_mutex(mutex), &who, deadline);
    } while (err == FS_WAIT_NOT_BEGUN);
    if (err == ECANCELED) {
        /* What the caller waits for may have come: with cancellation disabled this is a spurious
           wake-up. */
        fs_cancel_point();
        err = 0;
    }
    fs_cancel_restore(type);
    return err;
}

/* A process-shared condition variable is the C library's, and so its code will run on the mutex. */
static FS_NOINLINE bool is_handed_over(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (fs_is_away())
        return true;
    return fs_cond_is_shared(cond) && fs_libc_waits_with(fs_view_mutex(mutex));
}

int fs_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (is_handed_over(cond, mutex))
        return FS_HAND_OVER(cond_wait, cond, mutex);
    return wait_private(cond, mutex, NULL);
}
FS_EXPORT_VERSIONS(pthread_cond_wait)

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                      const struct timespec *abstime)
{
    struct fs_deadline deadline;
    const struct fs_deadline *until = fs_deadline_of(clock, abstime, &deadline);

    if (until && !fs_deadline_is_valid(until))
        return EINVAL;
    return wait_private(cond, mutex, until);
}

int fs_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                              const struct timespec *abstime)
{
    if (is_handed_over(cond, mutex))
        return FS_HAND_OVER(cond_timedwait, cond, mutex, abstime);
    return wait_until(cond, mutex, fs_cond_clock(cond), abstime);
}
FS_EXPORT_VERSIONS(pthread_cond_timedwait)

int fs_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                              const struct timespec *abstime)
{
    if (is_handed_over(cond, mutex))
        return FS_HAND_OVER(cond_clockwait, cond, mutex, clock, abstime);
    if (!fs_clock_is_supported(clock))
        return EINVAL;
    return wait_until(cond, mutex, clock, abstime);
}
FS_EXPORT_VERSIONS(pthread_cond_clockwait)

int fs_pthread_cond_signal(pthread_cond_t *cond)
{
    if (FS_UNLIKELY(fs_is_away()) || FS_UNLIKELY(fs_cond_is_shared(cond)))
        return FS_HAND_OVER(cond_signal, cond);
    fs_condition_signal(&fs_view_cond(cond)->condition);
    return 0;
}
FS_EXPORT_VERSIONS(pthread_cond_signal)

int fs_pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (FS_UNLIKELY(fs_is_away()) || FS_UNLIKELY(fs_cond_is_shared(cond)))
        return FS_HAND_OVER(cond_broadcast, cond);
    fs_condition_broadcast(&fs_view_cond(cond)->condition);
    return 0;
}
FS_EXPORT_VERSIONS(pthread_cond_broadcast)

int fs_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    int shared = PTHREAD_PROCESS_PRIVATE;
    clockid_t clock = CLOCK_REALTIME;

    if (fs_is_away())
        return FS_HAND_OVER(cond_init, cond, attr);
    if (attr) {
        if (pthread_condattr_getpshared(attr, &shared) != 0 ||
            pthread_condattr_getclock(attr, &clock) != 0)
            return EINVAL;
        if (shared == PTHREAD_PROCESS_SHARED)
            return FS_HAND_OVER(cond_init, cond, attr);
    }
    memset(cond, 0, sizeof *cond);
    fs_cond_set_clock(cond, clock);
    return 0;
}
FS_EXPORT_VERSIONS(pthread_cond_init)

/* Nothing of ours is in a condition variable: its waiters find their way out without it. */
int fs_pthread_cond_destroy(pthread_cond_t *cond)
{
    if (fs_is_away() || fs_cond_is_shared(cond))
        return FS_HAND_OVER(cond_destroy, cond);
    return 0;
}
FS_EXPORT_VERSIONS(pthread_cond_destroy)
