/* SPDX-License-Identifier: MIT */
/*
 * The search for worlds that agree with what was observed: from each world that was possible
 * before, every order of moves of the threads that are in a call is tried. A world remains when
 * all calls that returned have returned in it with the same results, and none of the others could.
 */
#include "model.h"

#include <string.h>

void model_call(struct worlds *set, const struct call *c)
{
    for (int i = 0; i < set->count; i++) {
        set->world[i].threads[c->thread].phase = TRYING;
        set->world[i].threads[c->thread].call = *c;
    }
}

/* A move that does not end the call brings it one phase on: the recursion is shallow. */
bool model_can_return(const struct world *w, int t, bool is_late)
{
    struct moves moves;

    model_moves(w, t, is_late, &moves);
    for (int i = 0; i < moves.count; i++)
        if (moves.move[i].result != BLOCKED || model_can_return(&moves.move[i].world, t, is_late))
            return true;
    return false;
}

struct search {
    const struct seen *seen;
    struct worlds *found;
};

/* Every call that did not return must be blocked; a wait has given up its mutex by then. */
static bool all_are_blocked(const struct search *s, const struct world *w)
{
    for (int t = 0; t < ACTORS; t++) {
        const struct thread_state *thread = &w->threads[t];

        if (thread->phase == IDLE)
            continue;
        if (s->seen[t].is_done || (thread->phase == TRYING && op_is_wait(thread->call.op)) ||
            model_can_return(w, t, s->seen[t].is_late))
            return false;
    }
    return true;
}

static void keep(struct worlds *set, const struct world *w)
{
    for (int i = 0; i < set->count; i++)
        if (memcmp(&set->world[i], w, sizeof *w) == 0)
            return;
    if (set->count < WORLDS_MAX)
        set->world[set->count++] = *w;
}

static void explore(const struct search *s, const struct world *w)
{
    if (all_are_blocked(s, w))
        keep(s->found, w);
    for (int t = 0; t < ACTORS; t++) {
        struct moves moves;

        if (w->threads[t].phase == IDLE)
            continue;
        model_moves(w, t, s->seen[t].is_late, &moves);
        for (int i = 0; i < moves.count; i++) {
            int result = moves.move[i].result;

            if (result == BLOCKED || (s->seen[t].is_done && s->seen[t].result == result))
                explore(s, &moves.move[i].world);
        }
    }
}

bool model_settle(struct worlds *set, const struct seen seen[ACTORS])
{
    static struct worlds found;
    struct search search = {seen, &found};

    found.count = 0;
    for (int i = 0; i < set->count; i++)
        explore(&search, &set->world[i]);
    if (found.count == 0)
        return false;
    *set = found;
    return true;
}
