/* SPDX-License-Identifier: MIT */
/* Doubles of the clocks. Each has an origin of its own, so that a deadline on one clock is plainly
   wrong on another; the wall clock can be set by the test program; and on arm64 a tick of the mach
   clock is 125/3 ns, as on Apple's processors. */
#define _GNU_SOURCE
#include <sched.h>
#include <time.h>

#include "host.h"
#include "world.h"

#define NSEC 1000000000ll

enum darwin_clock {
    CLOCK_WALL = 0,
    CLOCK_BOOT = 6,       /* CLOCK_MONOTONIC: goes on while the machine sleeps */
    CLOCK_BOOT_RAW = 4,   /* CLOCK_MONOTONIC_RAW */
    CLOCK_UPTIME_RAW = 8, /* the mach clock */
};

#if defined(__aarch64__)
#define TICK_NUMERATOR 125
#define TICK_DENOMINATOR 3
#else
#define TICK_NUMERATOR 1
#define TICK_DENOMINATOR 1
#endif

/* The machine slept, so that the clocks since its start differ. */
#define SLEPT (7 * 3600 * NSEC)
#define BEGAN (11 * NSEC)

static int64_t wall_step;

static int64_t linux_now(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * NSEC + now.tv_nsec;
}

static int64_t uptime_now(void)
{
    static int64_t begin;
    int64_t now = linux_now(CLOCK_MONOTONIC);
    int64_t none = 0;

    __atomic_compare_exchange_n(&begin, &none, now - BEGAN, false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
    return now - __atomic_load_n(&begin, __ATOMIC_RELAXED);
}

int64_t time_wall_now(void)
{
    return linux_now(CLOCK_REALTIME) + __atomic_load_n(&wall_step, __ATOMIC_RELAXED);
}

uint64_t time_until(int64_t wall_ns)
{
    int64_t now = time_wall_now();

    return wall_ns > now ? (uint64_t)(wall_ns - now) : 0;
}

static uint64_t mach_time(void)
{
    return (uint64_t)uptime_now() * TICK_DENOMINATOR / TICK_NUMERATOR;
}

uint64_t time_until_mach(uint64_t ticks)
{
    uint64_t now = mach_time();

    return ticks > now ? (ticks - now) * TICK_NUMERATOR / TICK_DENOMINATOR : 0;
}

static uint64_t clock_nanoseconds(int clock)
{
    switch (clock) {
    case CLOCK_WALL:
        return (uint64_t)time_wall_now();
    case CLOCK_BOOT:
    case CLOCK_BOOT_RAW:
        return (uint64_t)(uptime_now() + SLEPT);
    case CLOCK_UPTIME_RAW:
        return (uint64_t)uptime_now();
    default:
        host_set_errno(DARWIN_EINVAL);
        return 0;
    }
}

static int double_clock_gettime(int clock, struct darwin_time *now)
{
    uint64_t ns = clock_nanoseconds(clock);

    if (ns == 0)
        return -1;
    now->seconds = (int64_t)(ns / NSEC);
    now->nanoseconds = (int64_t)(ns % NSEC);
    return 0;
}

struct time_of_day {
    int64_t seconds;
    int32_t microseconds;
};

static int double_gettimeofday(struct time_of_day *now, void *zone)
{
    int64_t ns = time_wall_now();

    (void)zone;
    now->seconds = ns / NSEC;
    now->microseconds = (int32_t)(ns % NSEC / 1000);
    return 0;
}

struct time_base {
    uint32_t numerator;
    uint32_t denominator;
};

static int double_timebase_info(struct time_base *base)
{
    base->numerator = TICK_NUMERATOR;
    base->denominator = TICK_DENOMINATOR;
    return 0;
}

static int double_nanosleep(const struct darwin_time *wanted, struct darwin_time *left)
{
    struct timespec pause = {wanted->seconds, (long)wanted->nanoseconds};

    (void)left;
    while (nanosleep(&pause, &pause) != 0)
        continue;
    return 0;
}

/* Sets the wall clock forward by so much. */
static void step_wall_clock(int64_t ns)
{
    __atomic_fetch_add(&wall_step, ns, __ATOMIC_RELAXED);
}

static int double_usleep(uint32_t us)
{
    struct darwin_time pause = {us / 1000000, us % 1000000 * 1000};

    return double_nanosleep(&pause, 0);
}

const struct host_entry host_time[] = {
    HOST_FUNCTION("clock_gettime", double_clock_gettime),
    HOST_FUNCTION("clock_gettime_nsec_np", clock_nanoseconds),
    HOST_FUNCTION("gettimeofday", double_gettimeofday),
    HOST_FUNCTION("mach_absolute_time", mach_time),
    HOST_FUNCTION("mach_timebase_info", double_timebase_info),
    HOST_FUNCTION("nanosleep", double_nanosleep),
    HOST_FUNCTION("sched_yield", sched_yield),
    HOST_FUNCTION("usleep", double_usleep),
    HOST_FUNCTION("loader_step_wall_clock", step_wall_clock),
    HOST_END,
};
