/* SPDX-License-Identifier: MIT */
/* See mixed_processes_cell.h: the rest to which all members come, which shows that none is stuck,
   and the audit of the books while nobody is inside.

   Kernel and libc may leave a sleeper on a robust mutex behind when a woken or a releasing thread
   dies, until somebody contends for the mutex again (README.md). So after such a death, and only
   then, a rest that does not come about is given up, and asked for again after some more rounds.
   With libc alone that happens once in some thousand deaths; one in NUDGE_RATE is too many. */
#include "mixed_processes_cell.h"

#include <unistd.h>

enum { NUDGE_AFTER_MS = 3000, NUDGE_US = 5000, NUDGE_RATE = 10 };

/* ---- the audit ---- */

/* How many of the dead died while they repaired what this one had left. */
static unsigned heirs_that_died(unsigned dead)
{
    unsigned count = 0;

    for (unsigned i = 1; i <= cell.lives; i++) {
        const struct mixed_life *life = &cell.area->lives[i];
        count += life->dead && life->last_stage == MIXED_REPAIRING && life->inherits == dead;
    }
    return count;
}

static void audit_life(unsigned number)
{
    struct mixed_life *life = &cell.area->lives[number];
    bool was_inside =
        life->dead && life->last_stage == MIXED_INSIDE && life->generation == cell.area->generation;

    if (was_inside && mixed_is_robust(cell.area, life->generation) && life->heirs == 0)
        mixed_give_up("member %u died inside, and nobody was told", number);
    if (life->heirs > 0 && (!life->dead || life->last_stage <= MIXED_RESTING))
        mixed_give_up("member %u has an heir and did not die inside", number);
    if (life->heirs > 1 && life->heirs > 1 + heirs_that_died(number))
        mixed_give_up("member %u died once and was inherited from %u times", number, life->heirs);
}

/* Every death inside was told once, every update is counted. Deaths that left no name in the
   journal were those of members in a call, or between a call and the writing of their name. */
static void audit(void)
{
    unsigned long told = 0, nameless = 0, in_calls = 0;
    const char *wrong = mixed_audit(&cell.area->objects[cell.area->generation]);

    if (wrong)
        mixed_give_up("while all rest: %s", wrong);
    for (unsigned i = 1; i <= cell.lives; i++) {
        const struct mixed_life *life = &cell.area->lives[i];
        audit_life(i);
        told += life->told;
        nameless += life->nameless;
        in_calls +=
            life->dead && life->last_stage > MIXED_RESTING && life->last_stage != MIXED_INSIDE;
    }
    if (nameless > in_calls)
        mixed_give_up("%lu deaths were told that did not happen inside", nameless - in_calls);
    cell.figures->heirs = told;
}

/* ---- the rest ---- */

struct patience {
    unsigned long rounds[MIXED_SEATS];
    double since[MIXED_SEATS]; /* when it was last seen to go on, or to rest */
};

static bool is_resting(int seat)
{
    return mixed_life_in(seat)->stage == MIXED_RESTING && mixed_life_in(seat)->rested == cell.rests;
}

/* Returns how many do not rest yet. */
static int look_round(struct patience *patience)
{
    int missing = 0;

    mixed_look_for_failures();
    for (int seat = 0; seat < MIXED_SEATS; seat++) {
        unsigned long rounds = mixed_life_in(seat)->rounds;
        if (is_resting(seat) || rounds != patience->rounds[seat])
            patience->since[seat] = mixed_now();
        else if (mixed_now() - patience->since[seat] > MIXED_PATIENCE_S)
            mixed_give_up("stuck: member %u has done nothing for %d s", cell.seats[seat],
                          MIXED_PATIENCE_S);
        patience->rounds[seat] = rounds;
        missing += !is_resting(seat);
    }
    return missing;
}

static void nudge(void)
{
    if (++cell.figures->nudges > 3 + cell.figures->kills / NUDGE_RATE)
        mixed_give_up("sleepers are left behind again and again: %lu nudges", cell.figures->nudges);
    cell.area->rest = 0;
    usleep(NUDGE_US);
    cell.area->rest = ++cell.rests;
}

void mixed_rest(void)
{
    struct patience patience = {{0}, {0}};
    double begin = mixed_now();

    for (int seat = 0; seat < MIXED_SEATS; seat++)
        patience.since[seat] = begin;
    cell.area->rest = ++cell.rests;
    while (look_round(&patience) > 0) {
        usleep(200);
        if (cell.may_nudge && mixed_now() - begin > NUDGE_AFTER_MS / 1e3) {
            nudge();
            begin = mixed_now();
        }
    }
    cell.may_nudge = false;
    audit();
}
