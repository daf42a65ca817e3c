/* SPDX-License-Identifier: MIT */
/* The scheduler.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SCHED_H
#define FS_BSD_SCHED_H

int sched_yield(void);

#endif
