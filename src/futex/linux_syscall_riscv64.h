/* SPDX-License-Identifier: MIT */
/* The system call of linux_syscall.h on 64-bit RISC-V. The kernel answers in a0 and keeps every
   other register. */
#ifndef FS_FUTEX_LINUX_SYSCALL_RISCV64_H
#define FS_FUTEX_LINUX_SYSCALL_RISCV64_H

#include "base/compiler.h"

FS_ALWAYS_INLINE long fs_linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;

    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                     : "memory");
    return a0;
}

#endif
