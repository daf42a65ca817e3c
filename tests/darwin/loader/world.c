/* SPDX-License-Identifier: MIT */
/* The lock over the doubles' state and the queues of sleeping threads, made of Linux futexes in
   memory that fork children share. Who sleeps for what is left to the doubles. */
#define _GNU_SOURCE
#include "world.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "loader.h"

#define ARENA ((size_t)64 << 20)
#define NSEC 1000000000ull

struct arena {
    uint32_t lock; /* 0, 1 held, 2 held with waiters */
    size_t used;
};

static struct arena *arena;

void world_begin(void)
{
    arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (arena == MAP_FAILED)
        refuse("mmap", "no memory");
    arena->used = 64;
}

void *world_allocate(size_t size)
{
    size_t at = __atomic_fetch_add(&arena->used, (size + 63) & ~(size_t)63, __ATOMIC_RELAXED);

    if (at + size > ARENA)
        refuse("world_allocate", "too many objects");
    return (char *)arena + at;
}

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *deadline)
{
    return syscall(SYS_futex, word, op, value, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

void world_lock(void)
{
    uint32_t old = 0;

    if (__atomic_compare_exchange_n(&arena->lock, &old, 1, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&arena->lock, 2, __ATOMIC_ACQUIRE) != 0)
        futex(&arena->lock, FUTEX_WAIT_BITSET, 2, NULL);
}

void world_unlock(void)
{
    if (__atomic_exchange_n(&arena->lock, 0, __ATOMIC_RELEASE) == 2)
        futex(&arena->lock, FUTEX_WAKE, 1, NULL);
}

/* ---- queues --------------------------------------------------------------- */

void queue_begin(struct queue *queue, bool shared)
{
    queue->first = NULL;
    queue->last = NULL;
    queue->process = shared ? 0 : getpid();
}

/* The sleepers that a fork child finds in its copy are its parent's. */
static void drop_strangers(struct queue *queue)
{
    if (queue->process != 0 && queue->process != getpid())
        queue_begin(queue, false);
}

static void push(struct queue *queue, struct sleeper *sleeper)
{
    drop_strangers(queue);
    sleeper->queue = queue;
    sleeper->next = NULL;
    sleeper->previous = queue->last;
    if (queue->last)
        queue->last->next = sleeper;
    else
        queue->first = sleeper;
    queue->last = sleeper;
}

static void unlink_sleeper(struct sleeper *sleeper)
{
    struct queue *queue = sleeper->queue;

    if (sleeper->previous)
        sleeper->previous->next = sleeper->next;
    else
        queue->first = sleeper->next;
    if (sleeper->next)
        sleeper->next->previous = sleeper->previous;
    else
        queue->last = sleeper->previous;
    sleeper->queue = NULL;
}

static void end_sleep(struct sleeper *sleeper, enum wake_reason reason)
{
    unlink_sleeper(sleeper);
    census_count_out(sleeper);
    __atomic_store_n(&sleeper->state, reason, __ATOMIC_RELEASE);
    futex(&sleeper->state, FUTEX_WAKE, 1, NULL);
}

/* The moment so far from now, on Linux's CLOCK_MONOTONIC. */
static struct timespec moment_after(uint64_t timeout_ns)
{
    struct timespec now;
    uint64_t nsec;

    clock_gettime(CLOCK_MONOTONIC, &now);
    nsec = (uint64_t)now.tv_nsec + timeout_ns % NSEC;
    now.tv_sec += (time_t)(timeout_ns / NSEC + nsec / NSEC);
    now.tv_nsec = (long)(nsec % NSEC);
    return now;
}

enum wake_reason queue_sleep(struct queue *queue, uint64_t timeout_ns, bool cancellable)
{
    struct sleeper *self = thread_sleeper();
    struct timespec deadline;
    bool late = false;

    if (cancellable && thread_is_cancelled())
        return CANCELLED;
    if (timeout_ns != FOR_EVER)
        deadline = moment_after(timeout_ns);
    self->state = STILL_ASLEEP;
    self->cancellable = cancellable;
    push(queue, self);
    census_count_in(self, timeout_ns);
    world_unlock();
    while (__atomic_load_n(&self->state, __ATOMIC_ACQUIRE) == STILL_ASLEEP && !late) {
        futex(&self->state, FUTEX_WAIT_BITSET, STILL_ASLEEP,
              timeout_ns == FOR_EVER ? NULL : &deadline);
        if (timeout_ns != FOR_EVER) {
            struct timespec now;

            clock_gettime(CLOCK_MONOTONIC, &now);
            late = now.tv_sec > deadline.tv_sec ||
                   (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec);
        }
    }
    world_lock();
    if (self->state == STILL_ASLEEP) {
        unlink_sleeper(self);
        census_count_out(self);
        self->state = TIMED_OUT;
    } else {
        census_count_out(self);
    }
    return (enum wake_reason)self->state;
}

unsigned queue_wake(struct queue *queue, unsigned count)
{
    unsigned woken = 0;

    drop_strangers(queue);
    for (; woken < count && queue->first; woken++)
        end_sleep(queue->first, WOKEN);
    return woken;
}

bool queue_wake_thread(struct queue *queue, const void *thread)
{
    drop_strangers(queue);
    for (struct sleeper *sleeper = queue->first; sleeper; sleeper = sleeper->next)
        if (sleeper->thread == thread) {
            end_sleep(sleeper, WOKEN);
            return true;
        }
    return false;
}

unsigned queue_length(struct queue *queue)
{
    unsigned length = 0;

    drop_strangers(queue);
    for (struct sleeper *sleeper = queue->first; sleeper; sleeper = sleeper->next)
        length++;
    return length;
}

void sleeper_cancel(struct sleeper *sleeper)
{
    if (sleeper->queue && sleeper->cancellable)
        end_sleep(sleeper, CANCELLED);
}
