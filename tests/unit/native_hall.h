/* SPDX-License-Identifier: MIT */
/* What the tests of the native locks have in common: moments on either clock, the deadlines that no
   call accepts, and a hall with one lock of each sort. */
#ifndef FS_TESTS_UNIT_NATIVE_HALL_H
#define FS_TESTS_UNIT_NATIVE_HALL_H

#include "sleepers.h"

#include <fastsync/condition.h>
#include <fastsync/mutex.h>
#include <fastsync/rwlock.h>

static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC}; /* often the loop index */
static const struct timespec past = {-5, 0};

static inline struct timespec in_ms(clockid_t clock, int64_t ms)
{
    struct fs_deadline d =
        moment(clock == CLOCK_REALTIME ? FS_CLOCK_REALTIME : FS_CLOCK_MONOTONIC, ms);

    return (struct timespec){d.sec, (long)d.nsec};
}

static inline bool is_over(clockid_t clock, const struct timespec *moment_given)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec > moment_given->tv_sec ||
           (now.tv_sec == moment_given->tv_sec && now.tv_nsec >= moment_given->tv_nsec);
}

/* Deadlines that no call accepts. */
static const struct {
    clockid_t clock;
    struct timespec at;
} invalid[] = {
    {CLOCK_MONOTONIC, {0, -1}},         {CLOCK_REALTIME, {0, 1000000000}},
    {CLOCK_PROCESS_CPUTIME_ID, {0, 0}}, {CLOCK_BOOTTIME, {0, 0}},
    {CLOCK_MONOTONIC_COARSE, {0, 0}},   {(clockid_t)-1, {0, 0}},
};

#define INVALID (int)(sizeof invalid / sizeof *invalid)

struct hall {
    fastsync_mutex_t mutex;
    fastsync_cond_t cond;
    fastsync_rwlock_t rwlock;
    long total;
    long other;
};

#endif
