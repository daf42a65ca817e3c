/* SPDX-License-Identifier: MIT */
/* Doubles of the wait calls: __ulock_wait, __ulock_wait2, __ulock_wake, and the public calls of
   macOS 14.4 over the same queues. Comparing and going to sleep is one step; a value that differs
   is success, as is every number of sleepers that remain. Faults come in between (faults.c). */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "loader.h"
#include "world.h"

enum ulock_operation {
    COMPARE_AND_WAIT = 1,
    COMPARE_AND_WAIT_SHARED = 3,
    COMPARE_AND_WAIT_64 = 5,
    COMPARE_AND_WAIT_64_SHARED = 6,
};

#define OPERATION_MASK 0xffu
#define NO_ERRNO 0x01000000u
#define WAIT_CANCEL_POINT 0x00020000u
#define WAIT_FLAGS (NO_ERRNO | WAIT_CANCEL_POINT | 0x00010000u | 0x00040000u)
#define WAKE_ALL 0x100u
#define WAKE_FLAGS (NO_ERRNO | WAKE_ALL)

#define BUCKETS 256

/* What sleeps on one address. */
struct waiting {
    struct waiting *next;
    uintptr_t address;
    int process; /* 0: shared */
    unsigned operation;
    struct queue queue;
};

static struct waiting **buckets;

static bool is_shared(unsigned operation)
{
    return operation == COMPARE_AND_WAIT_SHARED || operation == COMPARE_AND_WAIT_64_SHARED;
}

static size_t width_of(unsigned operation)
{
    return operation >= COMPARE_AND_WAIT_64 ? 8 : 4;
}

static bool is_operation(unsigned operation)
{
    return operation == COMPARE_AND_WAIT || operation == COMPARE_AND_WAIT_SHARED ||
           operation == COMPARE_AND_WAIT_64 || operation == COMPARE_AND_WAIT_64_SHARED;
}

void waits_begin(void)
{
    buckets = world_allocate(BUCKETS * sizeof(struct waiting *));
}

/* Private and shared never meet. Requires the world's lock. */
static struct waiting *find_waiting(uintptr_t address, unsigned operation)
{
    int process = is_shared(operation) ? 0 : getpid();
    struct waiting **at;

    at = &buckets[(address >> 2) % BUCKETS];
    for (; *at; at = &(*at)->next)
        if ((*at)->address == address && (*at)->process == process)
            return *at;
    *at = world_allocate(sizeof **at);
    (*at)->address = address;
    (*at)->process = process;
    (*at)->operation = operation;
    queue_begin(&(*at)->queue, is_shared(operation));
    return *at;
}

static bool holds(const void *address, unsigned operation, uint64_t value)
{
    if (width_of(operation) == 8)
        return __atomic_load_n((const uint64_t *)address, __ATOMIC_SEQ_CST) == value;
    return __atomic_load_n((const uint32_t *)address, __ATOMIC_SEQ_CST) == (uint32_t)value;
}

/* Requires the world's lock and a value that is as expected. */
static int sleep_on(struct waiting *waiting, uint64_t timeout_ns, bool cancellable)
{
    enum wake_reason reason;

    if (faults_happen(FAULT_EFAULT))
        return -DARWIN_EFAULT;
    if (faults_happen(FAULT_SPURIOUS)) {
        uint64_t moment = 50000;

        if (timeout_ns > moment && queue_sleep(&waiting->queue, moment, cancellable) != CANCELLED)
            return (int)queue_length(&waiting->queue);
    }
    reason = queue_sleep(&waiting->queue, timeout_ns, cancellable);
    if (reason == CANCELLED)
        return -DARWIN_EINTR;
    return reason == TIMED_OUT ? -DARWIN_ETIMEDOUT : (int)queue_length(&waiting->queue);
}

/* Returns how many still sleep there, or a negative error. */
static int wait_on(unsigned operation, const void *address, uint64_t value, uint64_t timeout_ns,
                   bool cancellable)
{
    struct waiting *waiting;
    int result;

    if (!is_operation(operation) || !address || (uintptr_t)address % width_of(operation) != 0)
        return -DARWIN_EINVAL;
    faults_delay();
    if (faults_happen(FAULT_EINTR))
        return -DARWIN_EINTR;
    world_lock();
    waiting = find_waiting((uintptr_t)address, operation);
    if (queue_length(&waiting->queue) == 0)
        waiting->operation = operation;
    if (waiting->operation != operation)
        result = -DARWIN_EDOM;
    else if (!holds(address, operation, value))
        result = (int)queue_length(&waiting->queue);
    else
        result = sleep_on(waiting, timeout_ns, cancellable);
    world_unlock();
    faults_delay();
    return result;
}

static int wake_on(unsigned operation, const void *address, unsigned count)
{
    struct waiting *waiting;
    int result = 0;

    if (!is_operation(operation) || !address || (uintptr_t)address % width_of(operation) != 0)
        return -DARWIN_EINVAL;
    faults_delay();
    if (faults_happen(FAULT_WAKE_EINTR))
        return -DARWIN_EINTR;
    world_lock();
    waiting = find_waiting((uintptr_t)address, operation);
    if (queue_length(&waiting->queue) == 0)
        result = -DARWIN_ENOENT;
    else if (waiting->operation != operation)
        result = -DARWIN_EDOM;
    else
        queue_wake(&waiting->queue, count);
    world_unlock();
    return result;
}

