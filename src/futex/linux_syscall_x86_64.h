/* SPDX-License-Identifier: MIT */
/* The system call of linux_syscall.h on x86-64. The kernel answers in rax and spoils rcx and r11.
 */
#ifndef FS_FUTEX_LINUX_SYSCALL_X86_64_H
#define FS_FUTEX_LINUX_SYSCALL_X86_64_H

#include "base/compiler.h"

FS_ALWAYS_INLINE long fs_linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "cc", "memory");
    return result;
}

#endif
