/* SPDX-License-Identifier: MIT */
/* What the algorithms may be told from outside: how long to spin, whether a
   broadcast moves sleepers, how many processors there are. Written once before
   the first use by whoever reads the environment; read without synchronisation. */
#ifndef FS_LOCK_SETTINGS_H
#define FS_LOCK_SETTINGS_H

#include <stdbool.h>

#include "base/compiler.h"

#define FS_SPIN_DEFAULT 64u
#define FS_SPIN_MAX 10000u

struct fs_settings {
    unsigned spin;       /* how often a thread looks again before it sleeps; 0 = sleep at once */
    unsigned processors; /* that this process may use; with one, nobody spins */
    bool requeue;        /* a broadcast moves sleepers to the mutex */
    bool requeue_pi;     /* the kernel has FUTEX_WAIT_REQUEUE_PI */
};

extern FS_HIDDEN struct fs_settings fs_settings;

/* How often a thread may look again before it sleeps: never on a single processor. What lies
   between two looks is for each lock to say. */
FS_ALWAYS_INLINE unsigned fs_spin_budget(void)
{
    return fs_settings.processors > 1 ? fs_settings.spin : 0;
}

#endif
