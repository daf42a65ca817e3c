/* SPDX-License-Identifier: MIT */
/* What the scenarios over one lock word share: the word, and threads that acquire it in every way
   there is. */
#ifndef FS_EXPLORE_WORD_PARTS_H
#define FS_EXPLORE_WORD_PARTS_H

#include "explore.h"
#include "lock/word_lock.h"
#include "watch_word.h"

/* By itself, so that its memory can go. */
struct word_object {
    fs_word word;
};

extern struct word_object word_object;

/* ---- start: the scope, and how often a thread looks before it sleeps -------------------- */

void word_start(enum fs_scope scope, unsigned spin);
void word_start_private(void);
void word_start_shared(void);
void word_start_spinning(void);

/* ---- threads ------------------------------------------------------------------------------ */

/* Acquires, and expects that to succeed. */
void word_lock(void);

/* A critical section, and the release. */
void word_unlock(void);

void word_lock_once(void);
void word_lock_twice(void);
void word_lock_thrice(void);
void word_lock_once_shared(void);
void word_lock_until_deadline(void);

void word_try_once(void);
void word_try_twice(void);

/* ---- a gate: sleepers of another word, moved to this one by its holder -------------------- */

/* After word_start. */
void word_gate_start(void);

/* Until moved or woken. */
void word_gate_wait(void);

/* Acquires the word and moves all who wait there. The gate opens first, so that nobody goes back. */
void word_gate_move_all(void);

/* ---- checks ---------------------------------------------------------------------------------- */

void word_finish(void);

/* A waiter that has given up may leave a grant behind. */
void word_finish_with_grant(void);

#define WORD_WATCHED_BY(observer)                                                                  \
    .check = watch_word_check, .observe = (observer), .finish = word_finish
#define WORD_WATCHED WORD_WATCHED_BY(watch_word_observe)
#define WORD_WATCHED_WITH_GRANT                                                                    \
    .check = watch_word_check, .observe = watch_word_observe, .finish = word_finish_with_grant

#endif
