/* SPDX-License-Identifier: MIT */
/* The condition variable calls of winpthreads: whose object it is, with which mutex, and where a
   cancellation is acted upon. The wait itself is lock/wait.c's. Ours can be used with either
   library's mutexes; a condition variable of winpthreads' would read a mutex of ours as its own, so
   that pair is refused with EINVAL. Results are winpthreads': EINVAL for what was destroyed, EBUSY
   when one is destroyed that somebody waits for. */
#include <errno.h>
#include <stddef.h>

#include "interpose/view_windows.h"
#include "interpose/windows_cancel.h"
#include "interpose/windows_pthread.h"
#include "interpose/windows_redirect.h"
#include "interpose/windows_start.h"
#include "interpose/windows_time.h"
#include "lock/wait.h"

static struct fs_condition_object *settle(const pthread_cond_t *cond, int *err)
{
    union fs_pool_object *object;

    *err = EINVAL;
    if (!cond)
        return NULL;
    object = fs_handle_settle(cond, FS_POOL_CONDITION, err);
    return object ? &object->condition : NULL;
}

/* ---- the type of cancellation -------------------------------------------------- */

/* From here on the thread ends only where it looks: amid our instructions it would stay queued, or
   leave the memory of all objects locked. Returns the type that the thread has chosen. */
static int defer_cancellation(void)
{
    int type = PTHREAD_CANCEL_DEFERRED;

    if (FS_UNLIKELY(fs_load_relaxed(&fs_cancel_seen) & FS_CANCEL_ASYNCHRONOUS))
        FS_ORIGINAL(pthread_setcanceltype)(PTHREAD_CANCEL_DEFERRED, &type);
    return type;
}

/* Gives that type back, and hands on the result. */
static int restore_type(int type, int err)
{
    if (FS_UNLIKELY(type != PTHREAD_CANCEL_DEFERRED))
        FS_ORIGINAL(pthread_setcanceltype)(type, &type);
    return err;
}

/* ---- waiting --------------------------------------------------------------- */

static int acquire(struct fs_mutex *m)
{
    return fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL);
}

/* A mutex of winpthreads' as a wait takes it: of a kind whose word nobody looks at. */
struct stand_in {
    struct fs_mutex mutex;
    pthread_mutex_t *original;
};

static int acquire_original(struct fs_mutex *m)
{
    return FS_ORIGINAL(pthread_mutex_lock)(((struct stand_in *)(void *)m)->original);
}

static int release_original(struct fs_mutex *m)
{
    return FS_ORIGINAL(pthread_mutex_unlock)(((struct stand_in *)(void *)m)->original);
}

/* With the mutex held, so winpthreads is not called unless somebody was cancelled. Relaxed: the
   caller has read the count of the interruptions (wait.h), which publishes what was noted. */
static void end_if_cancelled(void)
{
    if (fs_load_relaxed(&fs_cancel_seen) & FS_CANCEL_REQUESTED)
        FS_ORIGINAL(pthread_testcancel)();
}

static int wait_with_cancellation(struct fs_condition *c, struct fs_mutex *m, struct fs_waiter *who,
                                  const struct fs_deadline *deadline)
{
    int err;

    who->thread = fs_cancel_waiter(fs_thread_id());
    do {
        who->epoch = fs_wait_epoch_now();
        end_if_cancelled();
        err = fs_wait_once(c, m, who, deadline);
    } while (err == FS_WAIT_NOT_BEGUN);
    if (err != ECANCELED)
        return err;
    /* What the caller waits for may have come: with cancellation disabled this is a spurious
       wake-up. */
    end_if_cancelled();
    return 0;
}

static int wait_until(struct fs_condition *c, pthread_mutex_t *mutex,
                      const struct fs_deadline *deadline)
{
    struct fs_waiter who = {.acquire = acquire, .release = fs_mutex_unlock};
    struct stand_in stand_in = {.original = mutex};
    struct fs_mutex *m = &stand_in.mutex;
    int err;
    union fs_pool_object *object = fs_handle_settle(mutex, FS_POOL_MUTEX, &err);

    if (object) {
        m = &object->mutex;
    } else if (err == FS_HANDLE_THEIRS) {
        fs_store_relaxed(&stand_in.mutex.kind, FS_KIND_LIBCS);
        who.acquire = acquire_original;
        who.release = release_original;
    } else {
        return err;
    }
    return wait_with_cancellation(c, m, &who, deadline);
}

/* Whether winpthreads may have the whole call; else what to answer. */
static bool may_hand_over(int *err, const pthread_mutex_t *mutex)
{
    if (*err != FS_HANDLE_THEIRS)
        return false;
    *err = EINVAL;
    return !fs_handle_is_ours(fs_handle_load(mutex));
}

static int wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    int err;
    struct fs_condition_object *object = settle(cond, &err);

    if (object)
        return wait_until(&object->condition, mutex, NULL);
    return may_hand_over(&err, mutex) ? FS_ORIGINAL(pthread_cond_wait)(cond, mutex) : err;
}

int fs_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    int type = defer_cancellation();

    return restore_type(type, wait(cond, mutex));
}

