/* SPDX-License-Identifier: MIT */
/* As much of POSIX's mmap(2) as the unit tests use: fresh memory of one process. See ../../posix.c.
 */
#ifndef FS_TESTS_WINDOWS_SYS_MMAN_H
#define FS_TESTS_WINDOWS_SYS_MMAN_H

#include <stddef.h>

#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 32
#define MAP_FAILED ((void *)-1)

void *mmap(void *address, size_t size, int protection, int flags, int file, long long at);
int munmap(void *address, size_t size);

#endif
