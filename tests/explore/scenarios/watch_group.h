/* SPDX-License-Identifier: MIT */
/* Watches the waiters of condition variables for scenarios: the buckets, groups and slots of
   lock/waiter_group.h, read as they lie in memory, against its invariants C1 to C6 and the rules
   for the fields of a group, after every step and at the end. Mutexes that it is told of are
   watched by watch_word.h besides.

   A failure starts with the invariant's number. What it does not see: C2, which a scenario
   tests by killing the condition variable's memory (explore_kill_memory). */
#ifndef FS_EXPLORE_WATCH_GROUP_H
#define FS_EXPLORE_WATCH_GROUP_H

#include "explore.h"
#include "lock/condition.h"

/* ---- in start, after all joins there; or later, when start must not map the tables ---- */

/* The buckets of this condition variable, of both tables. */
void watch_condition(const struct fs_condition *c);

/* A mutex of those condition variables, of private word or process-shared. */
void watch_condition_mutex(struct fs_mutex *m);

/* As above, for one that is released by threads that have not acquired it. */
void watch_mutex_of_strangers(struct fs_mutex *m);

/* Before the mutex's memory goes. */
void watch_mutex_end(struct fs_mutex *m);

/* ---- a scenario's own check, observe and finish ------------------------------------ */

void watch_group_check(void);
void watch_group_observe(const struct explore_event *event);

/* Nobody waits, nothing is in use, and the mutexes are free. */
void watch_group_finish(void);

#endif
