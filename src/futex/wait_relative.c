/* SPDX-License-Identifier: MIT */
/* The part of the futex contract that a system answers by its wait with a deadline: the time-out's
   end, on CLOCK_MONOTONIC. */
#include "futex/relative.h"

int fs_futex_wait_relative(fs_word *w, uint32_t expected, int64_t timeout_ns, enum fs_scope scope)
{
    struct fs_deadline deadline;

    if (timeout_ns < 0)
        return fs_futex_wait(w, expected, NULL, scope);
    deadline = fs_relative_deadline(timeout_ns);
    return fs_futex_wait(w, expected, &deadline, scope);
}
