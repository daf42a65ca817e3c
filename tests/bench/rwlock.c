/* SPDX-License-Identifier: MIT */
/*
 * A reader-writer lock wanted by several threads, of which each acquisition is a write with a
 * given chance. Cell: T<threads>/w<writes in a hundred>/<section>/<work outside>.
 */
#include "team.h"

#include <pthread.h>
#include <stdio.h>

static struct {
    _Alignas(BENCH_LINE) pthread_rwlock_t rwlock;
    _Alignas(BENCH_LINE) atomic_bool stop;
    unsigned writes_per_cent;
    uint32_t inside;
    uint32_t outside;
} contest;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void compete(int index, void *argument)
{
    uint64_t random = 0x9e3779b97f4a7c15u * (uint64_t)(index + 1);

    (void)argument;
    while (!atomic_load_explicit(&contest.stop, memory_order_relaxed)) {
        if (next_random(&random) % 100 < contest.writes_per_cent) {
            pthread_rwlock_wrlock(&contest.rwlock);
        } else {
            pthread_rwlock_rdlock(&contest.rwlock);
        }
        bench_work(contest.inside);
        pthread_rwlock_unlock(&contest.rwlock);
        team_count(index);
        bench_work(contest.outside);
    }
}

bool run_rwlock(const char *spec, int milliseconds, struct bench_sample *out)
{
    char inside[16], outside[16];
    int threads;

    if (sscanf(spec, "T%d/w%u/%15[^/]/%15[^/]", &threads, &contest.writes_per_cent, inside,
               outside) != 4 ||
        threads <= 0 || threads > TEAM_MAX || !bench_iterations(inside, &contest.inside) ||
        !bench_iterations(outside, &contest.outside)) {
        return false;
    }
    pthread_rwlock_init(&contest.rwlock, NULL);
    atomic_store(&contest.stop, false);
    team_start(threads, compete, NULL);
    team_measure(milliseconds, out);
    atomic_store(&contest.stop, true);
    team_wait();
    pthread_rwlock_destroy(&contest.rwlock);
    return true;
}
