/* SPDX-License-Identifier: MIT */
/* What a lock asks of any POSIX system besides futexes: the processor, the clocks, and memory that
   a fork child finds zeroed where the system can do that. The calling thread's id is left to the
   system's own file. No order by real-time priority is kept here: every thread counts as one of
   ordinary priority. */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "futex/futex.h"

#if !defined(INHERIT_ZERO) && defined(MAP_INHERIT_ZERO)
#define INHERIT_ZERO MAP_INHERIT_ZERO
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

unsigned fs_system_thread_priority(void)
{
    return 0;
}

void fs_system_yield(void)
{
    int saved = errno;

    sched_yield();
    errno = saved;
}

unsigned fs_system_processor_count(void)
{
    int saved = errno;
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    errno = saved;
    return count > 0 ? (unsigned)count : 1;
}

struct fs_deadline fs_system_now(enum fs_clock clock)
{
    struct timespec now = {0};
    int saved = errno;

    clock_gettime(clock == FS_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    errno = saved;
    return (struct fs_deadline){now.tv_sec, now.tv_nsec, clock};
}

void *fs_system_map_wiped(size_t size, bool *wiped)
{
    int saved = errno;
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *wiped = false;
    if (address == MAP_FAILED)
        address = NULL;
#ifdef INHERIT_ZERO
    else
        *wiped = minherit(address, size, INHERIT_ZERO) == 0;
#endif
    errno = saved;
    return address;
}
