/* SPDX-License-Identifier: MIT */
/* The settings as they stand before anybody has read the environment. */
#include "lock/settings.h"

struct fs_settings fs_settings = {
    .spin = FS_SPIN_DEFAULT,
    .processors = 2,
    .requeue = true,
    .requeue_pi = true,
};
