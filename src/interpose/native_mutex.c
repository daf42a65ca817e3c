/* SPDX-License-Identifier: MIT */
/* The public mutex of include/fastsync/mutex.h: a word of lock/word_lock.h, and nothing
   besides. Needs neither the constructor nor the environment. */
#include <fastsync/mutex.h>

#include <errno.h>

#include "interpose/native.h"
#include "lock/word_lock.h"

_Static_assert(sizeof(fastsync_mutex_t) == sizeof(fs_word) && sizeof(fastsync_mutex_t) == 4,
               "a mutex is one word");
_Static_assert(_Alignof(fastsync_mutex_t) == _Alignof(fs_word), "a word is aligned");

static fs_word *as_word(fastsync_mutex_t *mutex)
{
    return (fs_word *)(void *)mutex;
}

FS_EXPORT int fastsync_mutex_lock(fastsync_mutex_t *mutex)
{
    return fs_word_lock_acquire_private(as_word(mutex), NULL);
}

FS_EXPORT int fastsync_mutex_trylock(fastsync_mutex_t *mutex)
{
    fs_word *w = as_word(mutex);

    return fs_word_lock_try_free_private(w) || fs_word_lock_try(w) ? 0 : EBUSY;
}

FS_EXPORT int fastsync_mutex_timedlock(fastsync_mutex_t *mutex, clockid_t clock,
                                       const struct timespec *deadline)
{
    struct fs_native_deadline d;

    if (!fs_native_deadline(clock, deadline, &d))
        return EINVAL;
    return fs_word_lock_acquire_private(as_word(mutex), d.pointer);
}

FS_EXPORT int fastsync_mutex_unlock(fastsync_mutex_t *mutex)
{
    fs_word_lock_release_private(as_word(mutex));
    return 0;
}
