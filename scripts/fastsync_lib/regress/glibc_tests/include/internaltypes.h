/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for glibc's internal structures: what its tests of semaphores look at, in the layout
 * of 64-bit machines, where value and number of waiters are halves of one word.
 */
#ifndef FASTSYNC_STAND_IN_INTERNALTYPES_H
#define FASTSYNC_STAND_IN_INTERNALTYPES_H

#include <stdint.h>

#define __HAVE_64B_ATOMICS 1
#define SEM_NWAITERS_SHIFT 32
#define SEM_VALUE_MASK 0xffffffffU

struct new_sem {
    uint64_t data;
    int private;
    int pad;
};

#endif
