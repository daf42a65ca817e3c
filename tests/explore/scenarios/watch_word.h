/* SPDX-License-Identifier: MIT */
/* Watches lock words for scenarios: keeps, from the events alone, who holds each word and who is on
   the way to it, and checks the invariants W1 to W5 of lock/word_lock.h after every step; for the
   word of a plain mutex M1 to M4 of lock/mutex.h too. W4 needs no check of its own: a scenario
   kills the memory (explore_kill_memory) when the lock's user may.

   A failure starts with the invariant's number. All state here is part of the modelled world. */
#ifndef FS_EXPLORE_WATCH_WORD_H
#define FS_EXPLORE_WATCH_WORD_H

#include "explore.h"
#include "lock/mutex.h"
#include "lock/word_lock.h"

#define WATCH_WORDS 3  /* at once */
#define WATCH_COUNTS 5 /* counters of a word's moved members that are awake */

/* ---- in start, or whenever nobody uses the word ---------------------------------- */

/* The word is free, or granted. With FS_SCOPE_SHARED it never becomes granted or hungry. */
void watch_word_begin(fs_word *w, enum fs_scope scope);

/* The same for the word of a private-word or process-shared mutex. */
void watch_mutex_begin(struct fs_mutex *m);

/* The word may be released by a thread that has not acquired it. */
void watch_word_allow_strangers(const fs_word *w);

/* Before the word's memory goes, or serves something else. */
void watch_word_end(const fs_word *w);

/* ---- the scenario's own observe and check call these ------------------------------- */

void watch_word_observe(const struct explore_event *event);
void watch_word_check(void);

/* From finish: every word is free, nobody sleeps on it or owes anything. A grant that nobody came
   for is all right only when a waiter may have given up. */
void watch_word_finish(bool grant_may_be_left);

/* ---- from anywhere ------------------------------------------------------------------ */

/* The counter of fs_word_lock_acquire_among and fs_word_lock_rely_on for this word. */
void watch_word_counts(const fs_word *w, const fs_word *awake);

/* Who holds the word; EXPLORE_NOBODY. */
unsigned watch_word_holder(const fs_word *w);

/* A critical section of the calling thread, which believes that it holds the word. */
void watch_word_inside(const fs_word *w);

#endif
