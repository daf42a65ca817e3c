/* SPDX-License-Identifier: MIT */
/*
 * The model: what POSIX and the README's table allow, independent of any implementation. A world
 * is one possible state of all objects and threads. Where several outcomes are allowed (who of the
 * waiters is signalled, who gets a lock first) the model keeps every world that agrees with what
 * was observed. A library is wrong when no world is left.
 */
#ifndef TESTS_FUZZ_MODEL_H
#define TESTS_FUZZ_MODEL_H

#include "script.h"

enum {
    BLOCKED = -1,   /* no result: the call goes on */
    CANCELLED = -2, /* the thread unwound, unlocked the mutex and ended */
    MOVES_MAX = 8,
    WORLDS_MAX = 256,
};

enum phase {
    IDLE,
    TRYING,  /* in a call, which ends as soon as the model allows */
    WAITING, /* on a condition variable */
    RELOCKING,
};

struct mutex_state {
    uint8_t kind, depth;
    int8_t owner;         /* -1: nobody */
    uint8_t died;         /* robust: its owner ended, and nobody has it yet */
    uint8_t inconsistent; /* robust: the owner has been told of a death */
    uint8_t lost;         /* robust: not recoverable */
};

struct cond_state {
    uint8_t kind;
};

struct rwlock_state {
    uint8_t kind;
    int8_t writer;
    uint8_t readers[THREADS];
};

struct thread_state {
    uint8_t phase;
    uint8_t is_cancelled; /* to be acted upon at the next wait */
    int16_t result;       /* of a wait that has only to get its mutex */
    struct call call;
};

struct world {
    struct mutex_state mutexes[MUTEXES];
    struct cond_state conds[CONDS];
    struct rwlock_state rwlocks[RWLOCKS];
    struct thread_state threads[ACTORS];
};

/* One thing that a thread in a call can do now. */
struct move {
    struct world world;
    int result; /* BLOCKED: the call goes on */
};

struct moves {
    int count;
    struct move move[MOVES_MAX];
};

struct worlds {
    int count;
    struct world world[WORLDS_MAX];
};

/* What was seen of a thread. */
struct seen {
    bool is_done;
    int result;
    bool is_late; /* its deadline has passed */
};

void model_begin(struct world *w, const struct script *s);

/* The thread enters a call, in every world. */
void model_call(struct worlds *set, const struct call *c);

/* All moves of a thread that is in a call. */
void model_moves(const struct world *w, int t, bool is_late, struct moves *moves);

/* Whether the thread's call could return now. */
bool model_can_return(const struct world *w, int t, bool is_late);

/* Replaces the set by all worlds that lead to what was seen, with every other thread blocked.
   Returns false, and leaves the set alone, when there is none. */
bool model_settle(struct worlds *set, const struct seen seen[ACTORS]);

/* Whether a call is no misuse, cannot deadlock, and has a result that the model knows, in this
   world. `is_libc`: faults of glibc's that the README names are gone round. */
bool model_is_legal(const struct world *w, const struct call *c, bool is_libc);

bool mutex_is_robust(uint8_t kind);
bool mutex_is_pi(uint8_t kind);
bool mutex_checks_type(uint8_t kind);  /* a second lock by the owner is answered */
bool mutex_checks_owner(uint8_t kind); /* an unlock by another is refused */
bool thread_holds_nothing_but(const struct world *w, int t, int mutex);

#endif
