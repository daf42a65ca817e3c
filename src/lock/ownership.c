/* SPDX-License-Identifier: MIT */
/* What a type of mutex says to a thread that holds it already; the stage in front of every engine.
   mutex.c asks by the owner field, the engines whose word names the owner by the word. */
#include <errno.h>

#include "lock/mutex.h"

int fs_mutex_acquire_again(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode)
{
    switch (kind & FS_KIND_TYPE_MASK) {
    case FS_KIND_RECURSIVE:
        if (m->count == UINT32_MAX)
            return EAGAIN;
        m->count++;
        return 0;
    case FS_KIND_ERRORCHECK:
        /* glibc's trylock says EDEADLK for robust and PI mutexes. */
        return mode == FS_WAIT_NEVER && (!(kind & FS_KIND_TRY_EDEADLK) || kind & FS_KIND_MADE_PI)
                   ? EBUSY
                   : EDEADLK;
    default:
        return -1;
    }
}
