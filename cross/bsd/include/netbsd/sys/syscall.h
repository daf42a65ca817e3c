/* SPDX-License-Identifier: MIT */
/* The number of NetBSD's __futex(2).

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYS_SYSCALL_H
#define FS_BSD_SYS_SYSCALL_H

#define SYS___futex 166

#endif
