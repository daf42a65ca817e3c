/* SPDX-License-Identifier: MIT */
/* Times; on OpenBSD <sys/futex.h> wants it first.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYS_TIME_H
#define FS_BSD_SYS_TIME_H

#include <time.h>

#endif
