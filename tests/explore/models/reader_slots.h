/* SPDX-License-Identifier: MIT */
/* A model of a reader-writer lock whose readers do not write to it: while the lock says "slots",
   a reader notes the lock in a slot of its own record, by one restartable sequence. Nothing in
   src/lock does this yet: the model is where the protocol is settled before it is written.

       state       count of readers | WRITER | SLOTS | DRAINING
       writers     a mutex: the writer, from before its wait to the beginning of its release
       conversion  a mutex, for short: who turns slots into counts

   A writer, and a thread that unlocks for another, converts: SLOTS becomes DRAINING, a barrier ends
   the sequences of all others and drains their stores, and every slot that still names the lock is
   emptied by compare-and-swap and then counted. A reader leaves by a sequence while SLOTS stands,
   else by a compare-and-swap of its slot; if somebody else has emptied that, it is counted.

   R1  Holders = count + slots that name the lock, but for a conversion under way.
   R2  A slot is stored to only in a sequence that saw SLOTS, and what was done to the slot before
       that (so the look at the state acquires); all else is compare-and-swap.
   R3  WRITER is set only when the state is 0.
   R4  Nobody sleeps while it has `conversion`.
   R5  After a slot is emptied, or the state was changed by a release, only the lock's address is
       used; a writer gives `writers` back before that. */
#ifndef FS_EXPLORE_READER_SLOTS_H
#define FS_EXPLORE_READER_SLOTS_H

#include "explore.h"

#define SLOT_WRITER 0x10000u
#define SLOT_SLOTS 0x20000u
#define SLOT_DRAINING 0x40000u
#define SLOT_COUNT 0xffffu

struct slot_lock {
    fs_word state;
    fs_word writers;
    fs_word conversion;
};

/* Ways to get it wrong, for scenarios that must fail. */
enum slot_flaw {
    SLOT_FLAW_NONE = 0,
    SLOT_FLAW_NO_BARRIER,        /* slots are read right after the welcome is withdrawn */
    SLOT_FLAW_PLAIN_BARRIER,     /* stores are drained, sequences go on */
    SLOT_FLAW_RELAXED_LOOK,      /* a sequence sees the state, and a slot as it was before that */
    SLOT_FLAW_PLAIN_ENTRY,       /* a reader's entry is loads and a store, no sequence */
    SLOT_FLAW_PLAIN_EXIT,        /* likewise its exit */
    SLOT_FLAW_CONVERT_AS_WRITER, /* one mutex for conversion and writers */
    SLOT_FLAW_COUNT_FIRST,       /* a slot is counted, and then found empty and taken off again */
    SLOT_FLAW_WRITER_FIRST,      /* a reader waits while a writer does */
    SLOT_FLAW_WRITERS_LAST,      /* a writer gives `writers` back at the very end */
};

extern enum slot_flaw slot_flaw;

/* The records of all threads: 0 or 1, "the lock". */
extern fs_word slots[EXPLORE_THREADS];
extern unsigned slot_records; /* how many are looked at */

/* Whether a barrier was passed since SLOTS last became DRAINING, for the check of R2. */
extern bool slot_barrier_passed;

/* For the check of R1: how many stores that empty the thread's slot still wait in its buffer. The
   model adds one for each; whoever sees one become visible takes one off. */
extern int8_t slot_exits_waiting[EXPLORE_THREADS];

void slot_read(struct slot_lock *l);
void slot_unread(struct slot_lock *l); /* also for another thread */
void slot_write(struct slot_lock *l);
bool slot_try_write(struct slot_lock *l);
bool slot_write_until(struct slot_lock *l, const struct fs_deadline *deadline);
void slot_unwrite(struct slot_lock *l);

/* By a reader: welcomes readers to slots, if nothing stands against it. */
void slot_grant(struct slot_lock *l);

#endif
