/* SPDX-License-Identifier: MIT */
/* The settings as they stand before anybody has read the environment. */
#include "lock/settings.h"

/* Nobody is moved or put off where no sleeper can be chosen among others: the systems without bits
   cannot move sleepers either. */
#ifdef FS_WITHOUT_WAKE_BITS
#define FS_REQUEUE_DEFAULT false
#else
#define FS_REQUEUE_DEFAULT true
#endif

struct fs_settings fs_settings = {
    .spin = FS_SPIN_DEFAULT,
    .processors = 2,
    .requeue = FS_REQUEUE_DEFAULT,
    .requeue_pi = FS_REQUEUE_DEFAULT,
};
