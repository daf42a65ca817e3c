/* SPDX-License-Identifier: MIT */
/* What the doubles of mutexes, condition variables and rwlocks share: signatures, and where an
   object keeps the way to what is behind it. Objects are aligned to 4 bytes only. */
#ifndef FS_TEST_DOUBLE_LOCKS_H
#define FS_TEST_DOUBLE_LOCKS_H

#include <stdbool.h>
#include <string.h>

#include "host.h"
#include "world.h"

enum native_signature {
    STATIC_MUTEX = 0x32aaaba7,
    STATIC_ERRORCHECK_MUTEX = 0x32aaaba1,
    STATIC_RECURSIVE_MUTEX = 0x32aaaba2,
    STATIC_FIRST_FIT_MUTEX = 0x32aaaba3,
    STATIC_CONDITION = 0x3cb0b1bb,
    STATIC_RWLOCK = 0x2da8b3b4,
    MUTEX_SIGNATURE = 0x4d555458,     /* 'MUTX' */
    CONDITION_SIGNATURE = 0x434f4e44, /* 'COND' */
    RWLOCK_SIGNATURE = 0x52574c4b,    /* 'RWLK' */
};

enum process_sharing { PROCESS_SHARED = 1, PROCESS_PRIVATE = 2 };

struct native_mutex {
    int type;
    int ceiling;
    uint32_t owner;
    unsigned count;
    struct queue queue;
};

static inline uint32_t native_signature(const void *object)
{
    uint32_t signature;

    memcpy(&signature, object, sizeof signature);
    return signature;
}

static inline void *native_get(const void *object)
{
    void *behind;

    memcpy(&behind, (const char *)object + 8, sizeof behind);
    return behind;
}

static inline void native_set(void *object, uint32_t signature, void *behind)
{
    uint64_t first = signature;

    memcpy((char *)object + 8, &behind, sizeof behind);
    memcpy(object, &first, sizeof first);
}

/* The attributes of condition variables and of rwlocks; programs see only their size. */
struct sharing_attributes {
    int64_t signature;
    int32_t shared;
};

int sharing_attr_init(struct sharing_attributes *attributes);
int sharing_attr_destroy(struct sharing_attributes *attributes);
int sharing_attr_getpshared(const struct sharing_attributes *attributes, int *shared);
int sharing_attr_setpshared(struct sharing_attributes *attributes, int shared);

static inline bool asks_for_sharing(const struct sharing_attributes *attributes)
{
    return attributes && attributes->shared == PROCESS_SHARED;
}

/* In memory that fork children share, or copy. Never given back. */
void *native_allocate(size_t size, bool shared);

/* All of these require the world's lock. */
struct native_mutex *native_mutex_of(void *object);
int native_mutex_acquire(struct native_mutex *mutex, bool try);
int native_mutex_release(struct native_mutex *mutex);

#endif
