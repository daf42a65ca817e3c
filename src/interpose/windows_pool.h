/* SPDX-License-Identifier: MIT */
/* Where the locks of winpthreads' programs live: each pthread object there is one word, too small
   for ours, so ours lie in slots of memory that is never given back.

   Invariants:
   P1  A slot is of one kind for good. Whoever still has its address may read it as that kind, and a
       wake on it disturbs at most others of that kind, who look again.
   P2  A slot is either free, and then on its kind's list, or in use, and then named by one handle.
       It changes sides only under the kind's lock. Giving back a slot that is free does nothing.
   P3  A slot is cleared by who takes it, before its handle is published; not by who gives it back.
 */
#ifndef FS_INTERPOSE_WINDOWS_POOL_H
#define FS_INTERPOSE_WINDOWS_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock/condition.h"
#include "lock/mutex.h"
#include "lock/rwlock.h"

enum fs_pool_kind {
    FS_POOL_MUTEX,
    FS_POOL_CONDITION,
    FS_POOL_RWLOCK,
    FS_POOL_KINDS,
};

struct fs_condition_object {
    struct fs_condition condition;
    uint32_t clock; /* enum fs_clock, of its deadlines */
};

struct fs_rwlock_object {
    struct fs_rwlock lock;
    fs_word writer; /* id of the thread that holds the lock for writing */
};

union fs_pool_object {
    struct fs_mutex mutex;
    struct fs_condition_object condition;
    struct fs_rwlock_object rwlock;
};

/* A zeroed object, in use from now on; null when there is no memory. */
union fs_pool_object *fs_pool_take(enum fs_pool_kind kind);

/* Returns whether it was in use. */
bool fs_pool_give(enum fs_pool_kind kind, union fs_pool_object *object);

#endif
