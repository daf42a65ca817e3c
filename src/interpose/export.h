/* SPDX-License-Identifier: MIT */
/* Exporting an implementation under every (name, version) pair that the table
   symbols.list gives it: FS_EXPORT_VERSIONS(pthread_mutex_lock) stands after the definition of
   fs_pthread_mutex_lock. The macros behind it are generated from the table. */
#ifndef FS_INTERPOSE_EXPORT_H
#define FS_INTERPOSE_EXPORT_H

/* One pair. `binding` is @ or, for the version new programs link with, @@. The alias is a symbol
   of its own, since an assembler may refuse two versions of one symbol. */
#define FS_EXPORT_PAIR(implementation, alias, name, binding, version)                              \
    __asm__(".globl " #alias "\n\t.set " #alias ", " #implementation "\n\t.type " #alias           \
            ", @function\n\t.symver " #alias ", " #name #binding #version "\n");

#define FS_EXPORT_VERSIONS(name) FS_VERSIONS_##name

#include "symbols_generated.h"

#endif
