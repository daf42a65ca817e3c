/* SPDX-License-Identifier: MIT */
/* The condition variable calls: whose object it is, what its mutex allows, and where a
   cancellation is acted upon. The waiting itself is lock/condition.c's.

   A wait is a cancellation point at its beginning, where the mutex is still held, and at its end,
   where it is held again: never in between, so that nothing has to be undone while the stack
   unwinds. A thread that is cancelled in between is woken by our pthread_cancel. A cancellation
   that comes between the first of these points and the queueing is noticed by fs_cancel_epoch. */
#include <errno.h>
#include <string.h>

#include "interpose/attributes.h"
#include "interpose/calls.h"
#include "interpose/cancel.h"
#include "interpose/divert.h"
#include "interpose/export.h"
#include "interpose/libc.h"
#include "interpose/view.h"

FS_ATTRIBUTE(pthread_condattr_getpshared, "GLIBC_2.2.5");
FS_ATTRIBUTE(pthread_condattr_getclock, "GLIBC_2.3.3");

struct fs_shared_mark fs_shared_mark = {.offset = 36, .mask = 1};

/* How the waiters of a mutex of this kind are queued and moved. */
struct manner {
    enum fs_table_kind table;
    enum fs_move move;
    bool counts; /* the mutex counts its waiters, so that it is not destroyed under them */
};

static struct manner manner_of(const struct fs_mutex *m, uint32_t kind)
{
    if (kind & FS_KIND_CEILING)
        return (struct manner){FS_TABLE_PLAIN, FS_MOVE_NEVER, false};
    if (kind & FS_KIND_PI) /* held more than once, it stays locked during the wait */
        return (struct manner){m->count > 1 ? FS_TABLE_PLAIN : FS_TABLE_PI, FS_MOVE_NEVER, true};
    if (fs_kind_has_private_word(kind)) {
        bool stays_locked =
            (kind & FS_KIND_TYPE_MASK) == FS_KIND_RECURSIVE && fs_mutex_is_mine(m) && m->count > 1;

        /* Nobody is moved to, or made to wait for, a mutex that a waiter itself holds. */
        return (struct manner){FS_TABLE_PLAIN, stays_locked ? FS_MOVE_NEVER : FS_MOVE_BY_OWNER,
                               true};
    }
    return (struct manner){FS_TABLE_PLAIN, FS_MOVE_NEVER, !(kind & FS_KIND_ROBUST)};
}

/* No memory for a waiter: a moment without the mutex, and a spurious wake-up. */
static int wait_without_memory(pthread_mutex_t *mutex, const struct fs_deadline *deadline)
{
    int err = fs_pthread_mutex_unlock(mutex);
    bool late;

    if (err != 0)
        return err;
    fs_system_yield();
    late = fs_system_is_past(deadline);
    err = fs_pthread_mutex_lock(mutex);
    return err == 0 && late ? ETIMEDOUT : err;
}

static int take_back(pthread_mutex_t *mutex, uint32_t kind, const struct fs_wait *wait)
{
    struct fs_mutex *m = fs_view_mutex(mutex);

    if (fs_kind_has_private_word(kind)) {
        if (fs_wait_take_back_moved(wait, &m->word)) {
            fs_mutex_note_holder(m);
            return 0;
        }
        if (fs_wait_is_carrier(wait))
            return fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_WOKEN, NULL);
    }
    return fs_pthread_mutex_lock(mutex);
}

/* From queued to holding the mutex again. Returns what the wait returns, or ECANCELED. */
static int sleep_and_take_back(pthread_mutex_t *mutex, uint32_t kind, struct fs_wait *wait,
                               const struct fs_deadline *deadline)
{
    bool held = false;
    int adopted = 0;
    int outcome;
    int err;

    if (wait->table == FS_TABLE_PI)
        outcome =
            fs_condition_block_pi(wait, fs_view_mutex(mutex), kind, deadline, &held, &adopted);
    else
        outcome = fs_condition_block(wait, deadline);
    err = held ? adopted : take_back(mutex, kind, wait);
    fs_condition_finish(wait, err == 0);
    return err != 0 ? err : outcome;
}

/* One wait. Returns as pthread_cond_timedwait; or ECANCELED: somebody was cancelled before the
   mutex was given up, so the caller looks at its own cancellation and begins again. */
static int wait_once(pthread_cond_t *cond, pthread_mutex_t *mutex, uint32_t epoch,
                     const struct fs_deadline *deadline)
{
    struct fs_mutex *m = fs_view_mutex(mutex);
    uint32_t kind = fs_mutex_kind(m);
    struct manner manner = manner_of(m, kind);
    struct fs_wait wait;
    int err;

    if (!fs_condition_join(&fs_view_cond(cond)->condition, &m->word, manner.move, manner.table,
                           fs_thread_name(), &wait))
        return wait_without_memory(mutex, deadline);
    if (fs_cancel_has_happened_since(epoch) && !fs_condition_retract(&wait)) {
        fs_condition_finish(&wait, false);
        return ECANCELED;
    }
    manner.counts = manner.counts && fs_mutex_is_mine(m);
    if (manner.counts)
        m->nusers++;
    err = fs_pthread_mutex_unlock(mutex);
    if (err != 0) {
        bool signalled = fs_condition_retract(&wait);

        fs_condition_finish(&wait, false);
        if (signalled)
            fs_condition_signal(&fs_view_cond(cond)->condition); /* it was not for us */
        return err;
    }
    err = sleep_and_take_back(mutex, kind, &wait, deadline);
    if (manner.counts && err != ENOTRECOVERABLE)
        m->nusers--;
    if (err == ECANCELED) {
        /* From here on the condition variable may be gone, and what the caller waits for may have
           come: with cancellation disabled this is a spurious wake-up. */
        fs_cancel_point();
        return 0;
    }
    return err;
}

static int wait_private(pthread_cond_t *cond, pthread_mutex_t *mutex,
                        const struct fs_deadline *deadline)
{
    int type = fs_cancel_defer();
    int err;

    do {
        uint32_t epoch = fs_cancel_epoch_now();

        fs_cancel_point();
        err = wait_once(cond, mutex, epoch, deadline);
    } while (err == ECANCELED);
    fs_cancel_restore(type);
    return err;
}

/* A process-shared condition variable is the C library's, and so its code will run on the mutex. */
static FS_NOINLINE bool is_handed_over(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (fs_is_away())
        return true;
    if (!fs_cond_is_shared(cond))
        return false;
    fs_mutex_turn_over(fs_view_mutex(mutex));
    return true;
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
    return wait_until(cond, mutex,
                      fs_view_cond(cond)->is_monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, abstime);
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
    fs_view_cond(cond)->is_monotonic = clock == CLOCK_MONOTONIC;
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
