/* SPDX-License-Identifier: MIT */
/*
 * Where the signals of delays.h come from, and the handlers that sleep: perf_event_open(2) with a
 * software event that needs no privilege, or the trap flag of x86-64, which a thread may set for
 * itself. Which calls are made with delays is decided by the program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "delays.h"

#include "delays_processor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PERF_SIGNAL = SIGURG, /* ignored by default: harmless where it comes too late */
    PERF_PERIOD_NS = 20000,
    AFTER_SYSTEM_CALL = 20, /* one in so many of the points right after a system call */
    LAST_ATOMIC = 12,       /* a stepped thread is held up after one of its first so many */
    SHORTEST_NS = 300000,
    LONGEST_NS = 1000000
};

static __thread volatile bool wanted;
static __thread unsigned random_state;
static __thread int atomics_left; /* 0: not stepped */
static __thread bool at_atomic;
static enum delays_method chosen;
static long made;
static bool running, stepping;

static unsigned next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static void sleep_a_little(void)
{
    struct timespec t = {.tv_nsec =
                             SHORTEST_NS + (long)(next_random() % (LONGEST_NS - SHORTEST_NS))};
    syscall(SYS_nanosleep, &t, NULL);
    __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
}

static void at_interrupt(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    if (wanted && (!is_after_system_call(context) || next_random() % AFTER_SYSTEM_CALL == 0) &&
        !__atomic_exchange_n(&running, true, __ATOMIC_ACQ_REL)) {
        sleep_a_little();
        __atomic_store_n(&running, false, __ATOMIC_RELEASE);
    }
    errno = saved;
}

static void stop_stepping(void)
{
    atomics_left = 0;
    __atomic_store_n(&stepping, false, __ATOMIC_RELEASE);
}

static void at_step(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    bool after_atomic = at_atomic;
    at_atomic = is_before_atomic(context);
    if (atomics_left > 0 && after_atomic && --atomics_left == 0) {
        return_without_trap_flag(context);
        __atomic_store_n(&running, true, __ATOMIC_RELEASE);
        sleep_a_little();
        __atomic_store_n(&running, false, __ATOMIC_RELEASE);
        stop_stepping();
    }
    errno = saved;
}

void delays_begin(void)
{
    if (chosen == DELAYS_PERF) {
        wanted = true;
    } else if (!__atomic_exchange_n(&stepping, true, __ATOMIC_ACQ_REL)) {
        at_atomic = false;
        atomics_left = 1 + (int)(next_random() % LAST_ATOMIC);
        set_trap_flag();
    }
}

void delays_end(void)
{
    wanted = false;
    if (atomics_left > 0) {
        clear_trap_flag();
        stop_stepping();
    }
}

static int perf_event(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof attr,
                                   .config = PERF_COUNT_SW_TASK_CLOCK,
                                   .sample_period = PERF_PERIOD_NS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1,
                                   .wakeup_events = 1};
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

int delays_probe(enum delays_method method)
{
    if (method == DELAYS_STEP)
        return HAS_TRAP_FLAG ? 0 : ENOTSUP;
    int fd = perf_event();
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

void delays_prepare(enum delays_method method)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
    action.sa_sigaction = method == DELAYS_PERF ? at_interrupt : at_step;
    sigaction(method == DELAYS_PERF ? PERF_SIGNAL : SIGTRAP, &action, NULL);
    chosen = method;
}

int delays_arm_thread(unsigned seed)
{
    random_state = seed;
    if (chosen == DELAYS_STEP)
        return 0;
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = (pid_t)syscall(SYS_gettid)};
    int fd = perf_event();
    if (fd < 0 || fcntl(fd, F_SETOWN_EX, &owner) != 0 || fcntl(fd, F_SETSIG, PERF_SIGNAL) != 0 ||
        fcntl(fd, F_SETFL, O_ASYNC) != 0)
        return errno;
    return 0;
}

long delays_made(void)
{
    return __atomic_load_n(&made, __ATOMIC_RELAXED);
}

bool delays_running(void)
{
    return __atomic_load_n(&running, __ATOMIC_ACQUIRE);
}
