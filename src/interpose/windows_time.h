/* SPDX-License-Identifier: MIT */
/* The moments and time-outs of winpthreads' calls as the locks take them. winpthreads takes any
   number of nanoseconds, also one below zero or of several seconds, and so does this; a moment
   before 1970 is long past, where winpthreads waits for ever. */
#ifndef FS_INTERPOSE_WINDOWS_TIME_H
#define FS_INTERPOSE_WINDOWS_TIME_H

#include <stddef.h>

#include "base/deadline.h"
#include "futex/futex.h"

/* Brings the nanoseconds into their range. */
static inline struct fs_deadline fs_time_normal(int64_t sec, int64_t nsec, enum fs_clock clock)
{
    int64_t carry = nsec / FS_NSEC_PER_SEC;

    nsec %= FS_NSEC_PER_SEC;
    if (nsec < 0) {
        nsec += FS_NSEC_PER_SEC;
        carry--;
    }
    if (__builtin_add_overflow(sec, carry, &sec))
        sec = carry < 0 ? INT64_MIN : INT64_MAX;
    return (struct fs_deadline){sec, nsec, clock};
}

/* A moment so far from now; one that no clock reaches is the last that can be told. */
static inline struct fs_deadline fs_time_after(int64_t sec, int64_t nsec)
{
    struct fs_deadline timeout = fs_time_normal(sec, nsec, FS_CLOCK_MONOTONIC);
    struct fs_deadline at = fs_system_now(FS_CLOCK_MONOTONIC);
    int64_t end;

    if (__builtin_add_overflow(at.sec, timeout.sec, &end))
        end = timeout.sec < 0 ? INT64_MIN : INT64_MAX;
    return fs_time_normal(end, at.nsec + timeout.nsec, FS_CLOCK_MONOTONIC);
}

/* Where the calls of all widths meet: the moment in `deadline`, or null. */
#define FS_TIME_AT(at, clock, deadline)                                                            \
    ((at) ? (*(deadline) = fs_time_normal((at)->tv_sec, (at)->tv_nsec, clock), (deadline)) : NULL)

#endif
