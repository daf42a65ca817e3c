/* SPDX-License-Identifier: MIT */
/* To come. */
#include "explore.h"

const struct explore_scenario several_scenarios[] = {
    {0},
};
