/* SPDX-License-Identifier: MIT */
/* Atomic accesses under sequential consistency and under x86-TSO: there a store waits in its
   thread's buffer, which drains in order at any later moment; the thread itself sees what it has
   stored; a read-modify-write, also one that fails, a fence and a system call drain it first. On
   x86 a store is a release, a load an acquire, and everything else is a full barrier, so the orders
   make no difference here; weak.c is where they do. */
#include <string.h>

#include "weak.h"

uint64_t order_peek(const void *at, unsigned size)
{
    uint64_t value = 0;

    switch (size) {
    case 1:
        value = *(const uint8_t *)at;
        break;
    case 4:
        value = *(const uint32_t *)at;
        break;
    default:
        value = *(const uint64_t *)at;
        break;
    }
    return value;
}

void order_poke(void *at, unsigned size, uint64_t value)
{
    memory_touch(at, size);
    switch (size) {
    case 1:
        *(uint8_t *)at = (uint8_t)value;
        break;
    case 4:
        *(uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(uint64_t *)at = value;
        break;
    }
}

void order_write(unsigned thread, void *at, unsigned size, uint64_t value)
{
    uint64_t old = order_peek(at, size);

    order_poke(at, size, value);
    if (thread != EXPLORE_NOBODY)
        world.threads[thread].idle = false;
    world_event(EVENT_WRITE, thread, at, NULL, old, value);
}

void order_write_by_kernel(unsigned thread, fs_word *at, uint32_t value)
{
    uint64_t old = order_peek(at, sizeof *at);

    order_poke(at, sizeof *at, value);
    if (session.mode == MODE_WEAK && thread != EXPLORE_NOBODY)
        weak_kernel_wrote(thread, at, (uint32_t)old);
    world_event(EVENT_WRITE, thread, at, at, old, value);
}

void order_system_call(void)
{
    order_drain(session.current);
    if (session.mode == MODE_WEAK)
        weak_fence(session.current);
}

uint32_t order_kernel_load(const fs_word *w)
{
    return session.mode == MODE_WEAK ? weak_kernel_load(w) : (uint32_t)order_peek(w, sizeof *w);
}

void order_drain_one(unsigned index)
{
    struct thread *thread = &world.threads[index];
    struct buffered_store store = thread->buffer[0];

    thread->buffered--;
    memmove(&thread->buffer[0], &thread->buffer[1], thread->buffered * sizeof store);
    memset(&thread->buffer[thread->buffered], 0, sizeof store);
    memory_check(store.at, store.size, "late store");
    order_write(index, store.at, (unsigned)store.size, store.value);
}

void order_drain(unsigned thread)
{
    while (world.threads[thread].buffered != 0)
        order_drain_one(thread);
}

/* The newest store to the same place that still waits in the thread's own buffer. */
static const struct buffered_store *find_own(const struct thread *me, const void *at, unsigned size)
{
    for (uint32_t i = me->buffered; i > 0; i--) {
        const struct buffered_store *store = &me->buffer[i - 1];

        if (store->at == at && store->size == size)
            return store;
    }
    return NULL;
}

/* The running thread's accesses, after their point; `where` is their caller, for the trace. */
static uint64_t load(const void *at, unsigned size, int order, const void *where)
{
    const struct buffered_store *own;
    uint64_t value;

    session.where = where;
    memory_check(at, size, "load");
    own = find_own(world_self(), at, size);
    value = own                         ? own->value
            : session.mode == MODE_WEAK ? weak_load(at, size, order)
                                        : order_peek(at, size);
    world_event(EVENT_LOAD, session.current, at, NULL, 0, value);
    return value;
}

static void store(void *at, unsigned size, uint64_t new, int order, const void *where)
{
    struct thread *me = world_self();

    session.where = where;
    memory_check(at, size, "store");
    if (session.mode == MODE_WEAK) {
        weak_store(at, size, new, order);
        return;
    }
    if (session.mode == MODE_SC) {
        order_write(session.current, at, size, new);
        return;
    }
    if (me->buffered == BUFFER_MAX)
        order_drain_one(session.current);
    me->buffer[me->buffered++] = (struct buffered_store){at, new, size};
    if (session.tracing)
        trace_note(session.current, "(a store waits in its buffer)");
}

uint64_t sim_load(const void *at, unsigned size, int order)
{
    if (!world_self())
        return order_peek(at, size);
    world_point(false);
    return load(at, size, order, __builtin_return_address(0));
}

void sim_store(void *at, unsigned size, uint64_t new, int order)
{
    if (!world_self()) {
        order_poke(at, size, new);
        return;
    }
    world_point(false);
    store(at, size, new, order, __builtin_return_address(0));
}

bool sim_cas(void *at, unsigned size, uint64_t *old, uint64_t new, int order)
{
    struct thread *me = world_self();
    uint64_t held;

    if (me) {
        world_point(false);
        order_drain(session.current);
        session.where = __builtin_return_address(0);
        memory_check(at, size, "compare-and-swap");
        if (session.mode == MODE_WEAK) {
            if (weak_cas(at, size, old, new, order))
                return true;
            world_event(EVENT_FAILED, session.current, at, NULL, *old, new);
            return false;
        }
    }
    held = order_peek(at, size);
    if (held != *old) {
        *old = held;
        if (me)
            world_event(EVENT_FAILED, session.current, at, NULL, held, new);
        return false;
    }
    if (me)
        order_write(session.current, at, size, new);
    else
        order_poke(at, size, new);
    return true;
}

uint64_t order_apply(int operation, uint64_t old, uint64_t operand, unsigned size)
{
    uint64_t new = operation == SIM_ADD   ? old + operand
                   : operation == SIM_OR  ? old | operand
                   : operation == SIM_AND ? old &operand
                                          : operand;

    return size == 4 ? (uint32_t) new : new;
}

uint64_t sim_rmw(void *at, unsigned size, int operation, uint64_t operand, int order)
{
    struct thread *me = world_self();
    uint64_t old, new;

    if (me) {
        world_point(false);
        order_drain(session.current);
        session.where = __builtin_return_address(0);
        memory_check(at, size, "read-modify-write");
        if (session.mode == MODE_WEAK)
            return weak_rmw(at, size, operation, operand, order);
    }
    old = order_peek(at, size);
    new = order_apply(operation, old, operand, size);
    if (me)
        order_write(session.current, at, size, new);
    else
        order_poke(at, size, new);
    return old;
}

void sim_fence(void)
{
    if (world_self())
        futex_enter();
}

/* ---- restartable sequences and barriers ------------------------------------------------ */

void explore_membarrier(bool rseq)
{
    world_point(false);
    for (unsigned i = 0; i < world.count; i++) {
        order_drain(i);
        if (rseq && i != session.current && world.threads[i].in_sequence)
            world.threads[i].aborted = true;
    }
    if (session.mode == MODE_WEAK)
        weak_fence_all();
    if (session.tracing)
        trace_note(session.current, rseq ? "membarrier, for restartable sequences" : "membarrier");
}

void explore_rseq_begin(void)
{
    struct thread *me = world_self();

    me->in_sequence = true;
    me->aborted = false;
}

void explore_rseq_leave(void)
{
    struct thread *me = world_self();

    me->in_sequence = false;
    me->aborted = false;
}

/* After a point inside a sequence. */
static bool goes_on(struct thread *me)
{
    if (!me->aborted)
        return true;
    explore_rseq_leave();
    if (session.tracing)
        trace_note(session.current, "its restartable sequence is aborted");
    return false;
}

bool explore_rseq_load(const fs_word *w, uint32_t *value)
{
    world_point(false);
    if (!goes_on(world_self()))
        return false;
    *value = (uint32_t)load(w, sizeof *w, SIM_RELAXED, __builtin_return_address(0));
    return true;
}

bool explore_rseq_commit(fs_word *w, uint32_t value)
{
    world_point(false);
    if (!goes_on(world_self()))
        return false;
    explore_rseq_leave();
    store(w, sizeof *w, value, SIM_RELEASE, __builtin_return_address(0));
    return true;
}
