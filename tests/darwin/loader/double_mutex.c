/* SPDX-License-Identifier: MIT */
/* Doubles of the native mutex calls: Darwin's signatures and return values over queues of the
   world. They count their calls, so that a test program sees what the library handed over. What is
   behind an object lies elsewhere; the object has its signature and the way there. */
#define _GNU_SOURCE
#include "double_locks.h"

#include <string.h>

enum mutex_type { TYPE_NORMAL = 0, TYPE_ERRORCHECK = 1, TYPE_RECURSIVE = 2 };

/* Behind an attribute object of 16 bytes. */
struct mutex_attributes {
    int64_t signature;
    uint8_t type;
    uint8_t protocol;
    uint8_t shared;
    uint8_t ceiling;
};

#define ATTRIBUTES_SIGNATURE 0x4d545841 /* 'MTXA' */

static int attr_init(struct mutex_attributes *attributes)
{
    memset(attributes, 0, sizeof *attributes);
    attributes->signature = ATTRIBUTES_SIGNATURE;
    attributes->shared = PROCESS_PRIVATE;
    return 0;
}

static int attr_destroy(struct mutex_attributes *attributes)
{
    if (attributes->signature != ATTRIBUTES_SIGNATURE)
        return DARWIN_EINVAL;
    attributes->signature = 0;
    return 0;
}

/* Getter and setter of one attribute, an int for the program. */
#define ATTRIBUTE(name, field, highest)                                                            \
    static int attr_get##name(const struct mutex_attributes *attributes, int *value)               \
    {                                                                                              \
        if (attributes->signature != ATTRIBUTES_SIGNATURE)                                         \
            return DARWIN_EINVAL;                                                                  \
        *value = attributes->field;                                                                \
        return 0;                                                                                  \
    }                                                                                              \
    static int attr_set##name(struct mutex_attributes *attributes, int value)                      \
    {                                                                                              \
        if (attributes->signature != ATTRIBUTES_SIGNATURE || value < 0 || value > (highest))       \
            return DARWIN_EINVAL;                                                                  \
        attributes->field = (uint8_t)value;                                                        \
        return 0;                                                                                  \
    }

ATTRIBUTE(type, type, TYPE_RECURSIVE)
ATTRIBUTE(protocol, protocol, 2)
ATTRIBUTE(pshared, shared, PROCESS_PRIVATE)
ATTRIBUTE(prioceiling, ceiling, 127)

static void fill_in(struct native_mutex *mutex, int type, bool shared)
{
    memset(mutex, 0, sizeof *mutex);
    mutex->type = type;
    queue_begin(&mutex->queue, shared);
}

static int mutex_init(void *object, const struct mutex_attributes *attributes)
{
    struct native_mutex *mutex;
    bool shared = attributes && attributes->shared == PROCESS_SHARED;

    host_count("pthread_mutex_init");
    if (attributes && attributes->signature != ATTRIBUTES_SIGNATURE)
        return DARWIN_EINVAL;
    mutex = native_allocate(sizeof *mutex, shared);
    fill_in(mutex, attributes ? attributes->type : TYPE_NORMAL, shared);
    mutex->ceiling = attributes ? attributes->ceiling : 0;
    native_set(object, MUTEX_SIGNATURE, mutex);
    return 0;
}

/* Requires the world's lock. Null: not one of ours. */
struct native_mutex *native_mutex_of(void *object)
{
    uint32_t signature = native_signature(object);
    struct native_mutex *mutex;
    int type;

    switch (signature) {
    case MUTEX_SIGNATURE:
        return native_get(object);
    case STATIC_MUTEX:
    case STATIC_FIRST_FIT_MUTEX:
        type = TYPE_NORMAL;
        break;
    case STATIC_ERRORCHECK_MUTEX:
        type = TYPE_ERRORCHECK;
        break;
    case STATIC_RECURSIVE_MUTEX:
        type = TYPE_RECURSIVE;
        break;
    default:
        return NULL;
    }
    mutex = native_allocate(sizeof *mutex, false);
    fill_in(mutex, type, false);
    native_set(object, MUTEX_SIGNATURE, mutex);
    return mutex;
}

