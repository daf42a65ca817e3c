/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the benchmark worker share: the result of one round, the calibrated work
 * loop and the list of cell groups. A group knows how to run its cells; which cells exist, how
 * often they run and what the figures mean is decided by the driver, bench.py.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_LINE 128 /* two cache lines: the prefetcher fetches them in pairs */
#define BENCH_MAX_EXTRAS 6

struct bench_extra {
    const char *name;
    double value;
};

/* One round. A group may add figures of its own through bench_add(). */
struct bench_sample {
    uint64_t operations;
    uint64_t ns;
    uint64_t cpu_ns;
    int64_t voluntary;
    int64_t involuntary;
    int extras;
    struct bench_extra extra[BENCH_MAX_EXTRAS];
};

/* Runs the cell that `spec` (the name after the group) describes; false: no such cell. */
typedef bool bench_run_fn(const char *spec, int milliseconds, struct bench_sample *out);

bench_run_fn run_uncontended, run_contended, run_fairness, run_pingpong, run_queue, run_broadcast,
    run_rwlock;

/* Makes `operations` operations of an uncontended cell: what an instruction counter looks at. */
bool count_uncontended(const char *spec, unsigned long operations);

struct bench_usage {
    uint64_t wall_ns;
    uint64_t cpu_ns;
    int64_t voluntary;
    int64_t involuntary;
};

uint64_t bench_now(void);
void bench_sleep_us(unsigned us);
void bench_usage(struct bench_usage *out);
void bench_usage_between(const struct bench_usage *from, const struct bench_usage *to,
                         struct bench_sample *out);
void bench_add(struct bench_sample *out, const char *name, double value);
void bench_die(const char *what, int err) __attribute__((noreturn));

/* "0", "100ns", "10us" -> iterations of bench_work() at the calibrated speed; false: malformed. */
bool bench_iterations(const char *duration, uint32_t *out);
extern uint64_t bench_iterations_per_ms;

/* A chain of dependent multiplications in registers: busy time that touches no memory. */
static inline void bench_work(uint32_t iterations)
{
    uint64_t x = iterations;

    for (uint32_t i = 0; i < iterations; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
}

#endif
