/* SPDX-License-Identifier: MIT */
/* The futex contract on Linux: sleeping, waking and moving, by futex(2) and
   futex_waitv(2). Each function turns the kernel's answer into the values its
   contract names and aborts on any other. Priority inheritance is in linux_pi.c,
   everything that is not a futex in linux_system.c. */
#include "futex/linux_futex.h"

#include <limits.h>

#include "base/fatal.h"
#include "futex/poll.h"

static int wait_answer(long result, fs_word *w, uint32_t expected,
                       const struct fs_deadline *deadline)
{
    int err = (int)-result;

    switch (err) {
    case 0:
    case EAGAIN:
    case EINTR:
    case ETIMEDOUT:
    case EFAULT:
        return err;
    case EINVAL:
        if ((uintptr_t)w % sizeof *w == 0)
            fs_fatal("futex wait", err);
        return fs_futex_poll(w, expected, deadline); /* not aligned, which x86 allows elsewhere */
    case EPERM:
    case ENOSYS:
        return fs_futex_poll(w, expected, deadline);
    default:
        fs_fatal("futex wait", err);
    }
}

int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope)
{
    return fs_futex_wait_bitset(w, expected, FS_MATCH_ANY, deadline, scope);
}

int fs_futex_wait_bitset(fs_word *w, uint32_t expected, uint32_t bits,
                         const struct fs_deadline *deadline, enum fs_scope scope)
{
    struct fs_linux_time room;
    int op = FUTEX_WAIT_BITSET | fs_linux_scope_flag(scope) | fs_linux_clock_flag(deadline);
    long result = fs_linux_futex(w, op, expected, fs_linux_deadline(deadline, &room), NULL, bits);

    return wait_answer(result, w, expected, deadline);
}

int fs_futex_wait_relative(fs_word *w, uint32_t expected, int64_t timeout_ns, enum fs_scope scope)
{
    struct fs_linux_time timeout = {timeout_ns / FS_NSEC_PER_SEC, timeout_ns % FS_NSEC_PER_SEC};
    long result = fs_linux_futex(w, FUTEX_WAIT | fs_linux_scope_flag(scope), expected,
                                 timeout_ns < 0 ? NULL : &timeout, NULL, 0);

    return wait_answer(result, w, expected, NULL);
}

/* The kernel's struct futex_waitv. */
struct linux_waiter {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

#define LINUX_WAITER_32_BITS 2u

int fs_futex_wait_any(const struct fs_futex_waiter *waiters, unsigned n,
                      const struct fs_deadline *deadline, unsigned *woken)
{
    struct linux_waiter list[FS_FUTEX_WAIT_ANY_MAX];
    struct fs_linux_time room;
    const struct fs_linux_time *time = fs_linux_deadline(deadline, &room);
    long clock = deadline ? (long)deadline->clock : (long)FS_CLOCK_MONOTONIC;
    long result;

    if (n < 1 || n > FS_FUTEX_WAIT_ANY_MAX)
        return EINVAL;
    for (unsigned i = 0; i < n; i++)
        list[i] = (struct linux_waiter){
            .value = waiters[i].expected,
            .address = (uintptr_t)waiters[i].word,
            .flags = LINUX_WAITER_32_BITS | (uint32_t)fs_linux_scope_flag(waiters[i].scope),
        };
    result = fs_linux_call(SYS_futex_waitv, (long)list, (long)n, 0, (long)time, clock, 0);
    if (result >= 0) {
        *woken = (unsigned)result;
        return 0;
    }
    switch (-result) {
    case EAGAIN:
    case EINTR:
    case ETIMEDOUT:
    case EFAULT:
        return (int)-result;
    case EPERM:
    case ENOSYS:
        return ENOSYS;
    default:
        fs_fatal("futex_waitv", -result);
    }
}

/* A wake comes after the store that releases a lock, when the memory may be gone
   (EFAULT) or be another lock of another kind already (EINVAL, a sleeper that
   waits for priority inheritance): in both cases nobody here has to wake. */
static int wake_answer(long result)
{
    if (FS_LIKELY(result >= 0))
        return (int)result;
    if (result == -EFAULT || result == -EINVAL || fs_linux_is_refused((int)-result))
        return 0;
    fs_fatal("futex wake", -result);
}

int fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    /* The kernel wakes one when asked for none. */
    if (count <= 0)
        return 0;
    return wake_answer(
        fs_linux_futex(w, FUTEX_WAKE | fs_linux_scope_flag(scope), (uint32_t)count, NULL, NULL, 0));
}

