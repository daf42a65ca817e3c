/* SPDX-License-Identifier: MIT */
/* The C11 calls: the same objects and the same implementations under other names and results. */
#include <errno.h>
#include <string.h>

#include "interpose/calls.h"
#include "interpose/export.h"
#include "lock/mutex.h"

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "mtx_t is a mutex");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "cnd_t is a condition variable");

static int result_of(int err)
{
    switch (err) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    default:
        return thrd_error;
    }
}

static pthread_mutex_t *mutex_of(mtx_t *mutex)
{
    return (pthread_mutex_t *)mutex;
}

static pthread_cond_t *cond_of(cnd_t *cond)
{
    return (pthread_cond_t *)cond;
}

/* Plain and timed are the same to us; only recursion makes a kind. A type that C does not know is
   taken for plain, as the C library does. */
int fs_mtx_init(mtx_t *mutex, int type)
{
    struct fs_mutex *m = (struct fs_mutex *)(void *)mutex;
    bool recursive = type == mtx_recursive || type == (mtx_timed | mtx_recursive);

    memset(mutex, 0, sizeof *mutex);
    fs_store_relaxed(&m->kind, recursive ? FS_KIND_RECURSIVE : FS_KIND_NORMAL);
    return thrd_success;
}
FS_EXPORT_VERSIONS(mtx_init)

void fs_mtx_destroy(mtx_t *mutex)
{
    fs_pthread_mutex_destroy(mutex_of(mutex));
}
FS_EXPORT_VERSIONS(mtx_destroy)

int fs_mtx_lock(mtx_t *mutex)
{
    return result_of(fs_pthread_mutex_lock(mutex_of(mutex)));
}
FS_EXPORT_VERSIONS(mtx_lock)

int fs_mtx_trylock(mtx_t *mutex)
{
    return result_of(fs_pthread_mutex_trylock(mutex_of(mutex)));
}
FS_EXPORT_VERSIONS(mtx_trylock)

int fs_mtx_timedlock(mtx_t *mutex, const struct timespec *at)
{
    return result_of(fs_pthread_mutex_timedlock(mutex_of(mutex), at));
}
FS_EXPORT_VERSIONS(mtx_timedlock)

int fs_mtx_unlock(mtx_t *mutex)
{
    return result_of(fs_pthread_mutex_unlock(mutex_of(mutex)));
}
FS_EXPORT_VERSIONS(mtx_unlock)

int fs_cnd_init(cnd_t *cond)
{
    return result_of(fs_pthread_cond_init(cond_of(cond), NULL));
}
FS_EXPORT_VERSIONS(cnd_init)

void fs_cnd_destroy(cnd_t *cond)
{
    fs_pthread_cond_destroy(cond_of(cond));
}
FS_EXPORT_VERSIONS(cnd_destroy)

int fs_cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    return result_of(fs_pthread_cond_wait(cond_of(cond), mutex_of(mutex)));
}
FS_EXPORT_VERSIONS(cnd_wait)

int fs_cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *at)
{
    return result_of(fs_pthread_cond_timedwait(cond_of(cond), mutex_of(mutex), at));
}
FS_EXPORT_VERSIONS(cnd_timedwait)

int fs_cnd_signal(cnd_t *cond)
{
    return result_of(fs_pthread_cond_signal(cond_of(cond)));
}
FS_EXPORT_VERSIONS(cnd_signal)

int fs_cnd_broadcast(cnd_t *cond)
{
    return result_of(fs_pthread_cond_broadcast(cond_of(cond)));
}
FS_EXPORT_VERSIONS(cnd_broadcast)
