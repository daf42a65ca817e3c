/* SPDX-License-Identifier: MIT */
/* What only musl has. A thread's id lies in its descriptor, where the thread pointer leads, and
   musl renews it in a fork child; but no symbol says where. There is no public flag of a process
   with one thread, so none is taken to have only one. */
#include <errno.h>
#include <pthread.h>

#include "futex/thread.h"
#include "interpose/divert.h"
#include "interpose/host.h"

#define SEARCHED_BYTES 256

/* glibc has it. Its programs find none of our names (make_symbols.py), so nothing is to be done
 * there. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

bool fs_host_is_right(void)
{
    return !gnu_get_libc_version;
}

/* The only place in the descriptor that holds the id. If there are several, the one right before
   errno, where musl has always kept it: a small id is easily met elsewhere. 0: none. */
static uintptr_t find_thread_id(void)
{
    const char *descriptor = (const char *)(uintptr_t)pthread_self();
    uintptr_t before_errno = (uintptr_t)&errno - (uintptr_t)descriptor - sizeof(uint32_t);
    uint32_t id = fs_system_thread_id();
    uintptr_t found = 0;
    int count = 0;

    for (uintptr_t at = sizeof(void *); at < SEARCHED_BYTES; at += sizeof(uint32_t)) {
        if (*(const volatile uint32_t *)(descriptor + at) != id)
            continue;
        if (at == before_errno)
            return at;
        found = at;
        count++;
    }
    return count == 1 ? found : 0;
}

void fs_host_find_places(const struct fs_libc *libc)
{
    uintptr_t at = find_thread_id();

    if (at == 0 || fs_thread_id_at(at) != fs_system_thread_id())
        return;
    fs_thread_id_offset = at;
    fs_end_early();
}