/* ---- the private calls --------------------------------------------------------- */

static int answer(int result, bool without_errno)
{
    if (result >= 0 || without_errno)
        return result;
    host_set_errno(-result);
    return -1;
}

static int ulock_wait(uint32_t operation, void *address, uint64_t value, uint64_t timeout_ns)
{
    int result = -DARWIN_EINVAL;

    if (!(operation & ~OPERATION_MASK & ~WAIT_FLAGS))
        result = wait_on(operation & OPERATION_MASK, address, value,
                         timeout_ns == 0 ? FOR_EVER : timeout_ns, operation & WAIT_CANCEL_POINT);
    return answer(result, operation & NO_ERRNO);
}

static int double_ulock_wait(uint32_t operation, void *address, uint64_t value, uint32_t timeout_us)
{
    host_count("__ulock_wait");
    return ulock_wait(operation, address, value, timeout_us * 1000ull);
}

static int double_ulock_wait2(uint32_t operation, void *address, uint64_t value,
                              uint64_t timeout_ns, uint64_t second_value)
{
    host_count("__ulock_wait2");
    if (second_value != 0)
        return answer(-DARWIN_EINVAL, operation & NO_ERRNO);
    return ulock_wait(operation, address, value, timeout_ns);
}

static int double_ulock_wake(uint32_t operation, void *address, uint64_t thread)
{
    int result = -DARWIN_EINVAL;

    host_count("__ulock_wake");
    if (!(operation & ~OPERATION_MASK & ~WAKE_FLAGS) && thread == 0)
        result = wake_on(operation & OPERATION_MASK, address, operation & WAKE_ALL ? ~0u : 1);
    return answer(result, operation & NO_ERRNO);
}

/* ---- the public calls of macOS 14.4 ---------------------------------------------- */

#define SYNC_SHARED 1u
#define SYNC_MACH_CLOCK 32u

/* 0 when size or flags are wrong. */
static unsigned operation_of(size_t size, uint32_t flags)
{
    if (flags & ~SYNC_SHARED)
        return 0;
    if (size == 4)
        return flags & SYNC_SHARED ? COMPARE_AND_WAIT_SHARED : COMPARE_AND_WAIT;
    if (size == 8)
        return flags & SYNC_SHARED ? COMPARE_AND_WAIT_64_SHARED : COMPARE_AND_WAIT_64;
    return 0;
}

static int sync_wait(void *address, uint64_t value, size_t size, uint32_t flags)
{
    host_count("os_sync_wait_on_address");
    return answer(wait_on(operation_of(size, flags), address, value, FOR_EVER, false), false);
}

static int sync_wait_with_timeout(void *address, uint64_t value, size_t size, uint32_t flags,
                                  uint32_t clock, uint64_t timeout_ns)
{
    host_count("os_sync_wait_on_address_with_timeout");
    if (clock != SYNC_MACH_CLOCK || timeout_ns == 0)
        return answer(-DARWIN_EINVAL, false);
    return answer(wait_on(operation_of(size, flags), address, value, timeout_ns, false), false);
}

static int sync_wait_with_deadline(void *address, uint64_t value, size_t size, uint32_t flags,
                                   uint32_t clock, uint64_t deadline)
{
    uint64_t timeout_ns = time_until_mach(deadline);

    host_count("os_sync_wait_on_address_with_deadline");
    if (clock != SYNC_MACH_CLOCK || deadline == 0)
        return answer(-DARWIN_EINVAL, false);
    return answer(wait_on(operation_of(size, flags), address, value, timeout_ns, false), false);
}

static int sync_wake_any(void *address, size_t size, uint32_t flags)
{
    host_count("os_sync_wake_by_address_any");
    return answer(wake_on(operation_of(size, flags), address, 1), false);
}

static int sync_wake_all(void *address, size_t size, uint32_t flags)
{
    host_count("os_sync_wake_by_address_all");
    return answer(wake_on(operation_of(size, flags), address, ~0u), false);
}

const struct host_entry host_waits[] = {
    HOST_FUNCTION("__ulock_wait", double_ulock_wait),
    HOST_FUNCTION("__ulock_wait2", double_ulock_wait2),
    HOST_FUNCTION("__ulock_wake", double_ulock_wake),
    HOST_FUNCTION("os_sync_wait_on_address", sync_wait),
    HOST_FUNCTION("os_sync_wait_on_address_with_timeout", sync_wait_with_timeout),
    HOST_FUNCTION("os_sync_wait_on_address_with_deadline", sync_wait_with_deadline),
    HOST_FUNCTION("os_sync_wake_by_address_any", sync_wake_any),
    HOST_FUNCTION("os_sync_wake_by_address_all", sync_wake_all),
    HOST_END,
};
