/* SPDX-License-Identifier: MIT */
/* OpenBSD's futex(2) and getthrid(2). Its time is a time-out from now on. A wait's error is the
   result where FASTSYNC_OLD is set, as on older systems, else -1 and errno. */
#include "double.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OPENBSD_ECANCELED 88

int fs_target_futex(volatile uint32_t *word, int operation, int value,
                    const struct timespec *timeout, volatile uint32_t *second);
int32_t fs_target_getthrid(void);

static int fail_wait(int host_errno)
{
    int result = double_fail(host_errno);

    if (!getenv("FASTSYNC_OLD"))
        return result;
    result = errno;
    return double_succeed(result);
}

static int wait(void *word, int flags, uint32_t value, const struct timespec *timeout)
{
    static __thread unsigned interrupted;
    int disturbance = double_disturbance();
    long result;

    if (timeout && !double_is_valid_time(timeout))
        return fail_wait(EINVAL);
    if (disturbance > 0) /* with SA_RESTART or without */
        return fail_wait(++interrupted % 2 ? EINTR : OPENBSD_ECANCELED);
    if (disturbance < 0)
        return double_succeed(0);
    /* An endless one as the tests know sleep on a word; only FUTEX_WAIT has a relative time. */
    result = double_futex(word, (timeout ? FUTEX_WAIT : FUTEX_WAIT_BITSET) | flags, value, timeout,
                          NULL, FUTEX_BITSET_MATCH_ANY);
    return result == 0 ? double_succeed(0) : fail_wait((int)-result);
}

int fs_target_futex(volatile uint32_t *word, int operation, int value,
                    const struct timespec *timeout, volatile uint32_t *second)
{
    int flags = operation & 128 ? FUTEX_PRIVATE_FLAG : 0;
    long result;

    (void)second;
    switch (operation & ~128) {
    case 1:
        return wait((void *)(uintptr_t)word, flags, (uint32_t)value, timeout);
    case 2:
        result = double_futex((void *)(uintptr_t)word, FUTEX_WAKE | flags, (uint32_t)value, NULL,
                              NULL, 0);
        return result >= 0 ? double_succeed((int)result) : double_fail((int)-result);
    default:
        return double_fail(ENOSYS);
    }
}

int32_t fs_target_getthrid(void)
{
    return (int32_t)syscall(SYS_gettid);
}
