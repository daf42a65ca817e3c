/* SPDX-License-Identifier: MIT */
/* One raw system call with six arguments, for the Linux files of this folder.
   It returns what the kernel returned: a negative errno number is an error.
   errno is not touched, nothing is a cancellation point, and no symbol of libc is
   needed on the processors that have a file here. Others go through libc's syscall(). */
#ifndef FS_FUTEX_LINUX_SYSCALL_H
#define FS_FUTEX_LINUX_SYSCALL_H

#include <sys/syscall.h>

#include "base/compiler.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#include "futex/linux_syscall_x86_64.h"
#elif defined(__aarch64__) && !defined(__ILP32__)
#include "futex/linux_syscall_aarch64.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "futex/linux_syscall_riscv64.h"
#elif defined(__powerpc64__)
#include "futex/linux_syscall_ppc64.h"
#elif defined(__s390x__)
#include "futex/linux_syscall_s390x.h"
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
