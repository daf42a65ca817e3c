/* SPDX-License-Identifier: MIT */
/* Doubles of the native rwlock calls, in the manner of double_mutex.c. Readers are preferred; who
   may starve whom is not looked at. */
#define _GNU_SOURCE
#include "double_locks.h"

struct native_rwlock {
    unsigned readers;
    uint32_t writer;
    struct queue queue;
};

static struct native_rwlock *make_rwlock(void *object, bool shared)
{
    struct native_rwlock *lock = native_allocate(sizeof *lock, shared);

    queue_begin(&lock->queue, shared);
    native_set(object, RWLOCK_SIGNATURE, lock);
    return lock;
}

static struct native_rwlock *rwlock_of(void *object)
{
    if (native_signature(object) == RWLOCK_SIGNATURE)
        return native_get(object);
    if (native_signature(object) == STATIC_RWLOCK)
        return make_rwlock(object, false);
    return NULL;
}

static int rwlock_init(void *object, const struct sharing_attributes *attributes)
{
    host_count("pthread_rwlock_init");
    make_rwlock(object, asks_for_sharing(attributes));
    return 0;
}

static int rwlock_destroy(void *object)
{
    struct native_rwlock *lock;
    int err = DARWIN_EINVAL;

    host_count("pthread_rwlock_destroy");
    world_lock();
    lock = rwlock_of(object);
    if (lock)
        err = lock->readers || lock->writer ? DARWIN_EBUSY : 0;
    if (err == 0)
        native_set(object, 0, NULL);
    world_unlock();
    return err;
}

static int acquire(void *object, bool write, bool try)
{
    struct native_rwlock *lock;
    int err = 0;

    world_lock();
    lock = rwlock_of(object);
    if (!lock)
        err = DARWIN_EINVAL;
    while (err == 0 && (lock->writer || (write && lock->readers))) {
        if (try)
            err = DARWIN_EBUSY;
        else if (lock->writer == thread_port())
            err = DARWIN_EDEADLK;
        else
            queue_sleep(&lock->queue, FOR_EVER, false);
    }
    if (err == 0 && write)
        lock->writer = thread_port();
    else if (err == 0)
        lock->readers++;
    world_unlock();
    return err;
}

static int rwlock_rdlock(void *object)
{
    host_count("pthread_rwlock_rdlock");
    return acquire(object, false, false);
}

static int rwlock_tryrdlock(void *object)
{
    host_count("pthread_rwlock_tryrdlock");
    return acquire(object, false, true);
}

static int rwlock_wrlock(void *object)
{
    host_count("pthread_rwlock_wrlock");
    return acquire(object, true, false);
}

static int rwlock_trywrlock(void *object)
{
    host_count("pthread_rwlock_trywrlock");
    return acquire(object, true, true);
}

static int rwlock_unlock(void *object)
{
    struct native_rwlock *lock;
    int err = 0;

    host_count("pthread_rwlock_unlock");
    world_lock();
    lock = rwlock_of(object);
    if (!lock)
        err = DARWIN_EINVAL;
    else if (lock->writer)
        lock->writer = 0;
    else if (lock->readers)
        lock->readers--;
    else
        err = DARWIN_EPERM;
    if (err == 0 && lock->readers == 0)
        queue_wake(&lock->queue, ~0u);
    world_unlock();
    return err;
}

const struct host_entry host_rwlock[] = {
    HOST_FUNCTION("pthread_rwlockattr_init", sharing_attr_init),
    HOST_FUNCTION("pthread_rwlockattr_destroy", sharing_attr_destroy),
    HOST_FUNCTION("pthread_rwlockattr_getpshared", sharing_attr_getpshared),
    HOST_FUNCTION("pthread_rwlockattr_setpshared", sharing_attr_setpshared),
    HOST_FUNCTION("pthread_rwlock_init", rwlock_init),
    HOST_FUNCTION("pthread_rwlock_destroy", rwlock_destroy),
    HOST_FUNCTION("pthread_rwlock_rdlock", rwlock_rdlock),
    HOST_FUNCTION("pthread_rwlock_tryrdlock", rwlock_tryrdlock),
    HOST_FUNCTION("pthread_rwlock_wrlock", rwlock_wrlock),
    HOST_FUNCTION("pthread_rwlock_trywrlock", rwlock_trywrlock),
    HOST_FUNCTION("pthread_rwlock_unlock", rwlock_unlock),
    HOST_END,
};