int native_mutex_acquire(struct native_mutex *mutex, bool try)
{
    const uint32_t me = thread_port();

    if (mutex->count > 0 && mutex->owner == me && mutex->type == TYPE_RECURSIVE) {
        mutex->count++;
        return 0;
    }
    if (mutex->count > 0 && try)
        return DARWIN_EBUSY;
    if (mutex->count > 0 && mutex->owner == me && mutex->type == TYPE_ERRORCHECK)
        return DARWIN_EDEADLK;
    while (mutex->count > 0)
        queue_sleep(&mutex->queue, FOR_EVER, false);
    mutex->count = 1;
    mutex->owner = me;
    return 0;
}

int native_mutex_release(struct native_mutex *mutex)
{
    if (mutex->type != TYPE_NORMAL && (mutex->count == 0 || mutex->owner != thread_port()))
        return DARWIN_EPERM;
    if (mutex->count > 0 && --mutex->count == 0)
        queue_wake(&mutex->queue, 1);
    return 0;
}

static int mutex_lock(void *object)
{
    struct native_mutex *mutex;
    int err;

    host_count("pthread_mutex_lock");
    world_lock();
    mutex = native_mutex_of(object);
    err = mutex ? native_mutex_acquire(mutex, false) : DARWIN_EINVAL;
    world_unlock();
    return err;
}

static int mutex_trylock(void *object)
{
    struct native_mutex *mutex;
    int err;

    host_count("pthread_mutex_trylock");
    world_lock();
    mutex = native_mutex_of(object);
    err = mutex ? native_mutex_acquire(mutex, true) : DARWIN_EINVAL;
    world_unlock();
    return err;
}

static int mutex_unlock(void *object)
{
    struct native_mutex *mutex;
    int err;

    host_count("pthread_mutex_unlock");
    world_lock();
    mutex = native_mutex_of(object);
    err = mutex ? native_mutex_release(mutex) : DARWIN_EINVAL;
    world_unlock();
    return err;
}

static int mutex_destroy(void *object)
{
    struct native_mutex *mutex;
    int err = DARWIN_EINVAL;

    host_count("pthread_mutex_destroy");
    world_lock();
    mutex = native_mutex_of(object);
    if (mutex)
        err = mutex->count > 0 ? DARWIN_EBUSY : 0;
    if (err == 0)
        native_set(object, 0, NULL);
    world_unlock();
    return err;
}

static int mutex_getprioceiling(void *object, int *ceiling)
{
    struct native_mutex *mutex;

    host_count("pthread_mutex_getprioceiling");
    world_lock();
    mutex = native_mutex_of(object);
    if (mutex)
        *ceiling = mutex->ceiling;
    world_unlock();
    return mutex ? 0 : DARWIN_EINVAL;
}

static int mutex_setprioceiling(void *object, int ceiling, int *old)
{
    struct native_mutex *mutex;

    host_count("pthread_mutex_setprioceiling");
    world_lock();
    mutex = native_mutex_of(object);
    if (mutex) {
        if (old)
            *old = mutex->ceiling;
        mutex->ceiling = ceiling;
    }
    world_unlock();
    return mutex ? 0 : DARWIN_EINVAL;
}

const struct host_entry host_mutex[] = {
    HOST_FUNCTION("pthread_mutexattr_init", attr_init),
    HOST_FUNCTION("pthread_mutexattr_destroy", attr_destroy),
    HOST_FUNCTION("pthread_mutexattr_gettype", attr_gettype),
    HOST_FUNCTION("pthread_mutexattr_settype", attr_settype),
    HOST_FUNCTION("pthread_mutexattr_getprotocol", attr_getprotocol),
    HOST_FUNCTION("pthread_mutexattr_setprotocol", attr_setprotocol),
    HOST_FUNCTION("pthread_mutexattr_getpshared", attr_getpshared),
    HOST_FUNCTION("pthread_mutexattr_setpshared", attr_setpshared),
    HOST_FUNCTION("pthread_mutexattr_getprioceiling", attr_getprioceiling),
    HOST_FUNCTION("pthread_mutexattr_setprioceiling", attr_setprioceiling),
    HOST_FUNCTION("pthread_mutex_init", mutex_init),
    HOST_FUNCTION("pthread_mutex_destroy", mutex_destroy),
    HOST_FUNCTION("pthread_mutex_lock", mutex_lock),
    HOST_FUNCTION("pthread_mutex_trylock", mutex_trylock),
    HOST_FUNCTION("pthread_mutex_unlock", mutex_unlock),
    HOST_FUNCTION("pthread_mutex_getprioceiling", mutex_getprioceiling),
    HOST_FUNCTION("pthread_mutex_setprioceiling", mutex_setprioceiling),
    HOST_END,
};
