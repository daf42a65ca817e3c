/* SPDX-License-Identifier: MIT */
/* An absolute moment on a named clock, and the one test of its validity.
   Reading a clock is the system's business (futex/futex.h). */
#ifndef FS_BASE_DEADLINE_H
#define FS_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

enum fs_clock {
    FS_CLOCK_REALTIME = 0,  /* follows steps of the wall clock */
    FS_CLOCK_MONOTONIC = 1, /* never steps */
};

#define FS_NSEC_PER_SEC 1000000000

/* A null pointer to a deadline means: for ever. */
struct fs_deadline {
    int64_t sec;
    int64_t nsec;
    enum fs_clock clock;
};

/* POSIX: nanoseconds below zero or of a whole second make a deadline invalid. */
FS_ALWAYS_INLINE bool fs_deadline_is_valid(const struct fs_deadline *deadline)
{
    return deadline->nsec >= 0 && deadline->nsec < FS_NSEC_PER_SEC;
}

#endif
