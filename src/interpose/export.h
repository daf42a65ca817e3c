/* SPDX-License-Identifier: MIT */
/* Exporting an implementation under every (name, version) pair that the table
   symbols.list gives it on this port of the C library: FS_EXPORT_VERSIONS(pthread_mutex_lock)
   stands after the definition of fs_pthread_mutex_lock. The macros behind it are generated from
   the table, and so are FS_CALLED_name and FS_OLDEST_name: the name and the oldest version of the
   C library's function that takes the same arguments as ours. */
#ifndef FS_INTERPOSE_EXPORT_H
#define FS_INTERPOSE_EXPORT_H

#ifdef __thumb__ /* an address of Thumb code is odd, and so is its alias's */
#define FS_EXPORT_SET ".thumb_set "
#else
#define FS_EXPORT_SET ".set "
#endif

/* One pair. `binding` is @ or, for the version new programs link with, @@. The alias is a symbol
   of its own, since an assembler may refuse two versions of one symbol. */
#define FS_EXPORT_PAIR(implementation, alias, name, binding, version)                              \
    __asm__(".globl " #alias "\n\t" FS_EXPORT_SET #alias ", " #implementation "\n\t.type " #alias  \
            ", %function\n\t.symver " #alias ", " #name #binding #version "\n");

/* The name alone, for a C library whose symbols have no versions. */
#define FS_EXPORT_NAME(implementation, alias, name)                                                \
    __asm__(".globl " #name "\n\t" FS_EXPORT_SET #name ", " #implementation "\n\t.type " #name     \
            ", %function\n");

#define FS_EXPORT_VERSIONS(name) FS_VERSIONS_##name

#ifdef FS_LIBC_MUSL
#include "symbols_musl.h"
#else
#include "symbols_generated.h"
#endif

#endif
