/* SPDX-License-Identifier: MIT */
/* The end of the process.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_STDLIB_H
#define FS_BSD_STDLIB_H

_Noreturn void abort(void);

#endif
