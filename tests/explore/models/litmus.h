/* SPDX-License-Identifier: MIT */
/* Litmus tests: what the explorer's memory models allow and what they forbid, each as the smallest
   program that shows it. An outcome that a model must allow is a scenario that must fail, with
   the outcome as its failure; one that it must forbid is an ordinary scenario. They bind the
   explorer, not the locks: a model that is too strong would hide errors, and one that is too weak
   would invent some. */
#ifndef FS_EXPLORE_LITMUS_H
#define FS_EXPLORE_LITMUS_H

#include "explore.h"

extern fs_word litmus_x, litmus_y;

/* What was read, in the order of the threads and of their loads. */
extern uint32_t litmus_seen[4];

void litmus_start(void);

#define ALL_MODES (MODE_SC | MODE_TSO | MODE_WEAK)

/* The outcome must not be reached in these modes. */
#define NEVER(in, called, text, outcome, ...)                                                      \
    {                                                                                              \
        .name = "litmus/" called, .about = text, .bound = EXPLORE_EXHAUSTIVE, .modes = (in),       \
        .start = litmus_start, .thread = {__VA_ARGS__}, .finish = outcome,                         \
    }

/* The outcome must be reached in these modes. */
#define SEEN(in, called, text, outcome, failure, ...)                                              \
    {                                                                                              \
        .name = "litmus/" called, .about = text, .bound = EXPLORE_EXHAUSTIVE, .modes = (in),       \
        .must_fail = true, .finds = failure, .start = litmus_start, .thread = {__VA_ARGS__},       \
        .finish = outcome,                                                                         \
    }

#endif
