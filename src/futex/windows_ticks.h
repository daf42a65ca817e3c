/* SPDX-License-Identifier: MIT */
/* NT's wall clock: ticks of 100 nanoseconds since 1601. */
#ifndef FS_FUTEX_WINDOWS_TICKS_H
#define FS_FUTEX_WINDOWS_TICKS_H

#include <stdint.h>

#include "base/deadline.h"

/* The moment on the wall clock so many ticks after the beginning of 1601; not below zero. */
struct fs_deadline fs_deadline_of_ticks(int64_t ticks);

#endif
