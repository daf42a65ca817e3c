/* SPDX-License-Identifier: MIT */
/* Part of linux_syscall.h: 32-bit Arm. The number goes in r7, which may be the frame pointer of
   Thumb code: it is put aside and brought back around the call. */
#ifndef FS_FUTEX_LINUX_SYSCALL_ARM_H
#define FS_FUTEX_LINUX_SYSCALL_ARM_H

#ifndef FS_FUTEX_LINUX_SYSCALL_H
#error "include futex/linux_syscall.h"
#endif

FS_ALWAYS_INLINE long fs_linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r0 __asm__("r0") = a;
    register long r1 __asm__("r1") = b;
    register long r2 __asm__("r2") = c;
    register long r3 __asm__("r3") = d;
    register long r4 __asm__("r4") = e;
    register long r5 __asm__("r5") = f;
    long aside;

    __asm__ volatile("mov %[aside], r7\n\t"
                     "mov r7, %[number]\n\t"
                     "svc #0\n\t"
                     "mov r7, %[aside]"
                     : "+r"(r0), [aside] "=&r"(aside)
                     : [number] "r"(number), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
                     : "cc", "memory");
    return r0;
}

#endif
