/* SPDX-License-Identifier: MIT */
/*
 * Locks with a fault, to be preloaded under fuzz_locks: test_fuzz.py demands that each fault is
 * found and its script shrunk to a few calls. The environment variable FAULT picks one; all else
 * is libc's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int has_fault(const char *name)
{
    const char *fault = getenv("FAULT");

    return fault && strcmp(fault, name) == 0;
}

#define NEXT(function) (__extension__(__typeof__(&(function))) dlsym(RTLD_NEXT, #function))

int pthread_cond_broadcast(pthread_cond_t *cond)
{
    return has_fault("narrow-broadcast") ? pthread_cond_signal(cond)
                                         : NEXT(pthread_cond_broadcast)(cond);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int err = NEXT(pthread_mutex_unlock)(mutex);

    return has_fault("unlock-by-stranger") && err == EPERM ? 0 : err;
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *at)
{
    if (has_fault("early-timeout")) {
        int err = pthread_mutex_trylock(mutex);

        return err == EBUSY ? ETIMEDOUT : err;
    }
    return NEXT(pthread_mutex_timedlock)(mutex, at);
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    int err = NEXT(pthread_rwlock_tryrdlock)(lock);

    if (has_fault("crash") && err == EBUSY)
        abort();
    return err;
}
