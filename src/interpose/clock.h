/* SPDX-License-Identifier: MIT */
/* A program's clocks and deadlines as the locks take them; needs nothing of a C library but
   <time.h>. */
#ifndef FS_INTERPOSE_CLOCK_H
#define FS_INTERPOSE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/deadline.h"

/* Only these two clocks can end a wait. */
FS_ALWAYS_INLINE bool fs_clock_is_supported(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

/* A deadline of the program's as the locks take it: null, which the C library does not mind where
   nothing has to be waited for, means for ever. */
FS_ALWAYS_INLINE const struct fs_deadline *
fs_deadline_of(clockid_t clock, const struct timespec *at, struct fs_deadline *deadline)
{
    if (!at)
        return NULL;
    deadline->sec = at->tv_sec;
    deadline->nsec = at->tv_nsec;
    deadline->clock = clock == CLOCK_MONOTONIC ? FS_CLOCK_MONOTONIC : FS_CLOCK_REALTIME;
    return deadline;
}

#endif
