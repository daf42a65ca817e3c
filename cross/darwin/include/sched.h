/* SPDX-License-Identifier: MIT */
/* Giving up the processor.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_SCHED_H
#define FS_DARWIN_SCHED_H

int sched_yield(void);

#endif
