/* SPDX-License-Identifier: MIT */
/* The condition variables from before GLIBC_2.3.2: a pointer to something that only the C library
   knows. It waits there with code of its own, so the mutex is turned over to its protocol first.
   Only in a library for a port of glibc that is as old as that. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "interpose/calls.h"
#include "interpose/divert.h"
#include "interpose/export.h"
#include "interpose/libc.h"
#include "interpose/view.h"

typedef int (*any_call)(void *, const void *, const void *);

enum { OLD_INIT, OLD_DESTROY, OLD_WAIT, OLD_TIMEDWAIT, OLD_SIGNAL, OLD_BROADCAST, OLD_COUNT };

static const char *const names[OLD_COUNT] = {"pthread_cond_init",   "pthread_cond_destroy",
                                             "pthread_cond_wait",   "pthread_cond_timedwait",
                                             "pthread_cond_signal", "pthread_cond_broadcast"};

static any_call calls[OLD_COUNT];

/* When the library is loaded, so that no call has to take the loader's lock. */
__attribute__((constructor(101))) static void look_up(void)
{
    for (int i = 0; i < OLD_COUNT; i++)
        calls[i] = (any_call)(uintptr_t)fs_libc_symbol(names[i], FS_OLDEST_old_pthread_cond_wait);
}

/* Surplus arguments are passed along and ignored by the callee; the caller removes them. */
static int call_old(int which, void *cond, const void *second, const void *third)
{
    if (!calls[which])
        look_up();
    return calls[which] ? calls[which](cond, second, third) : ENOSYS;
}

static void turn_over(pthread_mutex_t *mutex)
{
    if (!fs_is_away())
        fs_mutex_turn_over(fs_view_mutex(mutex));
}

int fs_old_pthread_cond_init(void *cond, const void *attr)
{
    return call_old(OLD_INIT, cond, attr, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_init)

int fs_old_pthread_cond_destroy(void *cond)
{
    return call_old(OLD_DESTROY, cond, NULL, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_destroy)

int fs_old_pthread_cond_wait(void *cond, pthread_mutex_t *mutex)
{
    turn_over(mutex);
    return call_old(OLD_WAIT, cond, mutex, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_wait)

int fs_old_pthread_cond_timedwait(void *cond, pthread_mutex_t *mutex,
                                  const struct timespec *abstime)
{
    turn_over(mutex);
    return call_old(OLD_TIMEDWAIT, cond, mutex, abstime);
}
FS_EXPORT_VERSIONS(old_pthread_cond_timedwait)

int fs_old_pthread_cond_signal(void *cond)
{
    return call_old(OLD_SIGNAL, cond, NULL, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_signal)

int fs_old_pthread_cond_broadcast(void *cond)
{
    return call_old(OLD_BROADCAST, cond, NULL, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_broadcast)
