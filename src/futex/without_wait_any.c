/* SPDX-License-Identifier: MIT */
/* The part of the futex contract that a system answers on which nobody can sleep on several words
   at once. */
#include <errno.h>

#include "futex/futex.h"

int fs_futex_wait_any(const struct fs_futex_waiter *waiters, unsigned n,
                      const struct fs_deadline *deadline, unsigned *woken)
{
    return n < 1 || n > FS_FUTEX_WAIT_ANY_MAX ? EINVAL : ENOSYS;
}
