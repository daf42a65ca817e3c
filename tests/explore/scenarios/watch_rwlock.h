/* SPDX-License-Identifier: MIT */
/* One reader-writer lock under watch: the invariants L1 to L5 of lock/rwlock.h, read off the state
   and off what has happened to it. The scenario says who comes; this file says whether the word and
   its sleepers are as the header promises. */
#ifndef FS_WATCH_RWLOCK_H
#define FS_WATCH_RWLOCK_H

#include "explore.h"
#include "lock/rwlock.h"

/* In start. `calls` acquisitions are going to be made. The lock's memory dies with the releasing
   move of the last of them (L5), or becomes a fresh lock if `reused`. */
void watch_rwlock_start(struct fs_rwlock *l, enum fs_rw_preference preference, unsigned calls,
                        bool reused);

/* In threads: a call has failed, or the caller is about to begin the release that ends it. */
void watch_rwlock_last_use(void);

/* Whether the memory is not the lock's any more. */
bool watch_rwlock_is_over(void);

/* For the scenario's observe, check and finish. */
void watch_rwlock_observe(const struct explore_event *event);
void watch_rwlock_check(void);
void watch_rwlock_finish(void);

#endif
