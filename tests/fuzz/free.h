/* SPDX-License-Identifier: MIT */
/* The free-running mode: threads race through random sections, and only invariants are checked. */
#ifndef TESTS_FUZZ_FREE_H
#define TESTS_FUZZ_FREE_H

#include <stdint.h>

struct free_options {
    double seconds;
    uint64_t seed;
};

/* Takes a struct free_options; 0 when every invariant held. Prints what did not, or a summary. */
int free_run(const void *options);

#endif
