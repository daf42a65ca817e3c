/* SPDX-License-Identifier: MIT */
/* What the scenarios of the reserved mutex are made of. */
#ifndef FS_EXPLORE_RESERVED_PROGRAMS_H
#define FS_EXPLORE_RESERVED_PROGRAMS_H

#include "reserved_mutex.h"

/* Threads. */
void reserved_once(void);
void reserved_twice(void);
void reserved_once_with_grant(void);
void reserved_grant_and_again(void);
void reserved_try_once(void);
void reserved_try_for_a_while(void);
void reserved_revoke_and_leave(void);
void reserved_relock_and_try(void);
void reserved_use_and_free(void);
void reserved_use_grant_and_free(void);
void reserved_lock_and_leave_it(void);
void reserved_unlock_for_another(void);

/* The mutex begins reserved for thread 0, or for a thread that never comes. */
void reserved_start(void);
void reserved_start_with_a_stranger(void);

/* I4; I1 to I3; these, but nothing that a word shows while it is revoked; and what is left. */
void reserved_check(void);
void reserved_observe(const struct explore_event *event);
void reserved_observe_settled(const struct explore_event *event);
void reserved_finish(void);

#define RESERVED_CHECKED                                                                           \
    .check = reserved_check, .observe = reserved_observe, .finish = reserved_finish

#endif
