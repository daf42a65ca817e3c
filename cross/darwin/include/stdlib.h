/* SPDX-License-Identifier: MIT */
/* The end of a process, and its memory.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_STDLIB_H
#define FS_DARWIN_STDLIB_H

#include <stddef.h>

_Noreturn void abort(void);
_Noreturn void exit(int status);
_Noreturn void _exit(int status);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *memory);
char *getenv(const char *name);

#endif
