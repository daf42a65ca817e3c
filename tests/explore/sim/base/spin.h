/* SPDX-License-Identifier: MIT */
/* base/spin.h as the explorer has it: a pause lets others go on. */
#ifndef FS_BASE_SPIN_H
#define FS_BASE_SPIN_H

void explore_pause(void);

static inline void fs_spin_pause(void)
{
    explore_pause();
}

#endif
