/* SPDX-License-Identifier: MIT */
/* One pause of a spinning thread: lets the sibling of a hardware thread run and
   keeps the loop from flooding the memory system. */
#ifndef FS_BASE_SPIN_H
#define FS_BASE_SPIN_H

#include "base/compiler.h"

FS_ALWAYS_INLINE void fs_spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#endif
