/* SPDX-License-Identifier: MIT */
/* What startup.c asks of the C library at hand; host_glibc.c and host_musl.c answer. */
#ifndef FS_INTERPOSE_HOST_H
#define FS_INTERPOSE_HOST_H

#include <stdbool.h>

struct fs_libc;

/* Whether this process has the C library that the library was made for. */
bool fs_host_is_right(void);

/* Finds where this C library keeps what we read at every call (futex/thread.h), and says so
   (fs_end_early). Called once, by the constructor. */
void fs_host_find_places(const struct fs_libc *libc);

/* A thread has been cancelled, by its name for the queues: it may wait where lock/wait.c does not
   find it. */
void fs_host_interrupt(const void *thread);

void fs_host_in_fork_child(void);

#endif
