/* SPDX-License-Identifier: MIT */
/* The futex contract on OpenBSD: sleeping and waking by futex(2), which only libc may call. It
   takes a time-out from now on, not a moment. Older systems return the error of a wait, later ones
   -1 and errno: both are understood. Wakes know no bits, and its move compares nothing: see
   without_move.c. */
#include <sys/types.h>

#include <sys/futex.h>
#include <sys/time.h>
#include <unistd.h>

#include "futex/bsd.h"

static int flag_of(enum fs_scope scope)
{
    return scope == FS_SCOPE_SHARED ? 0 : FUTEX_PRIVATE_FLAG;
}

static int sleep_once(fs_word *w, uint32_t expected, const struct timespec *timeout,
                      enum fs_scope scope)
{
    int saved = errno;
    int result =
        futex((uint32_t *)(void *)w, FUTEX_WAIT | flag_of(scope), (int)expected, timeout, NULL);

    int err = fs_bsd_error(result, saved);

    return err != 0 ? err : result;
}

int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope)
{
    struct timespec timeout = {0, 0};
    int err;

    if (deadline) {
        int64_t remaining = fs_relative_ns(deadline);
        bool whole;

        remaining = fs_relative_slice(deadline, remaining, &whole);
        if (remaining > FS_BSD_LONGEST_NS)
            remaining = FS_BSD_LONGEST_NS;
        timeout.tv_sec = (time_t)(remaining / FS_NSEC_PER_SEC);
        timeout.tv_nsec = (long)(remaining % FS_NSEC_PER_SEC);
    }
    err = sleep_once(w, expected, deadline ? &timeout : NULL, scope);
    /* A handler whose signal is to restart system calls has run. */
    return fs_bsd_wait_answer("futex wait", err == ECANCELED ? EINTR : err, w, expected, deadline);
}

int fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    int saved = errno;
    int result;
    int err;

    if (count <= 0)
        return 0;
    result = futex((uint32_t *)(void *)w, FUTEX_WAKE | flag_of(scope), count, NULL, NULL);
    err = fs_bsd_error(result, saved);
    if (err == 0)
        return result;
    if (err != EFAULT && err != EPERM && err != ENOSYS)
        fs_fatal("futex wake", err);
    return 0;
}

/* Sleepers have no bits here, so all of them are woken. Whether one of those who are meant was
   among them is not known: 0 lets the caller look further. */
int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    if (bits == FS_MATCH_ANY)
        return fs_futex_wake(w, count, scope);
    if (count > 0)
        fs_futex_wake(w, FS_WAKE_ALL, scope);
    return 0;
}

uint32_t fs_system_thread_id(void)
{
    return (uint32_t)getthrid();
}

bool fs_system_has(enum fs_futex_feature feature)
{
    return false;
}
