/* SPDX-License-Identifier: MIT */
/* The part of the futex contract that a system answers whose sleepers have no bits: any wake is for
   them. fs_futex_wake_bitset is the system's own, and wakes all. */
#include "futex/futex.h"

int fs_futex_wait_bitset(fs_word *w, uint32_t expected, uint32_t bits,
                         const struct fs_deadline *deadline, enum fs_scope scope)
{
    return fs_futex_wait(w, expected, deadline, scope);
}
