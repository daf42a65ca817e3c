/* SPDX-License-Identifier: MIT */
/*
 * A mutex wanted by several threads: lock, critical section, unlock, work outside. Sections and
 * outside work are iterations of a register loop, equal for both contestants. The fairness
 * cells run the same loop with a clock around each lock call.
 */
#include "team.h"

#include <pthread.h>
#include <stdio.h>

static struct {
    _Alignas(BENCH_LINE) pthread_mutex_t mutex;
    _Alignas(BENCH_LINE) atomic_bool stop;
    uint32_t inside;
    uint32_t outside;
} contest;

static struct {
    _Alignas(BENCH_LINE) uint64_t ns;
} longest_wait[TEAM_MAX];

static bool stopped(void)
{
    return atomic_load_explicit(&contest.stop, memory_order_relaxed);
}

static void compete(int index, void *argument)
{
    (void)argument;
    while (!stopped()) {
        pthread_mutex_lock(&contest.mutex);
        bench_work(contest.inside);
        pthread_mutex_unlock(&contest.mutex);
        team_count(index);
        bench_work(contest.outside);
    }
}

static void compete_with_clock(int index, void *argument)
{
    (void)argument;
    while (!stopped()) {
        uint64_t wait = bench_now();

        pthread_mutex_lock(&contest.mutex);
        wait = bench_now() - wait;
        bench_work(contest.inside);
        pthread_mutex_unlock(&contest.mutex);
        if (wait > longest_wait[index].ns) {
            longest_wait[index].ns = wait;
        }
        team_count(index);
        bench_work(contest.outside);
    }
}

static bool parse(const char *spec, int *threads)
{
    char inside[16], outside[16];

    return sscanf(spec, "T%d/%15[^/]/%15[^/]", threads, inside, outside) == 3 && *threads > 0 &&
           *threads <= TEAM_MAX && bench_iterations(inside, &contest.inside) &&
           bench_iterations(outside, &contest.outside);
}

static void run(int threads, team_fn *body, int milliseconds, struct bench_sample *out)
{
    pthread_mutex_init(&contest.mutex, NULL);
    atomic_store(&contest.stop, false);
    team_start(threads, body, NULL);
    team_measure(milliseconds, out);
    atomic_store(&contest.stop, true);
    team_wait();
    pthread_mutex_destroy(&contest.mutex);
}

bool run_contended(const char *spec, int milliseconds, struct bench_sample *out)
{
    int threads;

    if (!parse(spec, &threads)) {
        return false;
    }
    run(threads, compete, milliseconds, out);
    return true;
}

bool run_fairness(const char *spec, int milliseconds, struct bench_sample *out)
{
    double sum = 0, squares = 0;
    uint64_t longest = 0;
    int threads;

    if (!parse(spec, &threads)) {
        return false;
    }
    for (int i = 0; i < threads; i++) {
        longest_wait[i].ns = 0;
    }
    run(threads, compete_with_clock, milliseconds, out);
    for (int i = 0; i < threads; i++) {
        double x = (double)team_delta[i];

        sum += x;
        squares += x * x;
        longest = longest_wait[i].ns > longest ? longest_wait[i].ns : longest;
    }
    bench_add(out, "jain", squares > 0 ? sum * sum / (threads * squares) : 0);
    bench_add(out, "longest_wait_ns", (double)longest);
    return true;
}
