/* SPDX-License-Identifier: MIT */
/* Words whose protocol the kernel owns, under watch: P1 and P2 of lock/pi_mutex.c, read off the
   events, and who is inside. */
#ifndef FS_WATCH_PI_H
#define FS_WATCH_PI_H

#include "explore.h"

/* In start. */
void watch_pi_start(const fs_word *w, const char *name);

/* In threads: the caller believes that it holds the word, and others may run; then it no longer
   does, before it releases. */
void watch_pi_inside(const fs_word *w);
void watch_pi_outside(const fs_word *w);

/* Before the word's memory goes. */
void watch_pi_end(const fs_word *w);

/* The caller is going to fork: who holds a word now may be known there by another id. */
void watch_pi_forks(void);

/* For the scenario's observe, check and finish. */
void watch_pi_observe(const struct explore_event *event);
void watch_pi_check(void);
void watch_pi_finish(void);

#endif
