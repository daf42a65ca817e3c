/* SPDX-License-Identifier: MIT */
/* Doubles of the native condition variable calls, in the manner of double_mutex.c.
   Waiting is a cancellation point, except in the calls with $NOCANCEL in their names. */
#define _GNU_SOURCE
#include "double_locks.h"

#include <stdlib.h>

#include "loader.h"

#define NSEC 1000000000ll

void *native_allocate(size_t size, bool shared)
{
    void *memory = shared ? world_allocate(size) : calloc(1, size);

    if (!memory)
        refuse("calloc", "no memory");
    return memory;
}

int sharing_attr_init(struct sharing_attributes *attributes)
{
    attributes->signature = 0x41545452;
    attributes->shared = PROCESS_PRIVATE;
    return 0;
}

int sharing_attr_destroy(struct sharing_attributes *attributes)
{
    attributes->signature = 0;
    return 0;
}

int sharing_attr_getpshared(const struct sharing_attributes *attributes, int *shared)
{
    *shared = attributes->shared;
    return 0;
}

int sharing_attr_setpshared(struct sharing_attributes *attributes, int shared)
{
    if (shared != PROCESS_SHARED && shared != PROCESS_PRIVATE)
        return DARWIN_EINVAL;
    attributes->shared = shared;
    return 0;
}

/* ---- condition variables --------------------------------------------------------- */

struct native_condition {
    struct queue queue;
};

static struct native_condition *make_condition(void *object, bool shared)
{
    struct native_condition *condition = native_allocate(sizeof *condition, shared);

    queue_begin(&condition->queue, shared);
    native_set(object, CONDITION_SIGNATURE, condition);
    return condition;
}

static struct native_condition *condition_of(void *object)
{
    if (native_signature(object) == CONDITION_SIGNATURE)
        return native_get(object);
    if (native_signature(object) == STATIC_CONDITION)
        return make_condition(object, false);
    return NULL;
}

static int cond_init(void *object, const struct sharing_attributes *attributes)
{
    host_count("pthread_cond_init");
    make_condition(object, asks_for_sharing(attributes));
    return 0;
}

static int cond_destroy(void *object)
{
    struct native_condition *condition;
    int err = DARWIN_EINVAL;

    host_count("pthread_cond_destroy");
    world_lock();
    condition = condition_of(object);
    if (condition)
        err = queue_length(&condition->queue) > 0 ? DARWIN_EBUSY : 0;
    if (err == 0)
        native_set(object, 0, NULL);
    world_unlock();
    return err;
}

static int wait_in(void *object, void *mutex_object, uint64_t timeout_ns, bool cancellable)
{
    struct native_condition *condition;
    struct native_mutex *mutex;
    enum wake_reason reason;

    world_lock();
    condition = condition_of(object);
    mutex = native_mutex_of(mutex_object);
    if (!condition || !mutex) {
        world_unlock();
        return DARWIN_EINVAL;
    }
    if (native_mutex_release(mutex) != 0) {
        world_unlock();
        return DARWIN_EPERM;
    }
    reason = timeout_ns == 0 ? TIMED_OUT : queue_sleep(&condition->queue, timeout_ns, cancellable);
    if (reason == TIMED_OUT && cancellable && thread_is_cancelled())
        reason = CANCELLED;
    native_mutex_acquire(mutex, false);
    world_unlock();
    if (reason == CANCELLED)
        thread_cancellation_point();
    return reason == TIMED_OUT ? DARWIN_ETIMEDOUT : 0;
}

static bool is_valid(const struct darwin_time *time)
{
    return time && time->nanoseconds >= 0 && time->nanoseconds < NSEC;
}

/* A time that no clock counts in nanoseconds is never reached. */
static bool is_far(const struct darwin_time *time)
{
    return time->seconds >= INT64_MAX / NSEC;
}

