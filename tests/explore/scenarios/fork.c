/* SPDX-License-Identifier: MIT */
/* To come. */
#include "explore.h"

const struct explore_scenario fork_scenarios[] = {
    {0},
};
