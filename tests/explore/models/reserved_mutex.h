/* SPDX-License-Identifier: MIT */
/* A model of a mutex that is reserved for the thread that uses it nearly always (biased locking),
   made of restartable sequences and an asymmetric fence. Nothing in src/lock does this yet: the
   model is where the protocol is settled before it is written.

       word            meaning
       0               free
       1, 2            locked; locked and somebody may sleep
       RESERVED | id   for thread id: locked if and only if holder is not 0
       REVOKED | n     the reservation is being taken back for the n-th time; locked likewise

   The thread that it is reserved for locks by one sequence that looks at word and holder and
   stores holder, and unlocks by another. Anybody else revokes: first the word, then a barrier that
   ends the sequences of all others and drains their stores, then one look at holder, and a
   compare-and-swap that settles the word: to 1, mine, or to 2, for its holder. Anyone may settle
   what another has revoked, and nobody waits for one who has.

   I1  holder is stored only by the one who holds the mutex (or who unlocks in its place), or in a
       sequence that saw the reservation of its own thread.
   I2  Once the barrier after a revocation is done, no such sequence is under way: holder stands
       still until the word is settled.
   I3  A revoked word is left only by one who was at the barrier since that very revocation, or by
       the holder.
   I4  Locked if and only if the word is 1 or 2, or it is reserved or revoked and holder is not 0.
   I5  After the store of 0 to holder (in a sequence) or the exchange of the word (else) only the
       address of the mutex is used. */
#ifndef FS_EXPLORE_RESERVED_MUTEX_H
#define FS_EXPLORE_RESERVED_MUTEX_H

#include "explore.h"

#define RESERVED_FREE 0u
#define RESERVED_LOCKED 1u
#define RESERVED_CONTENDED 2u
#define RESERVED 0x40000000u
#define REVOKED 0x80000000u

struct reserved_mutex {
    fs_word word;
    fs_word holder;
    fs_word revocations;
};

/* Ways to get it wrong, for scenarios that must fail. */
enum reserved_flaw {
    FLAW_NONE = 0,
    FLAW_NO_BARRIER,    /* holder is read right after the revocation */
    FLAW_PLAIN_BARRIER, /* stores are drained, sequences go on */
    FLAW_PLAIN_STORES,  /* loads and a store in place of a sequence */
    FLAW_NO_TEST,       /* the short path does not ask whether the mutex is held already */
    FLAW_LATE_LOOK,     /* unlock looks at the word once more after the release */
    FLAW_NO_NUMBER,     /* all revocations look the same */
    FLAW_NO_WAKE_STATE, /* a held mutex is settled to 1, and nobody marks that he sleeps */
};

extern enum reserved_flaw reserved_flaw;

/* 0, or EDEADLK: the caller holds it; or ETIMEDOUT. */
int reserved_lock(struct reserved_mutex *m, const struct fs_deadline *deadline);

/* 0 or EBUSY. */
int reserved_try(struct reserved_mutex *m);

/* Also by another thread than the holder, on its behalf. */
void reserved_unlock(struct reserved_mutex *m);

/* By the holder: reserves it for the caller, unless somebody waits. */
void reserved_grant(struct reserved_mutex *m);

/* A locker that never finishes: it revokes, and does `steps` of what would follow. */
void reserved_give_up(struct reserved_mutex *m, unsigned steps);

/* What the checks of I1 to I3 need to know of barriers: bit i for thread i, when that thread was at
   a barrier since the word was last revoked. */
extern uint32_t reserved_at_barrier;

#endif
