/* SPDX-License-Identifier: MIT */
/* Memory. What a fork child finds zeroed has another name and number on each system.

   Written for this project from the documented interfaces: what its sources use, and no more. On
   the system itself this file is not used. */
#ifndef FS_BSD_SYS_MMAN_H
#define FS_BSD_SYS_MMAN_H

#include <sys/types.h>

#include <system.h>

#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANON 0x1000
#define MAP_FAILED ((void *)-1)

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int minherit(void *address, size_t size, int inherit);

#endif
