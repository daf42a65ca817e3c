/* SPDX-License-Identifier: MIT */
/* Types that all BSDs have in common on 64-bit processors.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYS_TYPES_H
#define FS_BSD_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t time_t;
typedef int32_t clockid_t;
typedef int64_t off_t;
typedef ptrdiff_t ssize_t;

#endif
