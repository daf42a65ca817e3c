/* SPDX-License-Identifier: MIT */
/* What the scenarios of reader slots are made of. */
#ifndef FS_EXPLORE_SLOT_PROGRAMS_H
#define FS_EXPLORE_SLOT_PROGRAMS_H

#include "reader_slots.h"

/* Threads. */
void slot_read_once(void);
void slot_read_twice(void);
void slot_read_and_grant(void);
void slot_read_grant_and_read(void);
void slot_read_nested(void);
void slot_read_and_leave_it(void);        /* another is to unlock */
void slot_unread_for_another(void);       /* once somebody has left it */
void slot_read_and_unread_for_both(void); /* likewise, with a read lock of its own */
void slot_write_once(void);
void slot_write_twice(void);
void slot_try_write_once(void);
void slot_write_for_a_while(void);
void slot_write_and_try(void);
void slot_last_read(void); /* the lock may be freed once this has released it */
void slot_last_write(void);
void slot_free(void); /* writes when the others have come so far, and frees the lock */
void slot_free_by_reader(void);

/* With SLOTS, and records for thread 0, or for threads 0 and 1. */
void slot_start_with_one(void);
void slot_start_with_two(void);

/* R1; R2 to R4; what is left. */
void slot_check(void);
void slot_observe(const struct explore_event *event);
void slot_finish(void);

#define SLOT_CHECKED .check = slot_check, .observe = slot_observe, .finish = slot_finish

#endif
