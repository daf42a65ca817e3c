/* SPDX-License-Identifier: MIT */
/* Jumps in memory that a module's table of exports can name: its offsets have 32 bits, and what
   takes a function's place may lie further away, or below. Where a pointer has 32 bits there are
   none. */
#ifndef FS_INTERPOSE_WINDOWS_STUBS_H
#define FS_INTERPOSE_WINDOWS_STUBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "interpose/windows_redirect.h"

#define FS_STUBS_MODULES 8 /* modules at a time that can have stubs */
#define FS_STUBS_SIZE 4096 /* bytes for those of one module */

/* The offset that leads to target, from the module at base, whose image has that size. False: there
   is no memory in reach. */
bool fs_stub_offset(uint8_t *base, size_t size, fs_function target, uint32_t *offset);

/* All stubs of the module are written and may be executed. */
bool fs_stubs_finish(uint8_t *base);

/* The module is gone, or nothing names its stubs any longer. */
void fs_stubs_free(uint8_t *base);

#endif
