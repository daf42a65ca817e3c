/* SPDX-License-Identifier: MIT */
/* The words on which single waiters with a PI mutex sleep, under watch: D1 to D3 of
   lock/condition_pi.c. */
#ifndef FS_WATCH_CONDITION_PI_H
#define FS_WATCH_CONDITION_PI_H

#include "explore.h"
#include "lock/waiter_group.h"

/* In start, once the tables are mapped: the bucket of the condition variable's PI waiters. */
void watch_condition_pi_start(const struct fs_bucket *bucket);

/* For the scenario's observe. Returns whether it was about a waiter's own word, which is no
   business of watch_group.h. */
bool watch_condition_pi_observe(const struct explore_event *event);

#endif
