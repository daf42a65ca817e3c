/* SPDX-License-Identifier: MIT */
/* Small models of designs that look right and are not, one for each entry of tests/BREAKS.md that
   lies in the modelled world and is neither a mutation of src/lock nor in the models of reserved
   mutexes and reader slots. Each has a twin that differs only in the mistake and must pass:
   so it is the mistake that is found. */
#ifndef FS_EXPLORE_BREAKS_H
#define FS_EXPLORE_BREAKS_H

#include "explore.h"

static bool mended; /* the twin */

static void start(void);

static inline void start_mended(void)
{
    mended = true;
    start();
}

#define BREAK(called, text, failure, interference, ...)                                            \
    {                                                                                              \
        .name = "breaks/" called, .about = text, .world = interference,                            \
        .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_TSO, .must_fail = true, .finds = failure,       \
        .start = start, .thread = {__VA_ARGS__},                                                   \
    }

#define MENDED(called, interference, ...)                                                          \
    {                                                                                              \
        .name = "breaks/" called "-mended", .about = "the same without the mistake",               \
        .world = interference, .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_TSO,                     \
        .start = start_mended, .thread = {__VA_ARGS__},                                            \
    }

/* With the mistake, and without. */
#define BREAK_AND_TWIN(called, text, failure, interference, ...)                                   \
    BREAK(called, text, failure, interference, __VA_ARGS__),                                       \
        MENDED(called, interference, __VA_ARGS__)

#define NOTHING                                                                                    \
    {                                                                                              \
        0                                                                                          \
    }
#define ONE(what)                                                                                  \
    {                                                                                              \
        .what = 1                                                                                  \
    }

#endif
