/* SPDX-License-Identifier: MIT */
/* What the scenarios of condition variables with PI mutexes share: one condition variable, two
   mutexes, what is waited for, and all that watches them. */
#ifndef FS_CONDITION_PI_PARTS_H
#define FS_CONDITION_PI_PARTS_H

#include "explore.h"
#include "scenarios/calls.h"

#define PART_BIT(thread) ((uint8_t)(1u << (thread)))

extern struct fs_mutex part_mutex;
extern struct fs_mutex part_second;
extern struct fs_condition part_cond;

extern bool part_ready;    /* what is waited for; under the mutex */
extern uint8_t part_asked; /* who waits, as bits; under the mutex */
extern uint8_t part_got;   /* whose waits have returned 0 */

/* ---- in start ----------------------------------------------------------------------- */

void part_set_up(uint32_t kind);
void part_plain(void);
void part_robust(void);
void part_two_mutexes(void);

/* ---- for the tables ----------------------------------------------------------------- */

void part_observe(const struct explore_event *event);
void part_check(void);
void part_finish(void);

#define WATCH .check = part_check, .observe = part_observe, .finish = part_finish
#define ALL EXPLORE_EXHAUSTIVE

/* ---- in threads --------------------------------------------------------------------- */

/* Declares a mutex taken from a dead owner consistent. */
void part_lock(void);
void part_unlock(void);

/* By word, owner and count, and held once. */
bool part_is_mine(void);

/* Waits once, if there is need to. Returns whether it was signalled. */
bool part_wait_for_ready(const struct fs_deadline *deadline);

void part_waits(void);
void part_waits_until(void);
void part_waits_or_is_cancelled(void);
void part_signals_holding(void);
void part_signals_free(void);
void part_broadcasts_holding(void);
void part_broadcasts_free(void);
void part_broadcasts_when_quiet(void);
void part_cancels_first(void);
void part_signals_and_ends(void);

#endif
