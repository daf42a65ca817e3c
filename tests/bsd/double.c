/* SPDX-License-Identifier: MIT */
/* The calls that all three systems have in common, over the host's; the numbers they take are the
   target's. */
#include "double.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#if defined(FS_TARGET_FREEBSD)
#define MONOTONIC 4
#define PROCESSORS 58
#define INHERIT 3
#define clock_call fs_target_clock_gettime
#elif defined(FS_TARGET_NETBSD)
#define MONOTONIC 3
#define PROCESSORS 1002
#define INHERIT 4
#define clock_call fs_target___clock_gettime50
#else
#define MONOTONIC 3
#define PROCESSORS 503
#define INHERIT 3
#define clock_call fs_target_clock_gettime
#endif

int *fs_target___error(void);
int *fs_target___errno(void);
int fs_target_clock_gettime(int clock, struct timespec *now);
int fs_target___clock_gettime50(int clock, struct timespec *now);
int fs_target_sched_yield(void);
long fs_target_sysconf(int name);
void *fs_target_mmap(void *address, size_t size, int protection, int flags, int file, int64_t at);
int fs_target_minherit(void *address, size_t size, int inherit);
int fs_target_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
long fs_target_write(int file, const void *data, size_t size);
void *fs_target_memcpy(void *to, const void *from, size_t size);
void *fs_target_memset(void *to, int byte, size_t size);
size_t fs_target_strlen(const char *text);
_Noreturn void fs_target_abort(void);

int *fs_target___error(void)
{
    return &errno;
}

int *fs_target___errno(void)
{
    return &errno;
}

int double_fail(int host_errno)
{
    switch (host_errno) {
    case EAGAIN:
        errno = 35;
        break;
    case ETIMEDOUT:
        errno = 60;
        break;
    case ENOSYS:
        errno = 78;
        break;
    default:
        errno = host_errno;
    }
    return -1;
}

int double_succeed(int result)
{
    errno = DOUBLE_SCRIBBLE;
    return result;
}

int double_disturbance(void)
{
    static __thread unsigned calls;

    if (!getenv("FASTSYNC_DISTURB"))
        return 0;
    calls++;
    if (calls % 5 == 0)
        return EINTR;
    return calls % 3 == 0 ? -1 : 0;
}

long double_futex(void *word, int operation, uint32_t value, const void *time, void *second,
                  uint32_t value3)
{
    long result = syscall(SYS_futex, word, operation, value, time, second, value3);

    return result < 0 ? -errno : result;
}

bool double_is_valid_time(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

int clock_call(int clock, struct timespec *now)
{
    if (clock != 0 && clock != MONOTONIC)
        return double_fail(EINVAL);
    clock_gettime(clock == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC, now);
    return double_succeed(0);
}

#ifdef FS_TARGET_NETBSD
int fs_target_clock_gettime(int clock, struct timespec *now) /* the tests' own name */
{
    return fs_target___clock_gettime50(clock, now);
}
#endif

int fs_target_sched_yield(void)
{
    sched_yield();
    return double_succeed(0);
}

long fs_target_sysconf(int name)
{
    if (name != PROCESSORS)
        return double_fail(EINVAL);
    return double_succeed((int)sysconf(_SC_NPROCESSORS_ONLN));
}

void *fs_target_mmap(void *address, size_t size, int protection, int flags, int file, int64_t at)
{
    void *result;

    if (address || protection != 3 || flags != 0x1002 || file != -1 || at != 0) {
        double_fail(EINVAL);
        return (void *)-1;
    }
    result = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = DOUBLE_SCRIBBLE;
    return result;
}

int fs_target_minherit(void *address, size_t size, int inherit)
{
    if (inherit != INHERIT || madvise(address, size, MADV_WIPEONFORK) != 0)
        return double_fail(EINVAL);
    return double_succeed(0);
}

int fs_target_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return pthread_atfork(prepare, parent, child);
}

long fs_target_write(int file, const void *data, size_t size)
{
    return write(file, data, size);
}

void *fs_target_memcpy(void *to, const void *from, size_t size)
{
    return memcpy(to, from, size);
}

void *fs_target_memset(void *to, int byte, size_t size)
{
    return memset(to, byte, size);
}

size_t fs_target_strlen(const char *text)
{
    return strlen(text);
}

_Noreturn void fs_target_abort(void)
{
    abort();
}
