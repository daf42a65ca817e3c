/* SPDX-License-Identifier: MIT */
/* The futex call of a 32-bit kernel before Linux 5.1, which takes times of 32 bits. Chosen by
   Meson where a long has 32 bits; asked only when the kernel does not know the other call. */
#include "futex/linux_futex.h"

/* The kernel's struct old_timespec32. */
struct old_time {
    int32_t sec;
    int32_t nsec;
};

/* A moment that has no place in 32 bits is as far away as such a kernel can wait. */
static const struct old_time *narrow(const struct fs_linux_time *time, struct old_time *room)
{
    if (!time)
        return NULL;
    if (time->sec > INT32_MAX)
        *room = (struct old_time){INT32_MAX, 0};
    else
        *room = (struct old_time){(int32_t)time->sec, (int32_t)time->nsec};
    return room;
}

long fs_linux_futex_old(fs_word *w, int op, uint32_t value, const struct fs_linux_time *time,
                        int count, fs_word *second, uint32_t value3)
{
    struct old_time room;
    const struct old_time *old = narrow(time, &room);

    return fs_linux_call(SYS_futex, (long)w, op, (long)value, old ? (long)old : (long)count,
                         (long)second, (long)value3);
}
