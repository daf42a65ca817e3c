/* SPDX-License-Identifier: MIT */
/* Faults that the doubles of the wait calls bring about: what a kernel may answer at any time and
   seldom does. How often is fixed here; when is drawn from a seed, so that another seed is another
   run (threads still race, so one seed is not one schedule). */
#define _GNU_SOURCE
#include <sched.h>
#include <time.h>

#include "host.h"
#include "world.h"

static uint64_t seed;
static uint64_t draws;

/* One in so many. */
static const unsigned rates[FAULT_COUNT] = {
    [FAULT_EINTR] = 6, [FAULT_EFAULT] = 7,     [FAULT_SPURIOUS] = 5,
    [FAULT_DELAY] = 4, [FAULT_WAKE_EINTR] = 9,
};

void faults_begin(uint64_t from)
{
    seed = from;
    if (seed != 0)
        host_count("faults");
}

/* A well mixed number for each draw. */
static uint64_t draw(void)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + __atomic_fetch_add(&draws, 1, __ATOMIC_RELAXED);

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

bool faults_happen(enum fault fault)
{
    static const char *const names[FAULT_COUNT] = {
        "fault: EINTR", "fault: EFAULT", "fault: spurious", "fault: delay", "fault: EINTR of wake",
    };

    if (seed == 0 || draw() % rates[fault] != 0)
        return false;
    host_count(names[fault]);
    return true;
}

void faults_delay(void)
{
    struct timespec pause = {0, 0};

    if (!faults_happen(FAULT_DELAY))
        return;
    sched_yield();
    pause.tv_nsec = (long)(draw() % 200000);
    if (pause.tv_nsec > 100000)
        nanosleep(&pause, NULL);
}
