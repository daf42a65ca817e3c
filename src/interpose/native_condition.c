/* SPDX-License-Identifier: MIT */
/* The public condition variable of include/fastsync/condition.h over lock/condition.h. The
   mutex's word does not tell its holder, so waiters are moved to it by the first of them
   that holds it (FS_MOVE_BY_MEMBER). */
#include <fastsync/condition.h>

#include <errno.h>

#include "interpose/native.h"
#include "lock/condition.h"

_Static_assert(sizeof(fastsync_cond_t) == 8, "a condition variable has 8 bytes");
_Static_assert(sizeof(struct fs_condition) <= sizeof(fastsync_cond_t) &&
                   _Alignof(struct fs_condition) <= _Alignof(fastsync_cond_t),
               "ours does not fit");

static struct fs_condition *as_condition(fastsync_cond_t *cond)
{
    return (struct fs_condition *)(void *)cond;
}

static fs_word *as_word(fastsync_mutex_t *mutex)
{
    return (fs_word *)(void *)mutex;
}

/* No memory for a waiter: a moment without the mutex, and a spurious wake-up. */
static FS_COLD int wait_without_memory(fastsync_mutex_t *mutex, const struct fs_deadline *deadline)
{
    bool late;

    fastsync_mutex_unlock(mutex);
    fs_system_yield();
    late = fs_system_is_past(deadline);
    fastsync_mutex_lock(mutex);
    return late ? ETIMEDOUT : 0;
}

static void take_back(fastsync_mutex_t *mutex, const struct fs_wait *wait)
{
    if (!fs_wait_take_back_moved(wait, as_word(mutex))) /* C6 */
        fastsync_mutex_lock(mutex);
}

static int wait_until(fastsync_cond_t *cond, fastsync_mutex_t *mutex,
                      const struct fs_deadline *deadline)
{
    struct fs_wait wait;
    int err;

    /* Without a name: a cancellation does not find the waiter, who waits on. */
    if (!fs_condition_join(as_condition(cond), as_word(mutex), FS_MOVE_BY_MEMBER, FS_TABLE_PLAIN,
                           NULL, &wait))
        return wait_without_memory(mutex, deadline);
    fastsync_mutex_unlock(mutex);
    err = fs_condition_block(&wait, deadline);
    take_back(mutex, &wait);
    fs_condition_finish(&wait, true);
    return err == ETIMEDOUT ? ETIMEDOUT : 0;
}

FS_EXPORT int fastsync_cond_wait(fastsync_cond_t *cond, fastsync_mutex_t *mutex)
{
    return wait_until(cond, mutex, NULL);
}

FS_EXPORT int fastsync_cond_timedwait(fastsync_cond_t *cond, fastsync_mutex_t *mutex,
                                      clockid_t clock, const struct timespec *deadline)
{
    struct fs_native_deadline d;

    if (!fs_native_deadline(clock, deadline, &d))
        return EINVAL;
    return wait_until(cond, mutex, d.pointer);
}

FS_EXPORT int fastsync_cond_signal(fastsync_cond_t *cond)
{
    fs_condition_signal(as_condition(cond));
    return 0;
}

FS_EXPORT int fastsync_cond_broadcast(fastsync_cond_t *cond)
{
    fs_condition_broadcast(as_condition(cond));
    return 0;
}
