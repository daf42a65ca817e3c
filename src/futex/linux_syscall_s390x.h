/* SPDX-License-Identifier: MIT */
/* The system call of linux_syscall.h on s390x. The number is in r1, since only small ones fit in
   the instruction; the kernel answers in r2 and keeps every other register. */
#ifndef FS_FUTEX_LINUX_SYSCALL_S390X_H
#define FS_FUTEX_LINUX_SYSCALL_S390X_H

#include "base/compiler.h"

FS_ALWAYS_INLINE long fs_linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r1 __asm__("r1") = number;
    register long r2 __asm__("r2") = a;
    register long r3 __asm__("r3") = b;
    register long r4 __asm__("r4") = c;
    register long r5 __asm__("r5") = d;
    register long r6 __asm__("r6") = e;
    register long r7 __asm__("r7") = f;

    __asm__ volatile("svc 0"
                     : "+d"(r2)
                     : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6), "d"(r7)
                     : "cc", "memory");
    return r2;
}

#endif