static int wait_until(void *condition, void *mutex, const struct darwin_time *deadline,
                      bool cancellable)
{
    if (!is_valid(deadline))
        return DARWIN_EINVAL;
    if (is_far(deadline))
        return wait_in(condition, mutex, FOR_EVER, cancellable);
    return wait_in(condition, mutex, time_until(deadline->seconds * NSEC + deadline->nanoseconds),
                   cancellable);
}

static int cond_wait(void *condition, void *mutex)
{
    host_count("pthread_cond_wait");
    return wait_in(condition, mutex, FOR_EVER, true);
}

static int cond_wait_nocancel(void *condition, void *mutex)
{
    host_count("pthread_cond_wait$NOCANCEL");
    return wait_in(condition, mutex, FOR_EVER, false);
}

static int cond_timedwait(void *condition, void *mutex, const struct darwin_time *deadline)
{
    host_count("pthread_cond_timedwait");
    return wait_until(condition, mutex, deadline, true);
}

static int cond_timedwait_nocancel(void *condition, void *mutex, const struct darwin_time *deadline)
{
    host_count("pthread_cond_timedwait$NOCANCEL");
    return wait_until(condition, mutex, deadline, false);
}

static int cond_timedwait_relative(void *condition, void *mutex, const struct darwin_time *timeout)
{
    host_count("pthread_cond_timedwait_relative_np");
    if (timeout && !is_valid(timeout))
        return DARWIN_EINVAL;
    if (!timeout || is_far(timeout))
        return wait_in(condition, mutex, FOR_EVER, true);
    if (timeout->seconds < 0)
        return wait_in(condition, mutex, 0, true);
    return wait_in(condition, mutex, (uint64_t)(timeout->seconds * NSEC + timeout->nanoseconds),
                   true);
}

static int wake(void *object, unsigned count)
{
    struct native_condition *condition;

    world_lock();
    condition = condition_of(object);
    if (condition)
        queue_wake(&condition->queue, count);
    world_unlock();
    return condition ? 0 : DARWIN_EINVAL;
}

static int cond_signal(void *condition)
{
    host_count("pthread_cond_signal");
    return wake(condition, 1);
}

static int cond_broadcast(void *condition)
{
    host_count("pthread_cond_broadcast");
    return wake(condition, ~0u);
}

static int cond_signal_thread(void *object, const void *thread)
{
    struct native_condition *condition;
    int err = 0;

    host_count("pthread_cond_signal_thread_np");
    if (!thread)
        return wake(object, 1);
    world_lock();
    condition = condition_of(object);
    if (!condition)
        err = DARWIN_EINVAL;
    else if (!queue_wake_thread(&condition->queue, thread))
        err = DARWIN_ESRCH;
    world_unlock();
    return err;
}

const struct host_entry host_condition[] = {
    HOST_FUNCTION("pthread_condattr_init", sharing_attr_init),
    HOST_FUNCTION("pthread_condattr_destroy", sharing_attr_destroy),
    HOST_FUNCTION("pthread_condattr_getpshared", sharing_attr_getpshared),
    HOST_FUNCTION("pthread_condattr_setpshared", sharing_attr_setpshared),
    HOST_FUNCTION("pthread_cond_init", cond_init),
    HOST_FUNCTION("pthread_cond_destroy", cond_destroy),
    HOST_FUNCTION("pthread_cond_wait", cond_wait),
    HOST_FUNCTION("pthread_cond_wait$NOCANCEL", cond_wait_nocancel),
    HOST_FUNCTION("pthread_cond_timedwait", cond_timedwait),
    HOST_FUNCTION("pthread_cond_timedwait$NOCANCEL", cond_timedwait_nocancel),
    HOST_FUNCTION("pthread_cond_timedwait_relative_np", cond_timedwait_relative),
    HOST_FUNCTION("pthread_cond_signal", cond_signal),
    HOST_FUNCTION("pthread_cond_signal_thread_np", cond_signal_thread),
    HOST_FUNCTION("pthread_cond_broadcast", cond_broadcast),
    HOST_END,
};
