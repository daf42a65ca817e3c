/* SPDX-License-Identifier: MIT */
/* What scenarios with condition variables have in common: a mutex, a condition variable, something
   that is waited for, and the usual threads around them.

   No waiter looks at what it waits for in a loop: this library ends no wait without a signal (but
   for a cancellation that is disabled), so a wake-up that nobody meant, and a signal that went to
   nobody, are failures. */
#ifndef FS_EXPLORE_MEETING_H
#define FS_EXPLORE_MEETING_H

#include "scenarios/calls.h"
#include "scenarios/watch_group.h"
#include "scenarios/watch_word.h"

#define MEET_BIT(thread) ((uint8_t)(1u << (thread)))
#define MEET_WATCH                                                                                 \
    .check = watch_group_check, .observe = watch_group_observe, .finish = watch_group_finish

struct meeting {
    struct fs_mutex mutex;
    struct fs_mutex second; /* another, where one is needed */
    struct fs_condition cond;
    bool ready;    /* what is waited for; under the mutex */
    uint8_t asked; /* threads whose wait has begun and not ended, as bits; under the mutex */
    uint8_t got;   /* ... whose waits have returned 0 */
    uint8_t late;  /* ... and ETIMEDOUT */
    uint8_t cancelled;
    uint8_t on_it; /* ... who have still to leave the mutex for good, if they kill the meeting */
};

extern struct meeting meeting;

/* ---- in start ------------------------------------------------------------------- */

void meet_set_up(uint32_t kind, unsigned processors);

/* The first so many threads have begun to wait. */
void meet_queue(unsigned threads);

/* Last: from here on everything is watched, but for the second mutex. */
void meet_watch(void);

/* All of it with a normal mutex on two processors. */
void meet_with_nobody(void);
void meet_with_one(void);
void meet_with_two(void);

/* ---- threads ---------------------------------------------------------------------- */

/* A wait if it is not ready yet. */
void meet_wait(void);
void meet_wait_until(void); /* with a deadline that may come */

/* The rest of a wait that start has begun. */
void meet_wait_on(void);
void meet_wait_on_until(void);

/* Also frees everything then: nobody else is to use it any more. */
void meet_wait_on_and_kill(void);

/* As above by the last of those in meeting.on_it: nobody waits any more, nobody is in the mutex. */
void meet_wait_on_and_the_last_kills(void);

/* Comes later than the others, and waits for the next time. */
void meet_come_and_wait(void);

void meet_signal_holding(void);
void meet_signal_free(void);
void meet_broadcast_holding(void);
void meet_broadcast_free(void);

/* Signals without being ready. */
void meet_signal(void);

void meet_lock(void);

/* ---- parts of threads --------------------------------------------------------------- */

/* Holding the mutex; *deadline may be null. */
void meet_wait_if_not_ready(const struct fs_deadline *deadline);

/* A wait of the calling thread has ended with this. */
void meet_note(int err, bool timed);

/* The memory goes. */
void meet_kill(void);

/* Goes on when all others sleep or have ended: exactly these have got what they waited for. */
void meet_expect(uint8_t got);

#endif
