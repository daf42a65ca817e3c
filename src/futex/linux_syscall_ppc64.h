/* SPDX-License-Identifier: MIT */
/* The system call of linux_syscall.h on 64-bit POWER, by `sc`, which every processor has
   (Documentation/powerpc/syscall64-abi.rst). The kernel answers in r3, an error as a positive
   number with the summary overflow bit of cr0 set, and keeps no volatile register but lr and cr1,
   cr5 to cr7. */
#ifndef FS_FUTEX_LINUX_SYSCALL_PPC64_H
#define FS_FUTEX_LINUX_SYSCALL_PPC64_H

#include "base/compiler.h"

FS_ALWAYS_INLINE long fs_linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r0 __asm__("r0") = number;
    register long r3 __asm__("r3") = a;
    register long r4 __asm__("r4") = b;
    register long r5 __asm__("r5") = c;
    register long r6 __asm__("r6") = d;
    register long r7 __asm__("r7") = e;
    register long r8 __asm__("r8") = f;

    __asm__ volatile("sc\n\t"
                     "bns+ 0f\n\t"
                     "neg 3, 3\n"
                     "0:"
                     : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
                     :
                     : "r9", "r10", "r11", "r12", "cr0", "ctr", "xer", "memory");
    return r3;
}

#endif
