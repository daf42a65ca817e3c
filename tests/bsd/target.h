/* SPDX-License-Identifier: MIT */
/* Included ahead of each test: what the system under test numbers otherwise than the host, so that
   a test that is compiled for the host speaks with the target's objects in their numbers. */
#ifndef FS_TESTS_BSD_TARGET_H
#define FS_TESTS_BSD_TARGET_H

#include <errno.h>
#include <time.h>

#undef EAGAIN
#undef ETIMEDOUT
#undef ENOSYS
#undef EDEADLK
#undef ECANCELED
#undef ENOTSUP
#undef EOWNERDEAD
#undef ENOTRECOVERABLE
#define EAGAIN 35
#define ETIMEDOUT 60
#define ENOSYS 78
#define EDEADLK 11

#if defined(FS_TARGET_FREEBSD)
#define ECANCELED 85
#define FS_TARGET_MONOTONIC 4
#elif defined(FS_TARGET_NETBSD)
#define ECANCELED 87
#define FS_TARGET_MONOTONIC 3
#elif defined(FS_TARGET_OPENBSD)
#define ECANCELED 88
#define FS_TARGET_MONOTONIC 3
#else
#error "which system?"
#endif

/* The double's, which knows the target's clocks. */
int fs_target_clock_gettime(int clock, struct timespec *now);

#ifndef FS_TARGET_DOUBLE
#undef CLOCK_MONOTONIC
#define CLOCK_MONOTONIC FS_TARGET_MONOTONIC
#define clock_gettime fs_target_clock_gettime
#endif

/* An emulator hands a system call on, and /proc shows it under the number of its own processor. */
#if defined(FS_EMULATED) && !defined(FS_TARGET_DOUBLE)
#include <sys/syscall.h>
#undef SYS_futex
#define SYS_futex 202
#endif

/* FreeBSD does not tell how many were woken. Tests of the locks, which count sleepers by waking
   them, ask the double. */
#if defined(FS_TARGET_FREEBSD) && defined(FS_TARGET_COUNTS)
#include "futex/futex.h"
int fs_target_count_woken(void *word, int count, int shared);
#define fs_futex_wake(word, count, scope) fs_target_count_woken(word, count, scope)
#endif

#endif
