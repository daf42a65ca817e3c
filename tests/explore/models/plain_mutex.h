/* SPDX-License-Identifier: MIT */
/* A mutex for models that need one but are not about it: the well-known word 0, 1, 2 (free,
   locked, locked and somebody may sleep), with as few steps as it can have. It is not the
   mutex of src/lock. */
#ifndef FS_EXPLORE_PLAIN_MUTEX_H
#define FS_EXPLORE_PLAIN_MUTEX_H

#include "explore.h"

/* By a thread that comes from a sleep on the word: others may still sleep there. */
static inline void plain_lock_after_sleep(fs_word *m)
{
    while (fs_exchange_acquire(m, 2) != 0)
        fs_futex_wait(m, 2, NULL, FS_SCOPE_PRIVATE);
}

static inline void plain_lock(fs_word *m)
{
    uint32_t old = 0;

    if (!fs_cas_acquire(m, &old, 1))
        plain_lock_after_sleep(m);
}

static inline bool plain_try(fs_word *m)
{
    uint32_t old = 0;

    return fs_cas_acquire(m, &old, 1);
}

static inline void plain_unlock(fs_word *m)
{
    if (fs_exchange_release(m, 0) == 2)
        fs_futex_wake(m, 1, FS_SCOPE_PRIVATE);
}

#endif
