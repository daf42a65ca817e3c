/* SPDX-License-Identifier: MIT */
/* The algorithm of glibc 2.25 to 2.40. A slot's word counts the signals that nobody has taken yet,
   twice, with "closed" in bit 0; a slot that is opened again starts from 0. So a waiter that was
   slow may take a signal of a later group in the same slot. It looks for that afterwards and
   gives the signal back: this is where bug 25847 lies. What looks like a stolen signal may have
   been its own, and the later group then has one more than it was given. A member that leaves
   with it stays in the group's size, and a later signal is spent on nobody. */
#include "glibc_condition.h"
#include "plain_mutex.h"

#define CLOSED 1u
#define SIGNAL 2u
#define SWITCH_WAITS 1u
#define REF 2u

static void leave_slot(struct glibc_condition *c, unsigned slot)
{
    if (fs_add_release(&c->refs[slot], -REF) != (REF | SWITCH_WAITS))
        return;
    fs_and_relaxed(&c->refs[slot], ~SWITCH_WAITS);
    fs_futex_wake(&c->refs[slot], FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

/* Returns whether the group is closed; if not, a signal is there. */
static bool wait_for_signal(struct glibc_condition *c, uint64_t sequence, uint32_t *signals)
{
    unsigned slot = glibc_slot(sequence);

    for (;;) {
        bool closed;

        if (*signals & CLOSED)
            return true;
        if (*signals != 0)
            return false;
        fs_add_acquire(&c->refs[slot], REF);
        closed = (fs_load_acquire(&c->signals[slot]) & CLOSED) != 0 ||
                 glibc_position(sequence) < glibc_position(fs_wide_load_relaxed(&c->g1_start));
        if (!closed)
            fs_futex_wait(&c->signals[slot], 0, NULL, FS_SCOPE_PRIVATE);
        leave_slot(c, slot);
        if (closed)
            return true;
        *signals = fs_load_acquire(&c->signals[slot]);
    }
}

/* After taking a signal: if the slot is that of a later G1 by now, gives one back to it. */
static void give_back_if_stolen(struct glibc_condition *c, uint64_t sequence)
{
    unsigned slot = glibc_slot(sequence);
    uint64_t g1_start = fs_wide_load_relaxed(&c->g1_start);
    uint32_t signals;

    if (glibc_position(sequence) >= glibc_position(g1_start) || glibc_slot(g1_start) == slot)
        return;
    signals = fs_load_relaxed(&c->signals[slot]);
    while (fs_wide_load_relaxed(&c->g1_start) == g1_start) {
        if ((signals & CLOSED) == 0 &&
            !fs_cas_relaxed(&c->signals[slot], &signals, signals + SIGNAL))
            continue;
        fs_futex_wake(&c->signals[slot], 1, FS_SCOPE_PRIVATE);
        return;
    }
}

static void wait(struct glibc_condition *c, fs_word *mutex)
{
    uint64_t sequence = glibc_enter(c);
    unsigned slot = glibc_slot(sequence);
    uint32_t signals;
    bool closed;

    plain_unlock(mutex);
    signals = fs_load_acquire(&c->signals[slot]);
    do
        closed = wait_for_signal(c, sequence, &signals);
    while (!closed && !fs_cas_acquire(&c->signals[slot], &signals, signals - SIGNAL));
    if (!closed)
        give_back_if_stolen(c, sequence);
    plain_lock(mutex);
}

/* Closes G1 and waits until nobody is around a sleep in its slot any more. */
static void quiesce(struct glibc_condition *c, unsigned slot)
{
    uint32_t refs;

    fs_or_relaxed(&c->signals[slot], CLOSED);
    refs = fs_or_release(&c->refs[slot], 0);
    while (refs >= REF) {
        refs = fs_or_relaxed(&c->refs[slot], SWITCH_WAITS);
        if (refs >= REF) {
            fs_futex_wait(&c->refs[slot], refs | SWITCH_WAITS, NULL, FS_SCOPE_PRIVATE);
            refs = fs_load_relaxed(&c->refs[slot]);
        }
    }
    fs_fence_seq_cst(); /* theirs is an acquire fence */
}

/* Makes G2 the new G1, if it has waiters. Returns whether it is worth a signal. */
static bool switch_groups(struct glibc_condition *c, uint64_t sequence, unsigned *g1)
{
    unsigned old = *g1;

    if (glibc_newcomers(c, sequence) + c->size[old ^ 1] == 0)
        return false;
    quiesce(c, old);
    glibc_advance_start(c, old);
    fs_store_release(&c->signals[old], 0);
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
        fs_add_relaxed(&c->signals[g1], SIGNAL);
        c->size[g1]--;
        given = true;
    }
    plain_unlock(&c->lock);
    if (given)
        fs_futex_wake(&c->signals[g1], 1, FS_SCOPE_PRIVATE);
}

const struct glibc_calls glibc_2_25 = {wait, signal};
