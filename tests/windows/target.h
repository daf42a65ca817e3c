/* SPDX-License-Identifier: MIT */
/* Included ahead of each unit test on Windows: clocks that winpthreads does not have, which stand
   in the tests for those that no lock waits by, and for a program that counts sleepers by waking
   them, the call that counts them. */
#ifndef FS_TESTS_WINDOWS_TARGET_H
#define FS_TESTS_WINDOWS_TARGET_H

#include <time.h>

#define CLOCK_MONOTONIC_COARSE CLOCK_THREAD_CPUTIME_ID
#define CLOCK_BOOTTIME 7

#ifdef FS_TEST_COUNTS
#include "waits.h"
#define fs_futex_wake(word, count, scope) waits_count_woken(word, count, scope)
#endif

#endif
