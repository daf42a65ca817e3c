/* SPDX-License-Identifier: MIT */
/* The system call of linux_syscall.h on 64-bit RISC-V. The kernel answers in a0 and keeps every
   other register but those of the vector extension. */
#ifndef FS_FUTEX_LINUX_SYSCALL_RISCV64_H
#define FS_FUTEX_LINUX_SYSCALL_RISCV64_H

#include "base/compiler.h"

#ifdef __riscv_vector
#ifdef __clang__ /* takes vl and vtype for changed by any assembly */
#define FS_LINUX_SPOILS_VL
#else
#define FS_LINUX_SPOILS_VL "vl", "vtype",
#endif
/* clang-format off */
#define FS_LINUX_SPOILS_VECTORS FS_LINUX_SPOILS_VL                                                 \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", \
    "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27",     \
    "v28", "v29", "v30", "v31",
/* clang-format on */
#else
#define FS_LINUX_SPOILS_VECTORS
#endif

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
                     : FS_LINUX_SPOILS_VECTORS "memory");
    return a0;
}

#endif
