/* SPDX-License-Identifier: MIT */
/* What the parts of the benchmark worker for Windows share. A cell is one kind of lock and a number
   of threads; whose lock answers, how often it runs and what the figures mean is decided by
   bench.py. */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <windows.h>

#define LINE 128 /* two cache lines: the prefetcher fetches them in pairs */
#define BATCH 16 /* pairs between two looks at the flag */
#define THREADS_MAX 32

struct seat {
    _Alignas(LINE) volatile unsigned long long operations;
    int number;
};

extern volatile LONG stop;

struct cell {
    const char *name;
    void (*run)(struct seat *seat); /* until stop is set */
    void (*end)(void);              /* wakes who would not see it; may be null */
};

/* Each ends with a row without a name. */
extern const struct cell pthread_cells[], win32_cells[];

/* The body of a cell of pairs: what is between them is a few instructions. */
#define PAIRS(seat, enter, leave)                                                                  \
    do {                                                                                           \
        while (!stop) {                                                                            \
            for (int pair = 0; pair < BATCH; pair++) {                                             \
                enter;                                                                             \
                leave;                                                                             \
            }                                                                                      \
            (seat)->operations += BATCH;                                                           \
        }                                                                                          \
    } while (0)

/* Two threads that take turns; one operation is one turn. */
#define TURNS(seat, enter, leave, wait, wake)                                                      \
    do {                                                                                           \
        enter;                                                                                     \
        while (!stop) {                                                                            \
            while (turn != (seat)->number && !stop)                                                \
                wait;                                                                              \
            turn = !(seat)->number;                                                                \
            (seat)->operations++;                                                                  \
            wake;                                                                                  \
        }                                                                                          \
        leave;                                                                                     \
    } while (0)

#endif
