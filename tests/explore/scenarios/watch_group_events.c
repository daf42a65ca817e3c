/* SPDX-License-Identifier: MIT */
/* To come. */
#include "scenarios/watch_group.h"
