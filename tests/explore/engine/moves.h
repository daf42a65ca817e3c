/* SPDX-License-Identifier: MIT */
/* What may happen next in the world, in a fixed order, so that a list of numbers is a schedule. */
#ifndef FS_EXPLORE_MOVES_H
#define FS_EXPLORE_MOVES_H

#include "world.h"

enum move_kind {
    MOVE_RUN,      /* a thread goes on to its next point */
    MOVE_ANSWER,   /* the thread that asks gets this number */
    MOVE_EXIT,     /* the kernel hands on what a dead thread had */
    MOVE_DRAIN,    /* the oldest buffered store of a thread becomes visible */
    MOVE_TIMEOUT,  /* the deadline of a sleeper comes */
    MOVE_SPURIOUS, /* a sleeper comes back for nothing */
    MOVE_EINTR,    /* a signal handler ends the sleep */
    MOVE_RESTART,  /* a signal handler runs, and the call begins anew */
    MOVE_DIE,
    MOVE_ABORT, /* a preemption inside a restartable sequence */
};

struct move {
    uint8_t kind;
    uint8_t thread;
    uint8_t value;
};

#define MOVES_MAX 64u

enum outlook {
    OUTLOOK_OPEN,  /* there are moves */
    OUTLOOK_FINAL, /* all threads have ended */
    OUTLOOK_STUCK, /* nobody can go on */
};

/* Lists the moves. Those of the world's interference are listed also when stuck. */
enum outlook moves_list(struct move moves[MOVES_MAX], unsigned *count);

/* How many preemptions the move costs: 0 or 1. */
unsigned move_cost(const struct move *move);

/* Makes it, and checks the invariants. False: the run has failed. */
bool move_make(const struct move *move);

/* Sets session.failure to say who waits for what. */
void moves_describe_deadlock(void);

/* Whether the move is of the threads' own: not interference. */
static inline bool move_is_progress(const struct move *move)
{
    return move->kind <= MOVE_DRAIN;
}

#endif
