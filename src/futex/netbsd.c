/* SPDX-License-Identifier: MIT */
/* The futex contract on NetBSD 10 and later: __futex(2), which has Linux' operations but no
   priority inheritance, and its second count as an argument of its own. After a move it counts
   those who were moved and not those who were woken, so *affected may be too small. An older kernel
   answers ENOSYS: then waits poll. */
#include <lwp.h>
#include <sys/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "futex/bsd.h"

/* Returns at least 0, or a negative error number. */
static long call(fs_word *w, int op, int value, const struct timespec *time, fs_word *second,
                 int value2, uint32_t value3, enum fs_scope scope)
{
    int saved = errno;
    long result;
    int err;

    if (scope != FS_SCOPE_SHARED)
        op |= FUTEX_PRIVATE_FLAG;
    result = syscall(SYS___futex, w, op, value, time, second, value2, (int)value3);
    err = fs_bsd_error(result, saved);
    return err != 0 ? -err : result;
}

int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope)
{
    return fs_futex_wait_bitset(w, expected, FS_MATCH_ANY, deadline, scope);
}

int fs_futex_wait_bitset(fs_word *w, uint32_t expected, uint32_t bits,
                         const struct fs_deadline *deadline, enum fs_scope scope)
{
    int op = FUTEX_WAIT_BITSET;
    struct timespec at;
    long result;

    if (deadline) {
        at = fs_bsd_moment(deadline);
        if (deadline->clock == FS_CLOCK_REALTIME)
            op |= FUTEX_CLOCK_REALTIME;
    }
    result = call(w, op, (int)expected, deadline ? &at : NULL, NULL, 0, bits, scope);
    return fs_bsd_wait_answer("futex wait", (int)-result, w, expected, deadline);
}

int fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    return fs_futex_wake_bitset(w, count, FS_MATCH_ANY, scope);
}

static bool is_refused(long result)
{
    return result == -EPERM || result == -ENOSYS;
}

int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    long result;

    if (count <= 0)
        return 0;
    result = call(w, FUTEX_WAKE_BITSET, count, NULL, NULL, 0, bits, scope);
    if (result >= 0)
        return (int)result;
    if (result != -EFAULT && !is_refused(result))
        fs_fatal("futex wake", -result);
    return 0;
}

static int move_answer(const char *what, long result, int *affected)
{
    if (result >= 0 || is_refused(result)) { /* nobody sleeps where sleeping is refused */
        if (affected)
            *affected = result >= 0 ? (int)result : 0;
        return 0;
    }
    if (result == -EAGAIN || result == -EFAULT || result == -EINVAL)
        return (int)-result;
    fs_fatal(what, -result);
}

int fs_futex_requeue(fs_word *from, fs_word *to, int wake, int move, enum fs_scope scope,
                     int *affected)
{
    if (wake < 0 || move < 0)
        return EINVAL;
    return move_answer("futex requeue", call(from, FUTEX_REQUEUE, wake, NULL, to, move, 0, scope),
                       affected);
}

int fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                         enum fs_scope scope, int *affected)
{
    if (wake < 0 || move < 0)
        return EINVAL;
    return move_answer("futex requeue",
                       call(from, FUTEX_CMP_REQUEUE, wake, NULL, to, move, expected, scope),
                       affected);
}

/* The kernel's does not extend the sign of its arguments. */
int fs_futex_wake_op(fs_word *first, fs_word *second, int count, int second_count,
                     const struct fs_futex_wake_op *op, enum fs_scope scope, int *woken)
{
    return ENOSYS;
}

uint32_t fs_system_thread_id(void)
{
    return (uint32_t)_lwp_self();
}

bool fs_system_has(enum fs_futex_feature feature)
{
    static fs_word nobody;

    if (feature != FS_FEATURE_WAIT_BITSET && feature != FS_FEATURE_REQUEUE)
        return false;
    return !is_refused(call(&nobody, FUTEX_WAKE_BITSET, 0, NULL, NULL, 0, 1, FS_SCOPE_PRIVATE));
}
