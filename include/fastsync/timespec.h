/* SPDX-License-Identifier: MIT */
/* struct timespec as the library takes it: with a 64-bit time_t. Where the C library has 32 bits
   unless it is asked for more (glibc on i386 and 32-bit Arm), a program that uses this library's
   own interface has to ask for them; `pkg-config --cflags fastsync` does. */
#ifndef FASTSYNC_TIMESPEC_H
#define FASTSYNC_TIMESPEC_H

#include <time.h>

#if defined __TIMESIZE && __TIMESIZE == 32 && !defined __USE_TIME_BITS64
#error "fastsync needs a 64-bit time_t: compile with -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64"
#endif

#endif
