/* SPDX-License-Identifier: MIT */
/* The futex contract on FreeBSD: sleeping and waking by _umtx_op(2), on either clock. A word that
   differs is answered like a wake-up, and how many were woken is not told: the calls return 0 for
   both, which the contract allows. Wakes know no bits and nobody can be moved: see without_move.c.
   A wait is interrupted by every signal handler, SA_RESTART or not. */
#include <sys/types.h>

#include <sys/thr.h>
#include <sys/umtx.h>

#include "futex/bsd.h"

static int wait_op(enum fs_scope scope)
{
    return scope == FS_SCOPE_SHARED ? UMTX_OP_WAIT_UINT : UMTX_OP_WAIT_UINT_PRIVATE;
}

static int wake_op(enum fs_scope scope)
{
    return scope == FS_SCOPE_SHARED ? UMTX_OP_WAKE : UMTX_OP_WAKE_PRIVATE;
}

int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope)
{
    struct _umtx_time until = {._flags = UMTX_ABSTIME};
    void *size = NULL; /* of the time, as a pointer */
    int saved = errno;
    int err;

    if (deadline) {
        until._timeout = fs_bsd_moment(deadline);
        until._clockid =
            deadline->clock == FS_CLOCK_REALTIME ? (uint32_t)CLOCK_REALTIME : CLOCK_MONOTONIC;
        size = (void *)sizeof until;
    }
    err =
        fs_bsd_error(_umtx_op(w, wait_op(scope), expected, size, deadline ? &until : NULL), saved);
    return fs_bsd_wait_answer("umtx wait", err, w, expected, deadline);
}

int fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    int saved = errno;
    int err;

    if (count <= 0)
        return 0;
    err = fs_bsd_error(_umtx_op(w, wake_op(scope), (unsigned long)count, NULL, NULL), saved);
    if (err != 0 && err != EFAULT && err != EPERM && err != ENOSYS)
        fs_fatal("umtx wake", err);
    return 0;
}

/* All are woken, since it is not known who is meant. */
int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    return fs_futex_wake(w, count > 0 && bits != FS_MATCH_ANY ? FS_WAKE_ALL : count, scope);
}

uint32_t fs_system_thread_id(void)
{
    int saved = errno;
    long id = 0;

    thr_self(&id);
    errno = saved;
    return (uint32_t)id;
}

bool fs_system_has(enum fs_futex_feature feature)
{
    return false;
}
