/* SPDX-License-Identifier: MIT */
/* What the doubles of the three systems' calls share: the target's errno, a sleep and a wake-up by
   the host's futex, and disturbances. Every call of libc's that the target's objects make arrives
   here under its name with fs_target_ in front. */
#ifndef FS_TESTS_BSD_DOUBLE_H
#define FS_TESTS_BSD_DOUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a call leaves in errno when it succeeds: callers must not pass that on. */
#define DOUBLE_SCRIBBLE 4242

/* Sets errno to the target's number for a host's error. Returns -1. */
int double_fail(int host_errno);

/* errno as after a success. Returns the result. */
int double_succeed(int result);

/* Where FASTSYNC_DISTURB is set, at times a wait ends at once: 0 = it does not, else an error
   number of the host's, or -1 for a wake-up without a reason. */
int double_disturbance(void);

/* futex(2) of the host; returns a result or a negative error number of the host's. */
struct timespec;
long double_futex(void *word, int operation, uint32_t value, const void *time, void *second,
                  uint32_t value3);

bool double_is_valid_time(const struct timespec *time);

#endif
