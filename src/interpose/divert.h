/* SPDX-License-Identifier: MIT */
/* Whose an object is: ours, or the C library's. The environment is read once, before the first
   decision on any object, so that all threads agree for good. */
#ifndef FS_INTERPOSE_DIVERT_H
#define FS_INTERPOSE_DIVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Bits of fs_divert, apart from those of a mutex's kind; 0: everything is ours, nothing special. */
#define FS_DIVERT_UNDECIDED 0x100000u /* the environment has not been read */
#define FS_DIVERT_LIBC 0x200000u      /* FASTSYNC=0, or another tool needs to see the calls */
#define FS_DIVERT_PI 0x400000u        /* FASTSYNC_PI=1 */
#define FS_DIVERT_EARLY 0x800000u     /* where the thread's id lies is not known (yet) */
#define FS_DIVERT_AWAY (FS_DIVERT_UNDECIDED | FS_DIVERT_LIBC)

extern FS_HIDDEN uint32_t fs_divert;

/* Read it by this: who finds a bit gone finds also what was found out before, such as where the
   thread's id lies. On Linux fs_end_early sees to that, once; macOS has nothing by which it could.
 */
FS_ALWAYS_INLINE uint32_t fs_divert_bits(void)
{
#ifdef __APPLE__
    return __atomic_load_n(&fs_divert, __ATOMIC_ACQUIRE);
#else
    return fs_divert;
#endif
}

/* What FASTSYNC_VERBOSE and dlopen need to know besides. */
struct fs_environment {
    bool verbose;
    bool keep_deepbind;
};

extern FS_HIDDEN struct fs_environment fs_environment;

/* The constructor has found what the fast paths rely on. */
void fs_end_early(void);

/* Reads the environment if nobody has. Returns the bits that hold from now on. */
uint32_t fs_decide(void);

/* True when calls go to the C library. */
FS_ALWAYS_INLINE bool fs_is_away(void)
{
    if (FS_LIKELY((fs_divert_bits() & FS_DIVERT_AWAY) == 0))
        return false;
    return (fs_decide() & FS_DIVERT_LIBC) != 0;
}

#endif
