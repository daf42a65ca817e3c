/* SPDX-License-Identifier: MIT */
/*
 * Parked threads and the measuring window; see team.h. The counters are written by their
 * owners and read by the measuring thread at both ends of the window, so threads that start
 * late or drain slowly at the end cost nothing.
 */
#define _GNU_SOURCE
#include "team.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES (128 * 1024)
#define WARM_UP_LEAST_US 2000

struct member {
    _Alignas(BENCH_LINE) atomic_uint go;
};

struct team_counter team_counters[TEAM_MAX];
unsigned long team_delta[TEAM_MAX];

static struct member members[TEAM_MAX];
static int created;
static int started;
static team_fn *job;
static void *job_argument;
static atomic_uint running;
static atomic_uint missing;
static atomic_uint gate;

void raw_wait(atomic_uint *word, unsigned expected)
{
    while (atomic_load(word) == expected) {
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
    }
}

void raw_wake(atomic_uint *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void count_down(atomic_uint *word)
{
    if (atomic_fetch_sub(word, 1) == 1) {
        raw_wake(word, 1);
    }
}

static void wait_for_zero(atomic_uint *word)
{
    unsigned left;

    while ((left = atomic_load(word)) != 0) {
        raw_wait(word, left);
    }
}

static void *member_main(void *argument)
{
    int index = (int)(intptr_t)argument;

    for (unsigned seen = 0;; seen++) {
        unsigned closed;

        raw_wait(&members[index].go, seen);
        closed = atomic_load(&gate);
        count_down(&missing);
        raw_wait(&gate, closed);
        job(index, job_argument);
        count_down(&running);
    }
    return NULL;
}

void team_grow(int threads)
{
    pthread_attr_t attr;

    if (threads > TEAM_MAX) {
        bench_die("more threads than a team has", 0);
    }
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (; created < threads; created++) {
        pthread_t id;
        int err = pthread_create(&id, &attr, member_main, (void *)(intptr_t)created);

        if (err != 0) {
            bench_die("pthread_create", err);
        }
    }
    pthread_attr_destroy(&attr);
}

void team_start(int threads, team_fn *fn, void *argument)
{
    team_grow(threads);
    job = fn;
    job_argument = argument;
    started = threads;
    atomic_store(&running, (unsigned)threads);
    atomic_store(&missing, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        atomic_fetch_add(&members[i].go, 1);
        raw_wake(&members[i].go, 1);
    }
    wait_for_zero(&missing);
    atomic_fetch_add(&gate, 1);
    raw_wake(&gate, INT_MAX);
}

void team_measure(int milliseconds, struct bench_sample *out)
{
    struct bench_usage from, to;
    unsigned window_us = (unsigned)milliseconds * 1000;

    bench_sleep_us(window_us / 5 > WARM_UP_LEAST_US ? window_us / 5 : WARM_UP_LEAST_US);
    bench_usage(&from);
    for (int i = 0; i < started; i++) {
        team_delta[i] = atomic_load_explicit(&team_counters[i].operations, memory_order_relaxed);
    }
    bench_sleep_us(window_us);
    bench_usage(&to);
    for (int i = 0; i < started; i++) {
        team_delta[i] = atomic_load_explicit(&team_counters[i].operations, memory_order_relaxed) -
                        team_delta[i];
        out->operations += team_delta[i];
    }
    bench_usage_between(&from, &to, out);
}

void team_wait(void)
{
    wait_for_zero(&running);
}
