/* SPDX-License-Identifier: MIT */
/* A watchdog for tests that may hang.

   It decides what a hung test reports: the test's name, its seed, the watched
   memory as 32-bit words, and the stack of every thread. The watching is done
   by another process, so it needs no lock, no thread and no signal of the test
   until the report is written. What counts as "too long" is the test's choice. */
#ifndef TESTS_SUPPORT_WATCHDOG_H
#define TESTS_SUPPORT_WATCHDOG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Areas beyond this number are not reported. */
#define WATCHDOG_AREAS 32

/* Names the test in the report; the string must stay valid. */
void watchdog_name(const char *test);

/* Adds an area to the report, also after the start. The area may go away: then it is
   reported as unreadable. */
void watchdog_watch(const char *name, const void *area, size_t size);

/* Removes every area. */
void watchdog_forget(void);

/* Starts the clock, or starts it afresh: `seconds` from now the report is written and the
   process ends with status 1. It covers the calling process, not its later children. */
void watchdog_start(unsigned seconds, uint64_t seed);

/* Ends the watch. */
void watchdog_stop(void);

#ifdef __cplusplus
}
#endif

#endif
