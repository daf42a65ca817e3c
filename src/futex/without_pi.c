/* SPDX-License-Identifier: MIT */
/* The part of the futex contract that a system without priority inheritance answers: ENOSYS to
   everything. The callers then refuse such mutexes or poll. */
#include <errno.h>

#include "futex/futex.h"

int fs_futex_lock_pi(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope)
{
    return ENOSYS;
}

int fs_futex_lock_pi2(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope)
{
    return ENOSYS;
}

int fs_futex_trylock_pi(fs_word *w, enum fs_scope scope)
{
    return ENOSYS;
}

int fs_futex_unlock_pi(fs_word *w, enum fs_scope scope)
{
    return ENOSYS;
}

int fs_futex_wait_requeue_pi(fs_word *from, uint32_t expected, fs_word *pi,
                             const struct fs_deadline *deadline, enum fs_scope scope)
{
    return ENOSYS;
}

int fs_futex_cmp_requeue_pi(fs_word *from, fs_word *pi, uint32_t expected, int move,
                            enum fs_scope scope, int *affected)
{
    return ENOSYS;
}

/* Asked only about the id in a word with priority inheritance, which no thread gets. */
bool fs_system_thread_exists(uint32_t id)
{
    return true;
}
