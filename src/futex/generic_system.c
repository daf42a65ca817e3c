/* SPDX-License-Identifier: MIT */
/* What the generic backend says of itself, and ids of threads on a system that is not asked for
   any: numbers in the order in which threads first needed one. A fork child's thread keeps its. */
#include "futex/futex.h"

static fs_word last_id;
static FS_THREAD_LOCAL uint32_t own_id;

uint32_t fs_system_thread_id(void)
{
    while (own_id == 0)
        own_id = (fs_add_seq_cst(&last_id, 1) + 1) & (FS_PI_TID_MASK >> 1);
    return own_id;
}

bool fs_system_has(enum fs_futex_feature feature)
{
    switch (feature) {
    case FS_FEATURE_WAIT_BITSET:
    case FS_FEATURE_REQUEUE:
    case FS_FEATURE_WAKE_OP:
    case FS_FEATURE_WAIT_ANY:
        return true;
    default:
        return false;
    }
}
