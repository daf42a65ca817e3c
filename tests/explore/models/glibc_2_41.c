/* SPDX-License-Identifier: MIT */
/* The idea of the repair in glibc 2.41: a slot's word does not count from 0 in every group, but
   from the position where the group starts. So a signal belongs to one group for good: a waiter
   takes one only if its own group is G1 and has more than the group's start, returns if the
   group is closed, and never has anything to give back. Nobody waits for the slot to become quiet,
   so `refs` is unused. */
#include "glibc_condition.h"
#include "plain_mutex.h"

enum outcome { OUTCOME_DONE, OUTCOME_SIGNAL, OUTCOME_SLEEP };

/* What a waiter may do that has seen `signals` in its slot. */
static enum outcome look(struct glibc_condition *c, uint64_t sequence, uint32_t signals)
{
    uint64_t g1_start = fs_wide_load_relaxed(&c->g1_start);

    if (glibc_position(sequence) < glibc_position(g1_start))
        return OUTCOME_DONE;
    if (glibc_slot(g1_start) == glibc_slot(sequence))
        return OUTCOME_SLEEP; /* still G2 */
    if ((int32_t)(signals - (uint32_t)glibc_position(g1_start)) > 0)
        return OUTCOME_SIGNAL;
    return OUTCOME_SLEEP;
}

static void wait(struct glibc_condition *c, fs_word *mutex)
{
    uint64_t sequence = glibc_enter(c);
    fs_word *word = &c->signals[glibc_slot(sequence)];

    plain_unlock(mutex);
    for (;;) {
        /* Pairs with the stores of switch_groups: who sees them sees the start too. */
        uint32_t signals = fs_load_acquire(word);
        enum outcome outcome = look(c, sequence, signals);

        if (outcome == OUTCOME_DONE)
            break;
        if (outcome == OUTCOME_SLEEP)
            fs_futex_wait(word, signals, NULL, FS_SCOPE_PRIVATE);
        else if (fs_cas_acquire(word, &signals, signals - 1))
            break;
    }
    plain_lock(mutex);
}

static bool switch_groups(struct glibc_condition *c, uint64_t sequence, unsigned *g1)
{
    unsigned old = *g1;
    uint32_t start;

    if (glibc_newcomers(c, sequence) + c->size[old ^ 1] == 0)
        return false;
    glibc_advance_start(c, old); /* closes G1 */
    start = (uint32_t)glibc_position(fs_wide_load_relaxed(&c->g1_start));
    fs_store_release(&c->signals[old], start);
    fs_futex_wake(&c->signals[old], FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    fs_store_release(&c->signals[old ^ 1], start);
    *g1 = old ^ 1;
    return glibc_open(c, old) != 0;
}

static void signal(struct glibc_condition *c)
{
    uint64_t sequence;
    unsigned g1;
    bool given = false;

    plain_lock(&c->lock);
    sequence = fs_wide_load_relaxed(&c->sequence);
    g1 = glibc_slot(sequence) ^ 1;
    if (c->size[g1] != 0 || switch_groups(c, sequence, &g1)) {
        fs_add_relaxed(&c->signals[g1], 1);
        c->size[g1]--;
        given = true;
    }
    plain_unlock(&c->lock);
    if (given)
        fs_futex_wake(&c->signals[g1], 1, FS_SCOPE_PRIVATE);
}

const struct glibc_calls glibc_2_41 = {wait, signal};
