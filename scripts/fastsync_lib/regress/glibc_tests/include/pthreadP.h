/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for glibc's internal view of its threads. The tests that include it use little: the
 * signals, and the masks of the rwlock's word of readers, with which one test (tst-rwlock19)
 * writes into a lock. These two masks are facts of glibc 2.25 and later.
 */
#ifndef FASTSYNC_STAND_IN_PTHREADP_H
#define FASTSYNC_STAND_IN_PTHREADP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <atomic.h>
#include <internal-signals.h>

#define __PTHREAD_NPTL 1

#define PTHREAD_RWLOCK_READER_SHIFT 3
#define PTHREAD_RWLOCK_READER_OVERFLOW (1U << 31)

#endif
