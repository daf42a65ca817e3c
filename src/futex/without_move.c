/* SPDX-License-Identifier: MIT */
/* The part of the futex contract that a system answers whose sleepers cannot be moved from one word
   to another: they are woken, all that the counts name. To be woken early is harmless, to sleep on
   is not. */
#include <errno.h>
#include <limits.h>

#include "futex/futex.h"

static int wake_instead(fs_word *from, int wake, int move, enum fs_scope scope, int *affected)
{
    int woken = fs_futex_wake(from, wake > INT_MAX - move ? INT_MAX : wake + move, scope);

    if (affected)
        *affected = woken;
    return 0;
}

int fs_futex_requeue(fs_word *from, fs_word *to, int wake, int move, enum fs_scope scope,
                     int *affected)
{
    if (wake < 0 || move < 0)
        return EINVAL;
    return wake_instead(from, wake, move, scope, affected);
}

int fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                         enum fs_scope scope, int *affected)
{
    if (wake < 0 || move < 0)
        return EINVAL;
    /* Acquire: as a kernel's own look at the word. */
    if (fs_load_acquire(from) != expected)
        return EAGAIN;
    return wake_instead(from, wake, move, scope, affected);
}

int fs_futex_wake_op(fs_word *first, fs_word *second, int count, int second_count,
                     const struct fs_futex_wake_op *op, enum fs_scope scope, int *woken)
{
    return ENOSYS;
}