int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    if (count <= 0)
        return 0;
    return wake_answer(fs_linux_futex(w, FUTEX_WAKE_BITSET | fs_linux_scope_flag(scope),
                                      (uint32_t)count, NULL, NULL, bits));
}

/* Sleepers that may not be moved are woken, all that either count names: to be
   woken early is harmless, to sleep on is not. */
static FS_COLD int wake_instead(fs_word *from, int wake, int move, enum fs_scope scope,
                                int *affected)
{
    int woken = fs_futex_wake(from, wake > INT_MAX - move ? INT_MAX : wake + move, scope);

    if (affected)
        *affected = woken;
    return 0;
}

static int move_answer(long result, int *affected)
{
    if (FS_LIKELY(result >= 0)) {
        if (affected)
            *affected = (int)result;
        return 0;
    }
    if (result == -EAGAIN || result == -EFAULT || result == -EINVAL)
        return (int)-result;
    fs_fatal("futex requeue", -result);
}

int fs_futex_requeue(fs_word *from, fs_word *to, int wake, int move, enum fs_scope scope,
                     int *affected)
{
    long result;

    if (wake < 0 || move < 0)
        return EINVAL;
    result =
        fs_linux_futex_move(from, FUTEX_REQUEUE | fs_linux_scope_flag(scope), wake, move, to, 0);
    if (fs_linux_is_refused((int)-result))
        return wake_instead(from, wake, move, scope, affected);
    return move_answer(result, affected);
}

int fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                         enum fs_scope scope, int *affected)
{
    long result;

    if (wake < 0 || move < 0)
        return EINVAL;
    result = fs_linux_futex_move(from, FUTEX_CMP_REQUEUE | fs_linux_scope_flag(scope), wake, move,
                                 to, expected);
    if (!fs_linux_is_refused((int)-result))
        return move_answer(result, affected);
    /* Acquire: as the kernel's own look at the word. */
    if (fs_load_acquire(from) != expected)
        return EAGAIN;
    return wake_instead(from, wake, move, scope, affected);
}

static bool is_twelve_bits(int32_t value)
{
    return value >= -2048 && value <= 2047;
}

static bool is_wake_op_valid(const struct fs_futex_wake_op *op)
{
    if ((unsigned)op->op > FS_OP_XOR || (unsigned)op->cmp > FS_CMP_GE)
        return false;
    if (op->shift && (op->op_arg < 0 || op->op_arg > 31))
        return false;
    return is_twelve_bits(op->op_arg) && is_twelve_bits(op->cmp_arg);
}

int fs_futex_wake_op(fs_word *first, fs_word *second, int count, int second_count,
                     const struct fs_futex_wake_op *op, enum fs_scope scope, int *woken)
{
    uint32_t code;
    long result;

    /* The kernel wakes one when asked for none. */
    if (count < 1 || second_count < 1 || !is_wake_op_valid(op))
        return EINVAL;
    code = ((uint32_t)op->op | (op->shift ? FUTEX_OP_OPARG_SHIFT : 0u)) << 28;
    code |= (uint32_t)op->cmp << 24;
    code |= ((uint32_t)op->op_arg & 0xfffu) << 12;
    code |= (uint32_t)op->cmp_arg & 0xfffu;
    result = fs_linux_futex_move(first, FUTEX_WAKE_OP | fs_linux_scope_flag(scope), count,
                                 second_count, second, code);
    if (result >= 0) {
        if (woken)
            *woken = (int)result;
        return 0;
    }
    if (fs_linux_is_refused((int)-result))
        return ENOSYS;
    if (result == -EINVAL || result == -EFAULT)
        return (int)-result;
    fs_fatal("futex wake-op", -result);
}
