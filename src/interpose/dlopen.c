/* SPDX-License-Identifier: MIT */
/* dlopen without RTLD_DEEPBIND. A library opened with that flag looks names up in itself and in
   the C library first: its locks would bypass us while the rest of the program uses ours.

   The C library resolves relative paths and $ORIGIN by the address that its dlopen returns to, so
   ours must not stand in between: it changes the flags and jumps (dlopen_jump.h). */
#include <dlfcn.h>
#include <stdint.h>

#include "interpose/divert.h"
#include "interpose/dlopen_jump.h"
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

#ifdef __thumb__
#define THUMB_FUNCTION "\t.thumb_func\n"
#else
#define THUMB_FUNCTION
#endif

__asm__(".text\n"
        "\t.balign 4\n"
        ".globl fs_dlopen\n"
        "\t.hidden fs_dlopen\n"
        "\t.type fs_dlopen, %function\n" THUMB_FUNCTION "fs_dlopen:\n"
        "\t.cfi_startproc\n" FS_DLOPEN_JUMP "\t.cfi_endproc\n"
        "\t.size fs_dlopen, . - fs_dlopen\n");
FS_EXPORT_VERSIONS(dlopen)
