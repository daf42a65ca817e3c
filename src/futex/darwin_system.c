/* SPDX-License-Identifier: MIT */
/* The futex contract on macOS: who the calling thread is, and what the system lacks. The rest of
   what a lock asks of it is POSIX's (posix_system.c). */
#include <pthread.h>

#include "futex/thread.h"

/* Where libpthread keeps the port of the thread's kernel side: the fourth of the words that the
   thread register points at. */
#define PORT_OFFSET (3 * sizeof(void *))

uint32_t fs_system_thread_id(void)
{
    return pthread_mach_thread_np(pthread_self());
}

bool fs_thread_find_id(void)
{
    uint32_t id = fs_system_thread_id();

#ifdef __aarch64__
    if (fs_thread_words() == 0)
        return false;
#endif
    if (fs_thread_id_at(PORT_OFFSET) != id)
        return false;
    fs_thread_id_offset = PORT_OFFSET;
    return true;
}

bool fs_system_has(enum fs_futex_feature feature)
{
    return false;
}
