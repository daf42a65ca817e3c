/* SPDX-License-Identifier: MIT */
/* Clocks. CLOCK_MONOTONIC is in each system's system.h.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_TIME_H
#define FS_BSD_TIME_H

#include <sys/types.h>

#include <system.h>

#define CLOCK_REALTIME 0

struct timespec {
    time_t tv_sec;
    long tv_nsec;
};

int clock_gettime(clockid_t clock, struct timespec *now) FS_BSD_CLOCK_GETTIME;

#endif
