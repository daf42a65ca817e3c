/* SPDX-License-Identifier: MIT */
/* What the BSDs' files share: results of calls that report by errno, and how far ahead a deadline
   may lie. Their kernels count time-outs in narrow types, each in its own way, so none is asked to
   sleep for more than a day: a wait that ends before its deadline counts as woken, and its caller
   looks again. */
#ifndef FS_FUTEX_BSD_H
#define FS_FUTEX_BSD_H

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "base/fatal.h"
#include "futex/futex.h"
#include "futex/poll.h"
#include "futex/relative.h"

#define FS_BSD_LONGEST_NS (INT64_C(24) * 3600 * FS_NSEC_PER_SEC)

/* 0 or an error number; errno becomes what it was before the call. */
static inline int fs_bsd_error(long result, int saved)
{
    int err = result < 0 ? errno : 0;

    errno = saved;
    return err;
}

/* The moment until which to sleep, for a kernel that takes moments; at most a day from now. */
static inline struct timespec fs_bsd_moment(const struct fs_deadline *deadline)
{
    struct fs_deadline now = fs_system_now(deadline->clock);
    struct timespec at = {(time_t)deadline->sec, (long)deadline->nsec};

    if (deadline->sec < 0)
        at = (struct timespec){0, 0};
    else if (fs_relative_ns(deadline) > FS_BSD_LONGEST_NS)
        at = (struct timespec){(time_t)(now.sec + FS_BSD_LONGEST_NS / FS_NSEC_PER_SEC), 0};
    return at;
}

/* What a wait returns after the system's answer. */
static inline int fs_bsd_wait_answer(const char *what, int err, fs_word *w, uint32_t expected,
                                     const struct fs_deadline *deadline)
{
    switch (err) {
    case 0:
    case EAGAIN:
    case EINTR:
    case EFAULT:
        return err;
    case ETIMEDOUT:
        return fs_system_is_past(deadline) ? ETIMEDOUT : 0;
    case ENOMEM:
    case EPERM:
    case ENOSYS:
        return fs_futex_poll(w, expected, deadline);
    default:
        fs_fatal(what, err);
    }
}

#endif
