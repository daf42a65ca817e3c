/* SPDX-License-Identifier: MIT */
/* To come. */
#include "scenarios/calls.h"
