/* SPDX-License-Identifier: MIT */
/* FreeBSD's _umtx_op(2) and thr_self(2) as its manual describes them: a word that differs is a
   success, a wake-up tells no count, the time's size says whether it is a moment and on which
   clock. */
#include "double.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fs_target__umtx_op(void *object, int operation, unsigned long value, void *size, void *time);
int fs_target_thr_self(long *id);
int fs_target_count_woken(void *word, int count, int shared);

struct umtx_time {
    struct timespec time;
    uint32_t flags;
    uint32_t clock;
};

/* The host's flags for this time, and in *moment when it comes; -1 for a time without sense. */
static int until(const void *time, size_t size, struct timespec *moment)
{
    const struct umtx_time *t = time;

    if (!double_is_valid_time(&t->time))
        return -1;
    *moment = t->time;
    if (size > sizeof(struct timespec)) {
        if (size < sizeof *t || (t->clock != 0 && t->clock != 4))
            return -1;
        if (t->flags & 1)
            return t->clock == 0 ? FUTEX_CLOCK_REALTIME : 0;
    }
    clock_gettime(CLOCK_MONOTONIC, moment);
    moment->tv_sec += t->time.tv_sec;
    moment->tv_nsec += t->time.tv_nsec;
    if (moment->tv_nsec >= 1000000000) {
        moment->tv_nsec -= 1000000000;
        moment->tv_sec++;
    }
    return 0;
}

static int wait(void *object, int private, uint32_t value, size_t size, const void *time)
{
    struct timespec moment;
    int flags = time ? until(time, size, &moment) : 0;
    int disturbance = double_disturbance();
    long result;

    if (flags < 0)
        return double_fail(EINVAL);
    if (disturbance != 0)
        return disturbance > 0 ? double_fail(disturbance) : double_succeed(0);
    result = double_futex(object, FUTEX_WAIT_BITSET | private | flags, value, time ? &moment : NULL,
                          NULL, FUTEX_BITSET_MATCH_ANY);
    return result == 0 || result == -EAGAIN ? double_succeed(0) : double_fail((int)-result);
}

static int wake(void *object, int private, unsigned long count)
{
    long result = double_futex(object, FUTEX_WAKE | private,
                               count > INT_MAX ? INT_MAX : (uint32_t)count, NULL, NULL, 0);

    return result >= 0 ? double_succeed(0) : double_fail((int)-result);
}

int fs_target__umtx_op(void *object, int operation, unsigned long value, void *size, void *time)
{
    switch (operation) {
    case 2: /* a long */
        if (*(volatile unsigned long *)object != value)
            return double_succeed(0);
        return wait(object, 0, (uint32_t)value, (size_t)size, time);
    case 11:
        return wait(object, 0, (uint32_t)value, (size_t)size, time);
    case 15:
        return wait(object, FUTEX_PRIVATE_FLAG, (uint32_t)value, (size_t)size, time);
    case 3:
        return wake(object, 0, value);
    case 16:
        return wake(object, FUTEX_PRIVATE_FLAG, value);
    default:
        return double_fail(EINVAL);
    }
}

int fs_target_count_woken(void *word, int count, int shared)
{
    int private = shared ? 0 : FUTEX_PRIVATE_FLAG;

    return count < 1
               ? 0
               : (int)double_futex(word, FUTEX_WAKE | private, (uint32_t)count, NULL, NULL, 0);
}

int fs_target_thr_self(long *id)
{
    *id = syscall(SYS_gettid);
    return double_succeed(0);
}
