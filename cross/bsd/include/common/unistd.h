/* SPDX-License-Identifier: MIT */
/* Calls of libc.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_UNISTD_H
#define FS_BSD_UNISTD_H

#include <sys/types.h>

#include <system.h>

#define STDERR_FILENO 2

ssize_t write(int file, const void *data, size_t size);
long sysconf(int name);
#ifdef __NetBSD__
int syscall(int number, ...);
#endif
#ifdef __OpenBSD__
int32_t getthrid(void);
#endif

#endif
