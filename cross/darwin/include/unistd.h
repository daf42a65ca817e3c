/* SPDX-License-Identifier: MIT */
/* Calls of the process.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_UNISTD_H
#define FS_DARWIN_UNISTD_H

#include <sys/types.h>

#define STDOUT_FILENO 1
#define STDERR_FILENO 2
#define _SC_NPROCESSORS_ONLN 58

ssize_t write(int file, const void *data, size_t size);
long sysconf(int name);
pid_t fork(void);
pid_t getpid(void);
int usleep(uint32_t microseconds);
_Noreturn void _exit(int status);

#endif
