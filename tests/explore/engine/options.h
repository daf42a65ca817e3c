/* SPDX-License-Identifier: MIT */
/* What the command was asked for. */
#ifndef FS_EXPLORE_OPTIONS_H
#define FS_EXPLORE_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "search.h"

#define PATTERNS_MAX 64u

struct options {
    const char *module;
    const char *patterns[PATTERNS_MAX];
    unsigned pattern_count;
    unsigned mode; /* 0: as the scenario says */
    int bound;     /* -1: as the scenario says */
    bool full;
    bool until_failure;
    bool traces; /* also of controls */
    struct limits limits;
    const char *replay;
    FILE *json;
    bool list;
};

struct totals {
    unsigned run, failed;
    bool any;
};

/* Reads the command line into options that hold the defaults. Ends the program where it says so, or
   where it cannot be understood. */
void options_parse(int argc, char **argv, struct options *options);

unsigned options_parse_mode(const char *text);
const char *options_mode_name(unsigned mode);

/* Ends the program: it was used wrongly. */
_Noreturn void options_refuse(const char *what, const char *value);

#endif
