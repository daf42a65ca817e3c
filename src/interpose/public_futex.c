/* SPDX-License-Identifier: MIT */
/* The public futex calls: each checks what a program may get wrong, which the
   futex layer takes for granted, and passes on to it. Decides nothing else. */
#include <fastsync/futex.h>

#include <errno.h>

#include "futex/futex.h"

_Static_assert((int)FASTSYNC_FUTEX_SHARED == (int)FS_SCOPE_SHARED, "scopes differ");
_Static_assert((int)FASTSYNC_FUTEX_XOR == (int)FS_OP_XOR, "operations differ");
_Static_assert((int)FASTSYNC_FUTEX_GE == (int)FS_CMP_GE, "comparisons differ");
_Static_assert(FASTSYNC_FUTEX_WAIT_ANY_MAX == FS_FUTEX_WAIT_ANY_MAX, "limits differ");
_Static_assert(FASTSYNC_FUTEX_PI_WAITERS == FS_PI_WAITERS &&
                   FASTSYNC_FUTEX_PI_OWNER_DIED == FS_PI_OWNER_DIED &&
                   FASTSYNC_FUTEX_PI_TID_MASK == FS_PI_TID_MASK,
               "words differ");

static fs_word *as_word(uint32_t *word)
{
    return (fs_word *)(void *)word;
}

static enum fs_scope as_scope(enum fastsync_futex_scope scope)
{
    return (enum fs_scope)scope;
}

static bool is_usable(const uint32_t *word, enum fastsync_futex_scope scope)
{
    return (uintptr_t)word % sizeof(*word) == 0 && (unsigned)scope <= FASTSYNC_FUTEX_SHARED;
}

/* A program's deadline as the futex layer takes it. */
struct checked_deadline {
    struct fs_deadline value;
    const struct fs_deadline *pointer; /* to value; null for ever */
};

static bool check_deadline(const struct timespec *deadline, clockid_t clock,
                           struct checked_deadline *checked)
{
    checked->pointer = NULL;
    if (!deadline)
        return true;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return false;
    checked->value = (struct fs_deadline){
        deadline->tv_sec,
        deadline->tv_nsec,
        clock == CLOCK_REALTIME ? FS_CLOCK_REALTIME : FS_CLOCK_MONOTONIC,
    };
    checked->pointer = &checked->value;
    return fs_deadline_is_valid(&checked->value);
}

FS_EXPORT int fastsync_futex_wait(uint32_t *word, uint32_t expected,
                                  const struct timespec *deadline, clockid_t clock,
                                  enum fastsync_futex_scope scope)
{
    struct checked_deadline d;

    if (!is_usable(word, scope) || !check_deadline(deadline, clock, &d))
        return EINVAL;
    return fs_futex_wait(as_word(word), expected, d.pointer, as_scope(scope));
}

FS_EXPORT int fastsync_futex_wait_bitset(uint32_t *word, uint32_t expected, uint32_t bits,
                                         const struct timespec *deadline, clockid_t clock,
                                         enum fastsync_futex_scope scope)
{
    struct checked_deadline d;

    if (bits == 0 || !is_usable(word, scope) || !check_deadline(deadline, clock, &d))
        return EINVAL;
    return fs_futex_wait_bitset(as_word(word), expected, bits, d.pointer, as_scope(scope));
}

FS_EXPORT int fastsync_futex_wait_relative(uint32_t *word, uint32_t expected,
                                           const struct timespec *timeout,
                                           enum fastsync_futex_scope scope)
{
    struct checked_deadline d;
    int64_t ns = -1;

    if (!is_usable(word, scope) || !check_deadline(timeout, CLOCK_MONOTONIC, &d))
        return EINVAL;
    if (timeout) {
        if (timeout->tv_sec < 0)
            return EINVAL;
        if (__builtin_mul_overflow((int64_t)timeout->tv_sec, (int64_t)FS_NSEC_PER_SEC, &ns) ||
            __builtin_add_overflow(ns, (int64_t)timeout->tv_nsec, &ns))
            ns = INT64_MAX;
    }
    return fs_futex_wait_relative(as_word(word), expected, ns, as_scope(scope));
}

FS_EXPORT int fastsync_futex_wait_any(const struct fastsync_futex_waiter *waiters, unsigned n,
                                      const struct timespec *deadline, clockid_t clock,
                                      unsigned *woken)
{
    struct fs_futex_waiter list[FS_FUTEX_WAIT_ANY_MAX];
    struct checked_deadline d;

    if (n < 1 || n > FS_FUTEX_WAIT_ANY_MAX || !check_deadline(deadline, clock, &d))
        return EINVAL;
    for (unsigned i = 0; i < n; i++) {
        if (!is_usable(waiters[i].word, waiters[i].scope))
            return EINVAL;
        list[i] = (struct fs_futex_waiter){as_word(waiters[i].word), waiters[i].expected,
                                           as_scope(waiters[i].scope)};
    }
    return fs_futex_wait_any(list, n, d.pointer, woken);
}

