/* SPDX-License-Identifier: MIT */
/*
 * The threads of a contended cell. They are created once and parked between rounds on futex
 * words of their own, never on a lock under test, so that neither starting nor parking is
 * measured. A round lets some of them run one function, and reads their counters twice while
 * they run; whoever starts a team also tells its function when to return.
 */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include "bench.h"

#include <stdatomic.h>

#define TEAM_MAX 256

struct team_counter {
    _Alignas(BENCH_LINE) atomic_ulong operations;
};

typedef void team_fn(int index, void *argument);

extern struct team_counter team_counters[TEAM_MAX];

/* Operations of each thread within the last team_measure(). */
extern unsigned long team_delta[TEAM_MAX];

/* Creates threads until `threads` are parked. */
void team_grow(int threads);

/* Lets threads 0 .. threads-1 run fn(index, argument), all from one moment when all are awake. */
void team_start(int threads, team_fn *fn, void *argument);

/* While the team runs: a short warm-up, then one window of the given length. */
void team_measure(int milliseconds, struct bench_sample *out);

/* Returns when every started thread has come back from its function. */
void team_wait(void);

/* Raw futex calls for what surrounds the locks under test. */
void raw_wait(atomic_uint *word, unsigned expected);
void raw_wake(atomic_uint *word, int count);

static inline void team_count(int index)
{
    atomic_ulong *mine = &team_counters[index].operations;

    atomic_store_explicit(mine, atomic_load_explicit(mine, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

#endif
