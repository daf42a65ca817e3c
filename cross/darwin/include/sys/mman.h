/* SPDX-License-Identifier: MIT */
/* Mapped memory of macOS.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_SYS_MMAN_H
#define FS_DARWIN_SYS_MMAN_H

#include <sys/types.h>

#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 0x1
#define MAP_PRIVATE 0x2
#define MAP_ANON 0x1000
#define MAP_FAILED ((void *)-1)

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int munmap(void *address, size_t size);

#endif
