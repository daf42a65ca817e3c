/* SPDX-License-Identifier: MIT */
/* The ghosts of watch_word.h: what watch_word.c and watch_mutex.c know of one word. All of it comes
   from events; what the word itself says is never taken for who holds it. */
#ifndef FS_EXPLORE_WATCH_STATE_H
#define FS_EXPLORE_WATCH_STATE_H

#include "watch_word.h"

/* A hungry word in the middle of an unlock by an older C library. */
#define WATCH_OLDER_HUNGRY (FS_LOCK_HUNGRY - 1)

#define WATCH_BIT(thread) ((uint8_t)(1u << (thread)))

/* The holder in fs_word_lock_rely_on: the word is "locked" already, and he has still to see whether
   somebody is awake, or to make it contended again because nobody is. */
enum relying { RELIES_NOT, RELIES_UNSEEN, RELIES_ALONE };

struct watched {
    fs_word *word; /* null: nothing is watched here */
    struct fs_mutex *mutex;
    const fs_word *awake[WATCH_COUNTS];
    const void *debt;                  /* what the holder owes, as last seen */
    const void *paid;                  /* paid, and not taken off the books yet */
    const void *owed[EXPLORE_THREADS]; /* what a releaser has still to pay */
    enum fs_scope scope;
    enum relying relying;
    uint32_t value;
    uint32_t count; /* the mutex's, as last seen */
    uint32_t nusers;
    uint8_t holder; /* its number plus 1; 0 = nobody */
    uint8_t inside;
    /* The carriers of W2, one bit for each thread: */
    uint8_t releasing; /* between its store and its wake */
    uint8_t woken;     /* has neither acquired nor made the word contended nor slept again */
    uint8_t counted;   /* the same, for one that has counted itself in `awake` */
    /* Of a grant that nobody has taken: */
    uint8_t granter; /* plus 1, until its release is over */
    uint8_t meant;   /* who slept with the hungry bit then, until one of them is awake */
    bool strangers;
    bool turned_over;
    bool drops_hunger;  /* the holder has made a hungry word contended: to turn it over? */
    bool debt_is_fresh; /* taken on just now: the word is going to be made contended */
};

/* The wake call under way, over several steps if the kernel chooses among sleepers. */
struct wake_call {
    const void *word;
    uint8_t waker;   /* plus 1; 0 = none */
    uint8_t pending; /* how many it has still to wake */
    bool found;
    bool matches_all;
};

/* ---- watch_word.c ------------------------------------------------------------------ */

/* Those asleep on the word whose bits meet these. */
uint8_t watch_sleepers_with(const void *word, uint64_t bits);

/* ---- watch_moves.c ----------------------------------------------------------------- */

/* The thread has changed the word, or has failed to. */
void watch_note_write(struct watched *watch, unsigned thread, uint32_t old, uint32_t new);
void watch_note_failure(struct watched *watch, unsigned thread);

/* The thread makes no more wake calls for its last release, if it has not ended before. */
void watch_end_release(struct watched *watch, unsigned thread);

/* The thread is not on the way to the word any more (W2). */
void watch_not_a_carrier(struct watched *watch, unsigned thread);

/* ---- watch_mutex.c ---------------------------------------------------------------- */

void watch_mutex_note_kind(struct watched *watch, unsigned thread, uint32_t old, uint32_t new);

/* The holder is about to release, having found `old` in the word. */
void watch_mutex_note_release(struct watched *watch, unsigned thread, uint32_t old);

/* The releaser makes no more calls. */
void watch_mutex_note_end_of_release(struct watched *watch, unsigned thread);

/* Any thread makes a wake call on some word. */
void watch_mutex_note_wake(struct watched *watch, unsigned thread, const void *word, uint32_t bits);

/* Any other access of the thread's. */
void watch_mutex_note_step(struct watched *watch, unsigned thread);

/* `mover` ran last, plus 1; 0 = nobody, or not known. */
void watch_mutex_check(struct watched *watch, uint8_t mover);

void watch_mutex_finish(const struct watched *watch);

#endif
