/* SPDX-License-Identifier: MIT */
/* Waiting for children.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_SYS_WAIT_H
#define FS_DARWIN_SYS_WAIT_H

#include <sys/types.h>

pid_t waitpid(pid_t child, int *status, int options);

#endif
