/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for glibc's access to its thread descriptors. The one thing that a test looks up there,
 * the thread's restartable-sequences area, glibc also tells to programs, by its offset from the
 * thread pointer.
 */
#ifndef FASTSYNC_STAND_IN_TLS_H
#define FASTSYNC_STAND_IN_TLS_H

#include <stdint.h>
#include <sys/rseq.h>

struct stand_in_thread {
    volatile struct rseq rseq_area;
};

static inline struct stand_in_thread *stand_in_self(void)
{
    char *pointer;
    __asm__("mov %%fs:0, %0" : "=r"(pointer));
    return (struct stand_in_thread *)(void *)(pointer + __rseq_offset);
}

#define THREAD_SELF stand_in_self()
#define THREAD_GETMEM_VOLATILE(thread, member) ((int32_t)(thread)->member)

#endif
