/* SPDX-License-Identifier: MIT */
/* What NetBSD alone numbers so, for the headers in ../common.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYSTEM_H
#define FS_BSD_SYSTEM_H

int *__errno(void);
#define errno (*__errno())
#define ENOTSUP 86
#define ECANCELED 87
#define EOWNERDEAD 97
#define ENOTRECOVERABLE 98

#define CLOCK_MONOTONIC 3
#define FS_BSD_CLOCK_GETTIME __asm__("__clock_gettime50") /* with 64-bit seconds */

#define _SC_NPROCESSORS_ONLN 1002
#define MAP_INHERIT_ZERO 4

#endif
