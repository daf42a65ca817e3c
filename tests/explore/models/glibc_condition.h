/* SPDX-License-Identifier: MIT */
/* The GNU C Library's condition variable as two models of one shape: the algorithm of versions
   2.25 to 2.40, which holds bug 25847, and the one of the repair. Both are written anew from the
   published description.

   Waiters stand in one sequence and in two groups. G1 is the older: signals go to it until each of
   its waiters has one. G2 collects new waiters; the first signal that finds G1 served closes it and
   turns G2 into G1. A slot (0 or 1) is used by G1 and G2 in turn, and the lowest bit of both
   counters names the slot of G2.

   Left out: destruction and its count of waiters, deadlines, cancellation, broadcast. */
#ifndef FS_EXPLORE_GLIBC_CONDITION_H
#define FS_EXPLORE_GLIBC_CONDITION_H

#include "explore.h"

struct glibc_condition {
    fs_wide
        sequence; /* bit 0: slot of G2; above: waiters that ever came, the next one's position */
    fs_wide g1_start; /* bit 0: slot of G2; above: position of the first waiter of G1 */
    fs_word refs[2];  /* bit 0: a switch waits for it to be 0; above: waiters around their sleep */
    fs_word signals[2];
    fs_word lock;      /* of signallers */
    uint32_t size[2];  /* under the lock: waiters without a signal; that of G2 is unused */
    uint32_t original; /* under the lock: how many waiters G1 had when it became G1 */
};

struct glibc_calls {
    void (*wait)(struct glibc_condition *c, fs_word *mutex);
    void (*signal)(struct glibc_condition *c);
};

extern const struct glibc_calls glibc_2_25;
extern const struct glibc_calls glibc_2_41;

/* Takes the next position; the caller holds the mutex. */
static inline uint64_t glibc_enter(struct glibc_condition *c)
{
    return fs_wide_add_acquire(&c->sequence, 2);
}

static inline uint64_t glibc_position(uint64_t sequence)
{
    return sequence >> 1;
}

static inline unsigned glibc_slot(uint64_t sequence)
{
    return sequence & 1;
}

/* How many waiters G2 has, when the sequence stands there. By the holder of the lock. */
static inline uint32_t glibc_newcomers(const struct glibc_condition *c, uint64_t sequence)
{
    uint64_t g1_end = glibc_position(fs_wide_load_relaxed(&c->g1_start)) + c->original;

    return (uint32_t)(glibc_position(sequence) - g1_end);
}

/* Moves the start of G1 past those that it has, and makes `old` the slot of G2 there. */
static inline void glibc_advance_start(struct glibc_condition *c, unsigned old)
{
    fs_wide_add_relaxed(&c->g1_start,
                        ((uint64_t)c->original << 1) + (old == 1 ? 1u : (uint64_t)-1));
}

/* Lets newcomers go to slot `old`; G2 as it stands becomes G1. Returns G1's size. */
static inline uint32_t glibc_open(struct glibc_condition *c, unsigned old)
{
    uint64_t g1_start = glibc_position(fs_wide_load_relaxed(&c->g1_start));
    uint64_t sequence = fs_wide_add_release(&c->sequence, old == 1 ? 1 : (uint64_t)-1);

    c->original = (uint32_t)(glibc_position(sequence) - g1_start);
    c->size[old ^ 1] += c->original;
    return c->size[old ^ 1];
}

#endif
