/* SPDX-License-Identifier: MIT */
/* The lock that macOS offers beside its mutexes.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_OS_LOCK_H
#define FS_DARWIN_OS_LOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t _os_unfair_lock_opaque;
} os_unfair_lock;

/* clang-format off */
#define OS_UNFAIR_LOCK_INIT ((os_unfair_lock){0})
/* clang-format on */

void os_unfair_lock_lock(os_unfair_lock *lock);
bool os_unfair_lock_trylock(os_unfair_lock *lock);
void os_unfair_lock_unlock(os_unfair_lock *lock);

#endif
