/* SPDX-License-Identifier: MIT */
/* Robust mutexes under watch, of both word protocols: the invariants R1 to R3 of
   lock/robust_mutex.c, and what a caller may be told after which death. The calls below are the
   scenario's way to the mutex; each returns what the lock returned, after judging it. */
#ifndef FS_WATCH_ROBUST_H
#define FS_WATCH_ROBUST_H

#include "explore.h"
#include "lock/mutex.h"

/* In start. kind: with FS_KIND_ROBUST; FS_KIND_PI besides for the kernel's protocol. */
void watch_robust_start(struct fs_mutex *m, uint32_t kind, const char *name);

/* ---- in threads ----------------------------------------------------------------------- */

/* Returns whether the caller holds the mutex now; *died: it learned of a death. */
bool watch_robust_enter(struct fs_mutex *m, enum fs_wait_mode mode,
                        const struct fs_deadline *deadline, bool *died);
void watch_robust_mend(struct fs_mutex *m);
void watch_robust_work(struct fs_mutex *m); /* others may run; the caller holds it once */
void watch_robust_leave(struct fs_mutex *m);

/* ---- for the scenario's observe, check and finish --------------------------------------- */

void watch_robust_observe(const struct explore_event *event);
void watch_robust_check(void);
void watch_robust_finish(void);

#endif
