/* SPDX-License-Identifier: MIT */
/* What OpenBSD alone numbers so, for the headers in ../common.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYSTEM_H
#define FS_BSD_SYSTEM_H

int *__errno(void);
#define errno (*__errno())
#define ECANCELED 88
#define ENOTSUP 91
#define ENOTRECOVERABLE 93
#define EOWNERDEAD 94

#define CLOCK_MONOTONIC 3
#define FS_BSD_CLOCK_GETTIME

#define _SC_NPROCESSORS_ONLN 503
#define MAP_INHERIT_ZERO 3

#endif
