/* SPDX-License-Identifier: MIT */
/* Putting an implementation in the place of a name of libSystem: FS_INTERPOSE(pthread_mutex_lock)
   stands after the definition of fs_pthread_mutex_lock. dyld reads the tuples and binds every image
   but this one to ours; so the original is called from here by its name. Which names there are is
   settled by tuples.list. */
#ifndef FS_INTERPOSE_DARWIN_EXPORT_H
#define FS_INTERPOSE_DARWIN_EXPORT_H

struct fs_tuple {
    const void *replacement;
    const void *original;
};

#define FS_TUPLE(implementation, symbol)                                                           \
    extern char fs_original_##implementation[] __asm__(symbol);                                    \
    __attribute__((used, section("__DATA,__interpose,interposing"))) static const struct fs_tuple  \
        fs_tuple_##implementation = {(const void *)fs_##implementation,                            \
                                     fs_original_##implementation};

#define FS_INTERPOSE(name) FS_TUPLES_##name

#include "tuples_generated.h"

#endif
