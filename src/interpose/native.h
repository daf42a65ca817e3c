/* SPDX-License-Identifier: MIT */
/* What the native locks share: a program's deadline as the algorithms take it. */
#ifndef FS_INTERPOSE_NATIVE_H
#define FS_INTERPOSE_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/deadline.h"
#include "interpose/clock.h"

struct fs_native_deadline {
    struct fs_deadline value;
    const struct fs_deadline *pointer; /* to value; null for ever */
};

/* Returns false for another clock and for invalid nanoseconds. */
FS_ALWAYS_INLINE bool fs_native_deadline(clockid_t clock, const struct timespec *deadline,
                                         struct fs_native_deadline *checked)
{
    checked->pointer = NULL;
    if (!deadline)
        return true;
    if (!fs_clock_is_supported(clock))
        return false;
    checked->pointer = fs_deadline_of(clock, deadline, &checked->value);
    return fs_deadline_is_valid(&checked->value);
}

#endif
