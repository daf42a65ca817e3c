/* SPDX-License-Identifier: MIT */
/* To come. */
#include "explore.h"

const struct explore_scenario led_scenarios[] = {
    {0},
};
