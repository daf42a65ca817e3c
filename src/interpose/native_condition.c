/* SPDX-License-Identifier: MIT */
/* The public condition variable of include/fastsync/condition.h over lock/wait.h. The
   mutex's word does not tell its holder, so waiters are moved to it by the first of them
   that holds it (FS_MOVE_BY_MEMBER). */
#include <fastsync/condition.h>

#include <errno.h>

#include "interpose/native.h"
#include "lock/wait.h"

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

FS_EXPORT int fastsync_cond_wait(fastsync_cond_t *cond, fastsync_mutex_t *mutex)
{
    /* Without a name: a cancellation does not find the waiter, who waits on. */
    return fs_wait_with_word(as_condition(cond), as_word(mutex), NULL, NULL);
}

FS_EXPORT int fastsync_cond_timedwait(fastsync_cond_t *cond, fastsync_mutex_t *mutex,
                                      clockid_t clock, const struct timespec *deadline)
{
    struct fs_native_deadline d;

    if (!fs_native_deadline(clock, deadline, &d))
        return EINVAL;
    return fs_wait_with_word(as_condition(cond), as_word(mutex), NULL, d.pointer);
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
