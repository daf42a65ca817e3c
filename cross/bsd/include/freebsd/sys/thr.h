/* SPDX-License-Identifier: MIT */
/* FreeBSD's thread ids, thr_self(2).

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYS_THR_H
#define FS_BSD_SYS_THR_H

int thr_self(long *id);

#endif
