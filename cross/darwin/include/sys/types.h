/* SPDX-License-Identifier: MIT */
/* Types of macOS that several headers give.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_SYS_TYPES_H
#define FS_DARWIN_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef long ssize_t;
typedef int64_t off_t;
typedef int32_t pid_t;
typedef long time_t;
typedef uint16_t mode_t;
typedef uint32_t mach_port_t;

#endif
