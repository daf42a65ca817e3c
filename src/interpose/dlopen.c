/* SPDX-License-Identifier: MIT */
/* dlopen without RTLD_DEEPBIND. A library opened with that flag looks names up in itself and in
   the C library first: its locks would bypass us while the rest of the program uses ours.

   The C library resolves relative paths and $ORIGIN by the address that its dlopen returns to, so
   ours must not stand in between: it changes the flags and jumps. */
#include <dlfcn.h>
#include <stdint.h>

#include "interpose/divert.h"
#include "interpose/export.h"
#include "interpose/libc.h"

/* The flags to use, from the jump below. */
FS_HIDDEN int fs_dlopen_flags(int flags) __attribute__((used));
FS_HIDDEN uintptr_t fs_dlopen_target(void) __attribute__((used));

int fs_dlopen_flags(int flags)
{
    if (fs_is_away() || fs_environment.keep_deepbind)
        return flags;
    return flags & ~RTLD_DEEPBIND;
}

uintptr_t fs_dlopen_target(void)
{
    return (uintptr_t)fs_libc_functions()->dlopen;
}

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl fs_dlopen\n"
        ".hidden fs_dlopen\n"
        ".type fs_dlopen, @function\n"
        "fs_dlopen:\n"
        "\t.cfi_startproc\n"
        "\tpushq %rdi\n"
        "\t.cfi_adjust_cfa_offset 8\n"
        "\tsubq $16, %rsp\n"
        "\t.cfi_adjust_cfa_offset 16\n"
        "\tmovl %esi, %edi\n"
        "\tcall fs_dlopen_flags\n"
        "\tmovl %eax, 8(%rsp)\n"
        "\tcall fs_dlopen_target\n"
        "\tmovl 8(%rsp), %esi\n"
        "\taddq $16, %rsp\n"
        "\t.cfi_adjust_cfa_offset -16\n"
        "\tpopq %rdi\n"
        "\t.cfi_adjust_cfa_offset -8\n"
        "\tjmp *%rax\n"
        "\t.cfi_endproc\n"
        "\t.size fs_dlopen, . - fs_dlopen\n");
#else
#error "dlopen needs its jump written for this processor"
#endif
FS_EXPORT_VERSIONS(dlopen)
