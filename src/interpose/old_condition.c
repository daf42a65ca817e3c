/* SPDX-License-Identifier: MIT */
/* The condition variables of version GLIBC_2.2.5: a pointer to something that only the C library
   knows. It waits there with code of its own, so the mutex is turned over to its protocol first. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "interpose/calls.h"
#include "interpose/divert.h"
#include "interpose/export.h"
#include "interpose/libc.h"
#include "interpose/view.h"

typedef int (*any_call)(void *, const void *, const void *);

/* Surplus arguments are passed along in registers and ignored by the callee. */
static int call_old(const char *name, void *cond, const void *second, const void *third)
{
    any_call call = (any_call)(uintptr_t)fs_libc_symbol(name, "GLIBC_2.2.5");

    return call ? call(cond, second, third) : ENOSYS;
}

static void turn_over(pthread_mutex_t *mutex)
{
    if (!fs_is_away())
        fs_mutex_turn_over(fs_view_mutex(mutex));
}

int fs_old_pthread_cond_init(void *cond, const void *attr)
{
    return call_old("pthread_cond_init", cond, attr, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_init)

int fs_old_pthread_cond_destroy(void *cond)
{
    return call_old("pthread_cond_destroy", cond, NULL, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_destroy)

int fs_old_pthread_cond_wait(void *cond, pthread_mutex_t *mutex)
{
    turn_over(mutex);
    return call_old("pthread_cond_wait", cond, mutex, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_wait)

int fs_old_pthread_cond_timedwait(void *cond, pthread_mutex_t *mutex,
                                  const struct timespec *abstime)
{
    turn_over(mutex);
    return call_old("pthread_cond_timedwait", cond, mutex, abstime);
}
FS_EXPORT_VERSIONS(old_pthread_cond_timedwait)

int fs_old_pthread_cond_signal(void *cond)
{
    return call_old("pthread_cond_signal", cond, NULL, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_signal)

int fs_old_pthread_cond_broadcast(void *cond)
{
    return call_old("pthread_cond_broadcast", cond, NULL, NULL);
}
FS_EXPORT_VERSIONS(old_pthread_cond_broadcast)
