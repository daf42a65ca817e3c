/* SPDX-License-Identifier: MIT */
/* To come. */
#include "explore.h"

const struct explore_scenario owed_scenarios[] = {
    {0},
};