#define DEFERRED(name, time)                                                                       \
    int fs_##name(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct time *when)           \
    {                                                                                              \
        int type = defer_cancellation();                                                           \
                                                                                                   \
        return restore_type(type, do_##name(cond, mutex, when));                                   \
    }

#define TIMEDWAIT(name, time)                                                                      \
    static int do_##name(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct time *at)      \
    {                                                                                              \
        struct fs_deadline deadline;                                                               \
        int err;                                                                                   \
        struct fs_condition_object *object = settle(cond, &err);                                   \
                                                                                                   \
        if (!at)                                                                                   \
            return EINVAL;                                                                         \
        if (object)                                                                                \
            return wait_until(&object->condition, mutex,                                           \
                              FS_TIME_AT(at, (enum fs_clock)object->clock, &deadline));            \
        return may_hand_over(&err, mutex) ? FS_ORIGINAL_LIKE(name, fs_##name)(cond, mutex, at)     \
                                          : err;                                                   \
    }                                                                                              \
    DEFERRED(name, time)

TIMEDWAIT(pthread_cond_timedwait, timespec)
TIMEDWAIT(pthread_cond_timedwait32, fs_timespec32)
TIMEDWAIT(pthread_cond_timedwait64, fs_timespec64)

#define TIMEDWAIT_RELATIVE(name, time)                                                             \
    static int do_##name(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct time *timeout) \
    {                                                                                              \
        struct fs_deadline deadline;                                                               \
        int err;                                                                                   \
        struct fs_condition_object *object = settle(cond, &err);                                   \
                                                                                                   \
        if (!timeout)                                                                              \
            return EINVAL;                                                                         \
        if (!object)                                                                               \
            return may_hand_over(&err, mutex)                                                      \
                       ? FS_ORIGINAL_LIKE(name, fs_##name)(cond, mutex, timeout)                   \
                       : err;                                                                      \
        deadline = fs_time_after(timeout->tv_sec, timeout->tv_nsec);                               \
        return wait_until(&object->condition, mutex, &deadline);                                   \
    }                                                                                              \
    DEFERRED(name, time)

TIMEDWAIT_RELATIVE(pthread_cond_timedwait_relative_np, timespec)
TIMEDWAIT_RELATIVE(pthread_cond_timedwait32_relative_np, fs_timespec32)
TIMEDWAIT_RELATIVE(pthread_cond_timedwait64_relative_np, fs_timespec64)

/* ---- the rest ---------------------------------------------------------------- */

/* Whether it is worth a look at the queue, whose lock may have been left by a thread that the end
   of the process has killed: then the waiters are gone as well. */
static bool may_have_waiters(const struct fs_condition *c)
{
    return fs_load_acquire(&c->queued) != 0 && !fs_process_is_ending();
}

/* Nobody waits on one that nobody has used. */
#define WAKE(name, wake)                                                                           \
    int fs_##name(pthread_cond_t *cond)                                                            \
    {                                                                                              \
        uintptr_t handle = cond ? fs_handle_load(cond) : FS_NO_HANDLE;                             \
                                                                                                   \
        if (FS_LIKELY(fs_handle_is_ours(handle))) {                                                \
            if (may_have_waiters(&fs_handle_object(handle)->condition.condition))                  \
                wake(&fs_handle_object(handle)->condition.condition);                              \
            return 0;                                                                              \
        }                                                                                          \
        if (handle == FS_NO_HANDLE)                                                                \
            return EINVAL;                                                                         \
        return handle == FS_STATIC_NORMAL && !fs_start_switches.off ? 0 : FS_ORIGINAL(name)(cond); \
    }

WAKE(pthread_cond_signal, fs_condition_signal)
WAKE(pthread_cond_broadcast, fs_condition_broadcast)

/* Which clock the deadlines are of. Versions of winpthreads that cannot tell have the one. Returns
   false if the attributes say nothing that is known. */
static bool read_clock(const pthread_condattr_t *attr, clockid_t *clock)
{
    *clock = CLOCK_REALTIME;
    return !attr || !fs_original_pthread_condattr_getclock ||
           FS_ORIGINAL(pthread_condattr_getclock)(attr, clock) == 0;
}

int fs_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    clockid_t clock;
    union fs_pool_object *object;

    if (fs_start_switches.off)
        return FS_ORIGINAL(pthread_cond_init)(cond, attr);
    if (!cond)
        return EINVAL;
    if (attr && *attr == PTHREAD_PROCESS_SHARED)
        return ENOSYS;
    if (!read_clock(attr, &clock))
        return EINVAL;
    object = fs_pool_take(FS_POOL_CONDITION);
    if (!object)
        return ENOMEM;
    object->condition.clock = clock == CLOCK_MONOTONIC ? FS_CLOCK_MONOTONIC : FS_CLOCK_REALTIME;
    fs_handle_store(cond, fs_handle_to(object));
    return 0;
}

/* The hint of a condition variable says too often that somebody waits: the queue knows. */
static bool has_waiters(const struct fs_condition *c)
{
    struct fs_bucket *bucket;
    bool found;

    if (!may_have_waiters(c))
        return false;
    bucket = fs_bucket_of(c, FS_TABLE_PLAIN);
    fs_bucket_lock(bucket, FS_TABLE_PLAIN);
    found = fs_bucket_first(bucket, c) != NULL;
    fs_bucket_unlock(bucket, FS_TABLE_PLAIN);
    return found;
}

int fs_pthread_cond_destroy(pthread_cond_t *cond)
{
    uintptr_t handle = cond ? fs_handle_load(cond) : FS_NO_HANDLE;

    if (handle == FS_NO_HANDLE)
        return EINVAL;
    if (fs_handle_is_ours(handle)) {
        if (has_waiters(&fs_handle_object(handle)->condition.condition))
            return EBUSY;
        return fs_handle_retire(cond, FS_POOL_CONDITION, handle) ? 0 : EINVAL;
    }
    if (handle != FS_STATIC_NORMAL || fs_start_switches.off)
        return FS_ORIGINAL(pthread_cond_destroy)(cond);
    fs_handle_exchange(cond, &handle, FS_NO_HANDLE);
    return 0;
}
