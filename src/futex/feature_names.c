/* SPDX-License-Identifier: MIT */
/* What users know the features by, on systems that have them under no name of their own. Which of
   them there are is left to the system's file. */
#include "futex/futex.h"

const char *fs_system_feature_name(enum fs_futex_feature feature)
{
    static const char *const names[FS_FEATURE_COUNT] = {
        [FS_FEATURE_WAIT_BITSET] = "waking by bits",
        [FS_FEATURE_REQUEUE] = "moving sleepers",
        [FS_FEATURE_WAKE_OP] = "wake-op",
        [FS_FEATURE_PI] = "priority inheritance",
        [FS_FEATURE_LOCK_PI2] = "priority inheritance by either clock",
        [FS_FEATURE_REQUEUE_PI] = "moving sleepers with priority inheritance",
        [FS_FEATURE_WAIT_ANY] = "waiting on several words",
        [FS_FEATURE_MEMBARRIER] = "membarrier",
        [FS_FEATURE_RSEQ] = "membarrier for rseq",
    };

    return names[feature];
}
