/* SPDX-License-Identifier: MIT */
/* What FreeBSD alone numbers so, for the headers in ../common.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYSTEM_H
#define FS_BSD_SYSTEM_H

int *__error(void);
#define errno (*__error())
#define ENOTSUP 45
#define ECANCELED 85
#define ENOTRECOVERABLE 95
#define EOWNERDEAD 96

#define CLOCK_MONOTONIC 4
#define FS_BSD_CLOCK_GETTIME

#define _SC_NPROCESSORS_ONLN 58
#define INHERIT_ZERO 3

#endif
