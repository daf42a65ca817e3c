/* SPDX-License-Identifier: MIT */
/* NetBSD's __futex(2), system call 166, and _lwp_self(2). The operations are the host's; the second
   count is an argument of its own, and after a move the kernel counts those who were moved, or none
   when FUTEX_REQUEUE woke nobody. */
#include "double.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fs_target_syscall(int number, ...);
int32_t fs_target__lwp_self(void);

struct futex_call {
    void *word;
    int operation;
    int value;
    const struct timespec *time;
    void *second;
    int value2;
    int value3;
};

static int wait(const struct futex_call *call)
{
    int disturbance = double_disturbance();
    long result;

    if (call->value3 == 0 || (call->time && !double_is_valid_time(call->time)))
        return double_fail(EINVAL);
    if (disturbance != 0)
        return disturbance > 0 ? double_fail(disturbance) : double_succeed(0);
    result = double_futex(call->word, call->operation, (uint32_t)call->value, call->time, NULL,
                          (uint32_t)call->value3);
    return result == 0 ? double_succeed(0) : double_fail((int)-result);
}

static int wake(const struct futex_call *call)
{
    long result;

    if (call->value < 0)
        return double_fail(EINVAL);
    if (call->value == 0)
        return double_succeed(0);
    result = double_futex(call->word, call->operation, (uint32_t)call->value, NULL, NULL,
                          (uint32_t)call->value3);
    return result >= 0 ? double_succeed((int)result) : double_fail((int)-result);
}

static int move(const struct futex_call *call, bool compares)
{
    long result, moved;

    if (call->value < 0 || call->value2 < 0)
        return double_fail(EINVAL);
    result = double_futex(call->word, call->operation, (uint32_t)call->value,
                          (void *)(intptr_t)call->value2, call->second, (uint32_t)call->value3);
    if (result < 0)
        return double_fail((int)-result);
    moved = result > call->value ? result - call->value : 0;
    return double_succeed(compares || (result != 0 && call->value != 0) ? (int)moved : 0);
}

int fs_target_syscall(int number, ...)
{
    struct futex_call call;
    va_list list;

    va_start(list, number);
    call.word = va_arg(list, void *);
    call.operation = va_arg(list, int);
    call.value = va_arg(list, int);
    call.time = va_arg(list, const struct timespec *);
    call.second = va_arg(list, void *);
    call.value2 = va_arg(list, int);
    call.value3 = va_arg(list, int);
    va_end(list);
    if (number != 166)
        return double_fail(ENOSYS);
    switch (call.operation & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) {
    case 0: /* takes a time-out, not a moment */
        call.value3 = -1;
        return wait(&call);
    case 9:
        return wait(&call);
    case 1:
        call.value3 = -1;
        return wake(&call);
    case 10:
        return wake(&call);
    case 3:
        return move(&call, false);
    case 4:
        return move(&call, true);
    default:
        return double_fail(ENOSYS);
    }
}

int32_t fs_target__lwp_self(void)
{
    return (int32_t)syscall(SYS_gettid);
}
