/* SPDX-License-Identifier: MIT */
/* What every stress program shares: options, seeds, running a number of threads
   for a while, pestering them with signals, and reporting a broken invariant.

   A program is a list of cells (a kind and a number of threads, say); each cell
   is one Check test and gets an equal share of the program's time. */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#ifndef __GLIBC__
#include "musl.h"
#endif
#include "watchdog.h"

enum {
    STRESS_MAX_THREADS = 64,
    STRESS_SIGNAL = 10, /* SIGUSR1 */
};

extern const int stress_thread_counts[3];

struct stress_random {
    uint64_t state;
};

/* A worker's view of its cell. */
struct stress_worker {
    int index;
    int threads;
    struct stress_random random;
    unsigned long done; /* its own count of successes, for the cell's sums */
    unsigned long aux;
    void *data;
};

typedef void stress_body(struct stress_worker *worker);

/* Parses --seed N and --seconds N, runs `cells` loop tests of `test`, and returns the exit status.
   FASTSYNC_SOAK=1 makes the default time thirty times as long. */
int stress_main(int argc, char **argv, const char *name, const TTest *test, int cells);

/* Opens cell `name`: starts the watchdog and gives the random state of the cell. */
struct stress_random stress_begin(const char *name, int cell);

/* The cell's share of the time. */
double stress_seconds(void);

/* Runs `body` in so many threads until the cell's time is over, signals included, and joins them.
   The sum of their `done` is returned; that of `aux` is stored if `aux` is not NULL. On a busy
   machine the time may be over before a thread has had a turn: what must be done once is done
   whatever the time. */
unsigned long stress_run(int threads, stress_body *body, void *data, unsigned long *aux);

/* For cells that run their own threads: the clock, and its end. */
void stress_start_clock(void);
bool stress_goes_on(void);

/* A thread that sends STRESS_SIGNAL to the given threads at random moments. restart: the handler
   is installed with SA_RESTART. */
void stress_pester_start(const pthread_t *threads, int count, bool restart);
void stress_pester_stop(void);

uint64_t stress_next(struct stress_random *random);

/* Uniform in 0 .. below - 1. */
static inline unsigned stress_below(struct stress_random *random, unsigned below)
{
    return (unsigned)((stress_next(random) >> 33) % below);
}

/* An absolute deadline so many nanoseconds from now. */
struct timespec stress_deadline(clockid_t clock, int64_t ns);

/* Some work of random length that the compiler keeps. */
void stress_work(struct stress_random *random, unsigned most);

/* Initialises a mutex of the given kind. */
struct stress_mutex_kind {
    const char *name;
    int type;
    int protocol;
    int robust;
    int shared;
};
extern const struct stress_mutex_kind stress_mutex_kinds[];
extern const int stress_mutex_kind_count;
void stress_mutex_init(pthread_mutex_t *m, const struct stress_mutex_kind *kind);

/* Reports the broken promise with the cell and the seed, and ends the process with status 1. */
__attribute__((noreturn, format(printf, 3, 4))) void stress_fail(const char *file, int line,
                                                                 const char *format, ...);

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            stress_fail(__FILE__, __LINE__, __VA_ARGS__);                                          \
    } while (0)

/* The call returns 0. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        int ok_result_ = (call);                                                                   \
        EXPECT(ok_result_ == 0, "%s gives %d", #call, ok_result_);                                 \
    } while (0)

#endif
