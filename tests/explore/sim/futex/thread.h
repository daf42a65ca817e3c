/* SPDX-License-Identifier: MIT */
/* futex/thread.h as the explorer has it: who the running coroutine is. Nobody is ever alone. */
#ifndef FS_FUTEX_THREAD_H
#define FS_FUTEX_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "futex/futex.h"

uint32_t sim_thread_id(void);
void *sim_robust_list(void);

FS_ALWAYS_INLINE uint32_t fs_thread_id(void)
{
    return sim_thread_id();
}

FS_ALWAYS_INLINE uint32_t fs_thread_id_known(void)
{
    return sim_thread_id();
}

FS_ALWAYS_INLINE void *fs_system_robust_list(void)
{
    return sim_robust_list();
}

FS_ALWAYS_INLINE bool fs_is_single_threaded(void)
{
    return false;
}

#endif
