/* SPDX-License-Identifier: MIT */
/* The searches over the moves of the world. */
#ifndef FS_EXPLORE_SEARCH_H
#define FS_EXPLORE_SEARCH_H

#include "world.h"

enum verdict {
    VERDICT_PASSED,
    VERDICT_FAILED, /* session.failure says how; the path leads there */
    VERDICT_CUT,    /* out of time or states */
};

struct limits {
    unsigned bound;  /* preemptions; EXPLORE_EXHAUSTIVE */
    uint64_t states; /* at most; 0 = as many as there are */
    double seconds;  /* 0 = no limit */
    uint64_t runs;   /* random search: how many */
    uint64_t seed;
};

struct outcome {
    enum verdict verdict;
    uint64_t states;    /* different ones; random search: steps */
    uint64_t schedules; /* ways through the world that were followed to an end or a known state */
    unsigned depth;     /* the longest */
    double seconds;
    uint8_t *path; /* numbers of moves, when failed; to be freed */
    unsigned path_length;
};

/* Depth first, over states that are saved and compared. */
struct outcome search_all(const struct explore_scenario *scenario, enum explore_mode mode,
                          const struct limits *limits);

/* Random schedules with priorities that change at a few random moments (Burckhardt and others, "A
   randomized scheduler with probabilistic guarantees of finding bugs", 2010). */
struct outcome search_randomly(const struct explore_scenario *scenario, enum explore_mode mode,
                               const struct limits *limits);

/* Follows a path, with a trace. Returns whether it ends in a failure. */
bool search_replay(const struct explore_scenario *scenario, enum explore_mode mode,
                   const uint8_t *path, unsigned length);

/* Seconds of processor time: what a search costs does not depend on who else computes. */
double search_clock(void);

#endif
