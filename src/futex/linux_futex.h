/* SPDX-License-Identifier: MIT */
/* futex(2) as the Linux files of this folder call it: the operation numbers, the
   kernel's time, and the call itself. What an answer means is decided by the
   callers. Old kernel headers do not know every operation, so the numbers that
   came late are given here. */
#ifndef FS_FUTEX_LINUX_FUTEX_H
#define FS_FUTEX_LINUX_FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/deadline.h"
#include "futex/futex.h"
#include "futex/linux_syscall.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* Where a long has 32 bits, the kernel has a second call, which takes 64-bit times: since
   Linux 5.1, and beside the old one unless the kernel was built without that. */
#if __SIZEOF_LONG__ == 4 && !defined(__x86_64__)
#ifndef SYS_futex_time64
#define SYS_futex_time64 422
#endif
#define FS_LINUX_SYS_FUTEX SYS_futex_time64
#define FS_LINUX_HAS_OLD_FUTEX 1
#else
#define FS_LINUX_SYS_FUTEX SYS_futex
#define FS_LINUX_HAS_OLD_FUTEX 0
#endif

/* The kernel's struct __kernel_timespec. */
struct fs_linux_time {
    int64_t sec;
    int64_t nsec;
};

/* The last second that a signed 64-bit count of nanoseconds can hold. */
#define FS_LINUX_LAST_SECOND (INT64_MAX / FS_NSEC_PER_SEC - 1)

/* The deadline in the kernel's range, in *room; null for none. A moment before
   the clock's beginning becomes the beginning, which is long past on every clock. */
FS_ALWAYS_INLINE const struct fs_linux_time *fs_linux_deadline(const struct fs_deadline *deadline,
                                                               struct fs_linux_time *room)
{
    if (!deadline)
        return NULL;
    *room = (struct fs_linux_time){deadline->sec, deadline->nsec};
    if (deadline->sec < 0)
        *room = (struct fs_linux_time){0, 0};
    else if (deadline->sec > FS_LINUX_LAST_SECOND)
        *room = (struct fs_linux_time){FS_LINUX_LAST_SECOND, 0};
    return room;
}

FS_ALWAYS_INLINE int fs_linux_scope_flag(enum fs_scope scope)
{
    return scope == FS_SCOPE_SHARED ? 0 : FUTEX_PRIVATE_FLAG;
}

/* The flag that makes an absolute deadline one of CLOCK_REALTIME. */
FS_ALWAYS_INLINE int fs_linux_clock_flag(const struct fs_deadline *deadline)
{
    return deadline && deadline->clock == FS_CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0;
}

/* The old call, for a kernel that does not know the new one, and for a sandbox that does not, which
   may say so by EPERM: the C library makes the old call, and both have to meet (linux_time32.c). An
   EPERM of the kernel's own is given again. The fourth argument is the time, or, for null, the
   count. */
long fs_linux_futex_old(fs_word *w, int op, uint32_t value, const struct fs_linux_time *time,
                        int count, fs_word *second, uint32_t value3) FS_COLD;

/* Whether the old call has to be asked after this answer. */
FS_ALWAYS_INLINE bool fs_linux_needs_old(long result)
{
    return FS_LINUX_HAS_OLD_FUTEX && FS_UNLIKELY(result == -ENOSYS || result == -EPERM);
}

/* futex(2) with a time as its fourth argument. */
FS_ALWAYS_INLINE long fs_linux_futex(fs_word *w, int op, uint32_t value,
                                     const struct fs_linux_time *time, fs_word *second,
                                     uint32_t value3)
{
    long result = fs_linux_call(FS_LINUX_SYS_FUTEX, (long)w, op, (long)value, (long)time,
                                (long)second, (long)value3);

    if (fs_linux_needs_old(result))
        return fs_linux_futex_old(w, op, value, time, 0, second, value3);
    return result;
}

/* futex(2) with a second count as its fourth argument. */
FS_ALWAYS_INLINE long fs_linux_futex_move(fs_word *w, int op, int count, int second_count,
                                          fs_word *second, uint32_t value3)
{
    long result = fs_linux_call(FS_LINUX_SYS_FUTEX, (long)w, op, (long)count, (long)second_count,
                                (long)second, (long)value3);

    if (fs_linux_needs_old(result))
        return fs_linux_futex_old(w, op, (uint32_t)count, NULL, second_count, second, value3);
    return result;
}

/* A sandbox forbids the call, or the kernel does not have it. */
FS_ALWAYS_INLINE bool fs_linux_is_refused(int err)
{
    return err == EPERM || err == ENOSYS;
}

#endif
