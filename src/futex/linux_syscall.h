/* SPDX-License-Identifier: MIT */
/* One raw system call with six arguments, for the Linux files of this folder.
   It returns what the kernel returned: a negative errno number is an error.
   errno is not touched, nothing is a cancellation point, and no symbol of libc
   is needed on the processors that have code here. Others go through libc's syscall(). */
#ifndef FS_FUTEX_LINUX_SYSCALL_H
#define FS_FUTEX_LINUX_SYSCALL_H

#include <sys/syscall.h>

#include "base/compiler.h"

#if defined(__x86_64__) && !defined(__ILP32__)

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

#elif defined(__i386__)
#include "futex/linux_syscall_i386.h"
#elif defined(__arm__) && defined(__ARM_EABI__)
#include "futex/linux_syscall_arm.h"
#else

#include <errno.h>
#include <unistd.h>

FS_ALWAYS_INLINE long fs_linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    int saved = errno;
    long result = syscall(number, a, b, c, d, e, f);

    if (result == -1) {
        result = -errno;
        errno = saved;
    }
    return result;
}

#endif

#endif
