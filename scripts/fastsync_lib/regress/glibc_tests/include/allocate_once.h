/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for glibc's one-time allocation: of several threads that allocate at once one wins,
 * and the others free theirs.
 */
#ifndef FASTSYNC_STAND_IN_ALLOCATE_ONCE_H
#define FASTSYNC_STAND_IN_ALLOCATE_ONCE_H

#include <stddef.h>

static inline void *allocate_once(void **place, void *(*allocate)(void *closure),
                                  void (*deallocate)(void *closure, void *result), void *closure)
{
    void *winner = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (winner != NULL)
        return winner;
    void *mine = allocate(closure);
    if (mine == NULL ||
        __atomic_compare_exchange_n(place, &winner, mine, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return mine;
    deallocate(closure, mine);
    return winner;
}

#endif
