/* SPDX-License-Identifier: MIT */
/* The calls with a deadline under their old names, where the C library's time_t has 32 bits unless
   a program asks for 64. The library itself is compiled with 64 bits, so its own functions answer
   for the names that the C library gave such programs (__pthread_mutex_timedlock64 and so on), and
   these here widen the deadline for them. Compiled only for such a C library. */
#include <stddef.h>
#include <stdint.h>

#include "interpose/calls.h"
#include "interpose/export.h"

/* The program's struct timespec. */
struct fs_time32 {
    int32_t sec;
    int32_t nsec;
};

_Static_assert(sizeof(time_t) == 8, "the library needs the wide time_t");

static const struct timespec *widen(const struct fs_time32 *at, struct timespec *room)
{
    if (!at)
        return NULL;
    *room = (struct timespec){.tv_sec = at->sec, .tv_nsec = at->nsec};
    return room;
}

int fs_time32_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct fs_time32 *at)
{
    struct timespec room;

    return fs_pthread_mutex_timedlock(mutex, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_pthread_mutex_timedlock)

int fs_time32_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                      const struct fs_time32 *at)
{
    struct timespec room;

    return fs_pthread_mutex_clocklock(mutex, clock, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_pthread_mutex_clocklock)

int fs_time32_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                     const struct fs_time32 *at)
{
    struct timespec room;

    return fs_pthread_cond_timedwait(cond, mutex, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_pthread_cond_timedwait)

int fs_time32_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                     const struct fs_time32 *at)
{
    struct timespec room;

    return fs_pthread_cond_clockwait(cond, mutex, clock, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_pthread_cond_clockwait)

int fs_time32_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct fs_time32 *at)
{
    struct timespec room;

    return fs_pthread_rwlock_timedrdlock(lock, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_pthread_rwlock_timedrdlock)

int fs_time32_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                         const struct fs_time32 *at)
{
    struct timespec room;

    return fs_pthread_rwlock_clockrdlock(lock, clock, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_pthread_rwlock_clockrdlock)

int fs_time32_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct fs_time32 *at)
{
    struct timespec room;

    return fs_pthread_rwlock_timedwrlock(lock, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_pthread_rwlock_timedwrlock)

int fs_time32_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                         const struct fs_time32 *at)
{
    struct timespec room;

    return fs_pthread_rwlock_clockwrlock(lock, clock, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_pthread_rwlock_clockwrlock)

int fs_time32_mtx_timedlock(mtx_t *mutex, const struct fs_time32 *at)
{
    struct timespec room;

    return fs_mtx_timedlock(mutex, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_mtx_timedlock)

int fs_time32_cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct fs_time32 *at)
{
    struct timespec room;

    return fs_cnd_timedwait(cond, mutex, widen(at, &room));
}
FS_EXPORT_VERSIONS(time32_cnd_timedwait)
