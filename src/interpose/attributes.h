/* SPDX-License-Identifier: MIT */
/* The C library's calls for attributes. We do not answer for these names ourselves, so they are
   called directly: initialising an object must not search for a symbol. With glibc under their
   oldest versions, and weak, for old ones that keep them in a library of its own. */
#ifndef FS_INTERPOSE_ATTRIBUTES_H
#define FS_INTERPOSE_ATTRIBUTES_H

#include <pthread.h>

#ifdef FS_LIBC_MUSL
#define FS_ATTRIBUTE(name) extern __typeof__(name) name
#else
#include "symbols_generated.h"

#define FS_ATTRIBUTE(name)                                                                         \
    __asm__(".symver " #name ", " #name "@" FS_OLDEST_##name);                                     \
    extern __typeof__(name) name __attribute__((weak))
#endif

#endif
