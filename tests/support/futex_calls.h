/* SPDX-License-Identifier: MIT */
/* The numbers of futex(2) as tests meet them in filters and in /proc: a 32-bit system has two
   calls, of which the second takes 64-bit times. Under an emulator /proc shows the calls of the
   machine below it; their number comes with the build of Check for the target. */
#ifndef FUTEX_CALLS_H
#define FUTEX_CALLS_H

#include <stdbool.h>
#include <sys/syscall.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_futex_time64
#define SYS_futex_time64 SYS_futex
#endif

static inline bool is_futex_call(long number)
{
#ifdef EMULATOR_SYS_FUTEX
    return number == EMULATOR_SYS_FUTEX;
#else
    return number == SYS_futex || number == SYS_futex_time64;
#endif
}

#endif
