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
#elif defined(__riscv)
    __asm__ volatile(".4byte 0x100000f" ::
                         : "memory"); /* pause, an empty fence to those without it */
#elif defined(__powerpc__)
    __asm__ volatile("or 1, 1, 1\n\tor 2, 2, 2" ::: "memory"); /* low priority, and back */
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#endif
