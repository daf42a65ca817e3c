/* SPDX-License-Identifier: MIT */
/*
 * Broadcast to sleepers. Cell: N<waiters>/<held|free>: the mutex held or not at the call. The
 * time of an operation is that from the call until the last waiter has got the mutex. Every
 * waiter parks on a raw futex word after it has let the mutex go, so that between two states
 * of rest the ideal is one context switch per waiter (the parking), and all others are extra.
 */
#define _GNU_SOURCE
#include "team.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define REST_US 200
#define REST_POLLS 100

static struct {
    _Alignas(BENCH_LINE) pthread_mutex_t mutex;
    _Alignas(BENCH_LINE) pthread_cond_t cond;
    _Alignas(BENCH_LINE) unsigned generation;
    int left;
    uint64_t last_ns;
    _Alignas(BENCH_LINE) atomic_int waiting;
    atomic_int parked;
    atomic_uint done;
    _Alignas(BENCH_LINE) atomic_uint round;
    bool stop;
    int waiters;
    bool held;
} crowd;

struct totals {
    uint64_t last_ns;
    uint64_t caller_ns;
    uint64_t cpu_ns;
    int64_t voluntary;
    int64_t involuntary;
};

static void wait_once(void)
{
    unsigned seen;
    bool last;

    pthread_mutex_lock(&crowd.mutex);
    seen = crowd.generation;
    atomic_fetch_add(&crowd.waiting, 1);
    while (crowd.generation == seen) {
        pthread_cond_wait(&crowd.cond, &crowd.mutex);
    }
    last = ++crowd.left == crowd.waiters;
    if (last) {
        crowd.last_ns = bench_now();
    }
    pthread_mutex_unlock(&crowd.mutex);
    if (last) {
        atomic_store(&crowd.done, 1);
        raw_wake(&crowd.done, 1);
    }
}

static void wait_and_park(int index, void *argument)
{
    unsigned round = atomic_load(&crowd.round);

    (void)index;
    (void)argument;
    while (!crowd.stop) {
        wait_once();
        atomic_fetch_add(&crowd.parked, 1);
        raw_wait(&crowd.round, round++);
    }
}

static void switches_of_others(struct bench_usage *out)
{
    struct rusage own;

    bench_usage(out);
    getrusage(RUSAGE_THREAD, &own);
    out->voluntary -= own.ru_nvcsw;
    out->involuntary -= own.ru_nivcsw;
}

/* Until `count` has reached the crowd's size and no other thread has switched for a while. */
static void wait_for_rest(atomic_int *count, struct bench_usage *at_rest)
{
    struct bench_usage before;
    int quiet = 0;

    while (atomic_load(count) != crowd.waiters) {
        bench_sleep_us(REST_US / 4);
    }
    switches_of_others(at_rest);
    for (int poll = 0; poll < REST_POLLS && quiet < 2; poll++) {
        before = *at_rest;
        bench_sleep_us(REST_US);
        switches_of_others(at_rest);
        quiet = at_rest->voluntary == before.voluntary ? quiet + 1 : 0;
    }
}

static void wake_all(struct totals *totals)
{
    uint64_t start, end;

    pthread_mutex_lock(&crowd.mutex);
    crowd.generation++;
    if (crowd.held) {
        start = bench_now();
        pthread_cond_broadcast(&crowd.cond);
        pthread_mutex_unlock(&crowd.mutex);
    } else {
        pthread_mutex_unlock(&crowd.mutex);
        start = bench_now();
        pthread_cond_broadcast(&crowd.cond);
    }
    end = bench_now();
    raw_wait(&crowd.done, 0);
    totals->caller_ns += end - start;
    totals->last_ns += crowd.last_ns - start;
}

static void one_broadcast(struct totals *totals)
{
    struct bench_usage from, to;

    wait_for_rest(&crowd.waiting, &from);
    crowd.left = 0;
    atomic_store(&crowd.done, 0);
    wake_all(totals);
    wait_for_rest(&crowd.parked, &to);
    totals->voluntary += to.voluntary - from.voluntary;
    totals->involuntary += to.involuntary - from.involuntary;
    totals->cpu_ns += to.cpu_ns - from.cpu_ns;
}

static void next_round(void)
{
    atomic_store(&crowd.waiting, 0);
    atomic_store(&crowd.parked, 0);
    atomic_fetch_add(&crowd.round, 1);
    raw_wake(&crowd.round, INT_MAX);
}

static bool parse(const char *spec)
{
    char when[8];

    if (sscanf(spec, "N%d/%7s", &crowd.waiters, when) != 2 || crowd.waiters <= 0 ||
        crowd.waiters > TEAM_MAX) {
        return false;
    }
    crowd.held = strcmp(when, "held") == 0;
    return crowd.held || strcmp(when, "free") == 0;
}

static void report(const struct totals *totals, struct bench_sample *out)
{
    double waiters = (double)out->operations * crowd.waiters;

    out->ns = totals->last_ns;
    out->cpu_ns = totals->cpu_ns;
    out->voluntary = totals->voluntary;
    out->involuntary = totals->involuntary;
    bench_add(out, "caller_ns", (double)totals->caller_ns / (double)out->operations);
    bench_add(out, "extra_switches",
              (double)(totals->voluntary + totals->involuntary) / waiters - 1);
    bench_add(out, "extra_voluntary", (double)totals->voluntary / waiters - 1);
}

bool run_broadcast(const char *spec, int milliseconds, struct bench_sample *out)
{
    struct totals totals = {0};
    uint64_t end;

    if (!parse(spec)) {
        return false;
    }
    pthread_mutex_init(&crowd.mutex, NULL);
    pthread_cond_init(&crowd.cond, NULL);
    crowd.stop = false;
    atomic_store(&crowd.waiting, 0);
    atomic_store(&crowd.parked, 0);
    team_start(crowd.waiters, wait_and_park, NULL);
    end = bench_now() + (uint64_t)milliseconds * 1000000;
    for (;;) {
        one_broadcast(&totals);
        out->operations++;
        if (bench_now() >= end) {
            break;
        }
        next_round();
    }
    crowd.stop = true;
    next_round();
    team_wait();
    report(&totals, out);
    pthread_cond_destroy(&crowd.cond);
    pthread_mutex_destroy(&crowd.mutex);
    return true;
}
