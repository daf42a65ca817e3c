/* SPDX-License-Identifier: MIT */
/* musl's objects as ours see them. The pointers and words of musl's objects have no names in its
   headers; the places below are those of musl 1.1.5 and later. What musl keeps for itself, shared
   and robust mutexes, shared condition variables and reader-writer locks, must be told by a field
   that musl has set, so no field of ours lies there. tests/unit/test_layout.py checks that our
   fields stay where they are. */
#ifndef FS_INTERPOSE_VIEW_MUSL_H
#define FS_INTERPOSE_VIEW_MUSL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lock/condition.h"
#include "lock/mutex.h"
#include "lock/rwlock.h"

#define FS_MUSL_INT(object, index) offsetof(object, __u.__i[index])

/* An int of ours where musl has one. */
#define FS_SAME_PLACE(ours, member, theirs, index)                                                 \
    _Static_assert(offsetof(ours, member) == FS_MUSL_INT(theirs, index),                           \
                   "musl keeps " #member " elsewhere")

FS_SAME_PLACE(struct fs_mutex, kind, pthread_mutex_t, 0);
_Static_assert(sizeof(struct fs_mutex) <= sizeof(pthread_mutex_t), "our mutex is too large");

/* A condition variable. The first two fields and the clock are musl's, the others ours in a private
   one and musl's in a shared one. */
struct fs_cond_view {
    void *shared; /* not null: musl's */
    union {
        struct fs_condition condition;
        fs_word sequence; /* of a shared one: changed by every signal */
    };
    fs_word waiters; /* of a shared one: how many there are; bit 31: somebody destroys it */
    int clock;
};

FS_SAME_PLACE(struct fs_cond_view, shared, pthread_cond_t, 0);
FS_SAME_PLACE(struct fs_cond_view, sequence, pthread_cond_t, 2);
FS_SAME_PLACE(struct fs_cond_view, waiters, pthread_cond_t, 3);
FS_SAME_PLACE(struct fs_cond_view, clock, pthread_cond_t, 4);
_Static_assert(sizeof(struct fs_cond_view) <= sizeof(pthread_cond_t), "too large");

struct fs_rwlock_view {
    struct fs_rwlock lock;
    int shared;     /* not 0: musl's */
    fs_word writer; /* id of the thread that holds the lock for writing */
};

FS_SAME_PLACE(struct fs_rwlock_view, shared, pthread_rwlock_t, 2);
_Static_assert(sizeof(struct fs_rwlock_view) <= sizeof(pthread_rwlock_t), "too large");

/* ---- mutexes ---------------------------------------------------------------- */

/* musl refuses to destroy none, and does not notice the use of a destroyed one. */
FS_ALWAYS_INLINE int fs_retire(struct fs_mutex *m, uint32_t kind)
{
    return 0;
}

/* Whether a mutex that is to be made is musl's; `kind` in our bits. */
FS_ALWAYS_INLINE bool fs_kind_is_handed_over(uint32_t kind)
{
    return (kind & (FS_KIND_ROBUST | FS_KIND_SHARED)) != 0;
}

/* ---- condition variables ---------------------------------------------------- */

FS_ALWAYS_INLINE bool fs_cond_is_shared(const pthread_cond_t *cond)
{
    const struct fs_cond_view *view = (const void *)cond;

    return *(void *const volatile *)&view->shared != NULL; /* settled by the initialisation */
}

FS_ALWAYS_INLINE clockid_t fs_cond_clock(const pthread_cond_t *cond)
{
    return ((const struct fs_cond_view *)(const void *)cond)->clock;
}

FS_ALWAYS_INLINE void fs_cond_set_clock(pthread_cond_t *cond, clockid_t clock)
{
    ((struct fs_cond_view *)(void *)cond)->clock = clock;
}

/* Whether musl waits on its shared condition variable with a mutex: with its own. */
FS_ALWAYS_INLINE bool fs_libc_waits_with(struct fs_mutex *m)
{
    return (fs_mutex_kind(m) & FS_KIND_LIBCS) != 0;
}

/* musl's own code would unlock a mutex of ours by its own protocol. So a wait with one on a shared
   condition variable speaks musl's protocol of the condition variable (shared_condition_musl.c).
   Returns as fs_pthread_cond_timedwait; `deadline` is valid, or null. */
int fs_musl_wait_shared(pthread_cond_t *cond, pthread_mutex_t *mutex,
                        const struct fs_deadline *deadline);

/* If that is how to wait, *err is what the wait returned. */
FS_ALWAYS_INLINE bool fs_cond_waits_by_protocol(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                                const struct fs_deadline *deadline, int *err)
{
    if (!fs_cond_is_shared(cond))
        return false;
    *err = fs_musl_wait_shared(cond, mutex, deadline);
    return true;
}

/* ---- reader-writer locks ------------------------------------------------------ */

FS_ALWAYS_INLINE bool fs_rwlock_is_shared(const pthread_rwlock_t *lock)
{
    const struct fs_rwlock_view *view = (const void *)lock;

    return *(const volatile int *)&view->shared != 0;
}

/* musl knows no other. */
FS_ALWAYS_INLINE enum fs_rw_preference fs_rwlock_preference(const pthread_rwlock_t *lock)
{
    return FS_RW_PREFER_READERS;
}

/* musl tells no writer that it asks for its own lock: it waits, until its deadline or for ever. */
FS_ALWAYS_INLINE bool fs_rwlock_is_writer(const struct fs_rwlock_view *view)
{
    return false;
}

FS_ALWAYS_INLINE bool fs_rwlock_set_preference(pthread_rwlock_t *lock,
                                               const pthread_rwlockattr_t *attr)
{
    return true;
}

#endif
