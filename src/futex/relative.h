/* SPDX-License-Identifier: MIT */
/* For systems whose waits take a time-out from now on, and no deadline: how long until a deadline,
   and the deadline of a time-out.

   A time-out does not follow steps of the wall clock. So a wait for a moment on it sleeps
   FS_WALL_SLICE_NS at most, and then returns as if it had been woken: its caller looks again. So
   does any other after FS_LONG_SLICE_NS, which every system can count. */
#ifndef FS_FUTEX_RELATIVE_H
#define FS_FUTEX_RELATIVE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "futex/futex.h"

#define FS_WALL_SLICE_NS (INT64_C(2) * FS_NSEC_PER_SEC)
#define FS_LONG_SLICE_NS (INT64_C(86400) * FS_NSEC_PER_SEC)

/* Nanoseconds from now to the deadline; 0 when it has passed, at most INT64_MAX / 4. */
static inline int64_t fs_relative_ns(const struct fs_deadline *deadline)
{
    struct fs_deadline now = fs_system_now(deadline->clock);
    int64_t most = INT64_MAX / 4;
    int64_t sec;

    if (deadline->sec < now.sec || (deadline->sec == now.sec && deadline->nsec <= now.nsec))
        return 0;
    if (__builtin_sub_overflow(deadline->sec, now.sec, &sec) || sec >= most / FS_NSEC_PER_SEC)
        return most;
    return sec * FS_NSEC_PER_SEC + (deadline->nsec - now.nsec);
}

/* The time-out of one sleep towards the deadline, which has not passed; *whole tells whether its
   end is the deadline's. */
static inline int64_t fs_relative_slice(const struct fs_deadline *deadline, int64_t remaining,
                                        bool *whole)
{
    int64_t most = deadline->clock == FS_CLOCK_REALTIME ? FS_WALL_SLICE_NS : FS_LONG_SLICE_NS;

    *whole = remaining <= most;
    return *whole ? remaining : most;
}

/* The moment on CLOCK_MONOTONIC that is so far from now; timeout_ns >= 0. */
static inline struct fs_deadline fs_relative_deadline(int64_t timeout_ns)
{
    struct fs_deadline at = fs_system_now(FS_CLOCK_MONOTONIC);

    at.sec += timeout_ns / FS_NSEC_PER_SEC;
    at.nsec += timeout_ns % FS_NSEC_PER_SEC;
    if (at.nsec >= FS_NSEC_PER_SEC) {
        at.nsec -= FS_NSEC_PER_SEC;
        at.sec++;
    }
    return at;
}

#endif
