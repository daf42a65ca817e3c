/* SPDX-License-Identifier: MIT */
/* What stands in front of WaitOnAddress and its like in a test program (--wrap): it knows who waits
   on which word, and a test can have it answer in the system's place. Where FASTSYNC_DISTURB is set
   it returns at once every now and then, as the system may at any time. */
#ifndef FS_TESTS_WINDOWS_WAITS_H
#define FS_TESTS_WINDOWS_WAITS_H

#include <stdbool.h>
#include <stdint.h>

#include "futex/futex.h"

/* An answer in the system's place: 0 is a wake-up, else the error that is the last one then. */
#define WAITS_ASK_THE_SYSTEM UINT32_MAX
/* A time-out, after the thread has slept until it was woken: that wake is lost. */
#define WAITS_LOSE_A_WAKE (UINT32_MAX - 1)

/* The answer to a wait of so many milliseconds. */
typedef uint32_t waits_answer(uint32_t timeout_ms);

/* Null: the system answers. */
void waits_answer_by(waits_answer *answer);

/* How many threads wait on the word and have not been woken. */
int waits_on(const fs_word *w);

/* As fs_futex_wake, and returns how many were woken. */
int waits_count_woken(fs_word *w, int count, enum fs_scope scope);

#endif