FS_EXPORT int fastsync_futex_wake(uint32_t *word, int count, enum fastsync_futex_scope scope)
{
    return is_usable(word, scope) ? fs_futex_wake(as_word(word), count, as_scope(scope)) : 0;
}

FS_EXPORT int fastsync_futex_wake_bitset(uint32_t *word, int count, uint32_t bits,
                                         enum fastsync_futex_scope scope)
{
    if (bits == 0 || !is_usable(word, scope))
        return 0;
    return fs_futex_wake_bitset(as_word(word), count, bits, as_scope(scope));
}

FS_EXPORT int fastsync_futex_requeue(uint32_t *from, uint32_t *to, int wake, int move,
                                     enum fastsync_futex_scope scope, int *affected)
{
    if (!is_usable(from, scope) || !is_usable(to, scope))
        return EINVAL;
    return fs_futex_requeue(as_word(from), as_word(to), wake, move, as_scope(scope), affected);
}

FS_EXPORT int fastsync_futex_cmp_requeue(uint32_t *from, uint32_t *to, uint32_t expected, int wake,
                                         int move, enum fastsync_futex_scope scope, int *affected)
{
    if (!is_usable(from, scope) || !is_usable(to, scope))
        return EINVAL;
    return fs_futex_cmp_requeue(as_word(from), as_word(to), expected, wake, move, as_scope(scope),
                                affected);
}

FS_EXPORT int fastsync_futex_wake_op(uint32_t *first, uint32_t *second, int count, int second_count,
                                     const struct fastsync_futex_wake_op *op,
                                     enum fastsync_futex_scope scope, int *woken)
{
    struct fs_futex_wake_op typed = {
        .op = (enum fs_futex_op)op->op,
        .shift = op->shift,
        .op_arg = op->op_arg,
        .cmp = (enum fs_futex_cmp)op->cmp,
        .cmp_arg = op->cmp_arg,
    };

    if (!is_usable(first, scope) || !is_usable(second, scope))
        return EINVAL;
    return fs_futex_wake_op(as_word(first), as_word(second), count, second_count, &typed,
                            as_scope(scope), woken);
}

FS_EXPORT uint32_t fastsync_futex_thread_id(void)
{
    return fs_system_thread_id();
}

FS_EXPORT int fastsync_futex_lock_pi(uint32_t *word, const struct timespec *deadline,
                                     clockid_t clock, enum fastsync_futex_scope scope)
{
    struct checked_deadline d;

    if (!is_usable(word, scope) || !check_deadline(deadline, clock, &d))
        return EINVAL;
    return fs_futex_lock_pi(as_word(word), d.pointer, as_scope(scope));
}

FS_EXPORT int fastsync_futex_lock_pi2(uint32_t *word, const struct timespec *deadline,
                                      clockid_t clock, enum fastsync_futex_scope scope)
{
    struct checked_deadline d;

    if (!is_usable(word, scope) || !check_deadline(deadline, clock, &d))
        return EINVAL;
    return fs_futex_lock_pi2(as_word(word), d.pointer, as_scope(scope));
}

FS_EXPORT int fastsync_futex_trylock_pi(uint32_t *word, enum fastsync_futex_scope scope)
{
    return is_usable(word, scope) ? fs_futex_trylock_pi(as_word(word), as_scope(scope)) : EINVAL;
}

FS_EXPORT int fastsync_futex_unlock_pi(uint32_t *word, enum fastsync_futex_scope scope)
{
    return is_usable(word, scope) ? fs_futex_unlock_pi(as_word(word), as_scope(scope)) : EINVAL;
}

FS_EXPORT int fastsync_futex_wait_requeue_pi(uint32_t *from, uint32_t expected, uint32_t *pi,
                                             const struct timespec *deadline, clockid_t clock,
                                             enum fastsync_futex_scope scope)
{
    struct checked_deadline d;

    if (!is_usable(from, scope) || !is_usable(pi, scope) || !check_deadline(deadline, clock, &d))
        return EINVAL;
    return fs_futex_wait_requeue_pi(as_word(from), expected, as_word(pi), d.pointer,
                                    as_scope(scope));
}

FS_EXPORT int fastsync_futex_cmp_requeue_pi(uint32_t *from, uint32_t *pi, uint32_t expected,
                                            int move, enum fastsync_futex_scope scope,
                                            int *affected)
{
    if (!is_usable(from, scope) || !is_usable(pi, scope))
        return EINVAL;
    return fs_futex_cmp_requeue_pi(as_word(from), as_word(pi), expected, move, as_scope(scope),
                                   affected);
}
