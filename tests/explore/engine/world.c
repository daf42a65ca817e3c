/* SPDX-License-Identifier: MIT */
/* Threads as coroutines: entered once by makecontext, switched by _setjmp and _longjmp ever after.
   Their stacks lie at fixed places, so that a state is restored by copying bytes back. */
#include "weak.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

struct world world;
struct session session;

static jmp_buf outside_context; /* where a thread, or a failing call, goes back to */
static ucontext_t entry_context, main_context;

static uintptr_t stack_top(unsigned thread)
{
    return STACKS_BASE + (uintptr_t)(thread + 1) * STACK_SIZE;
}

void world_prepare(void)
{
    void *at =
        mmap((void *)STACKS_BASE, (size_t)STACK_SIZE * EXPLORE_THREADS, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

    if (at != (void *)STACKS_BASE) {
        fprintf(stderr, "explorer: no memory for the stacks\n");
        _exit(2);
    }
}

static uintptr_t stack_pointer(void)
{
#if defined(__x86_64__)
    uintptr_t sp;

    __asm__ volatile("mov %%rsp, %0" : "=r"(sp));
    return sp;
#elif defined(__aarch64__)
    uintptr_t sp;

    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
#else
    return (uintptr_t)__builtin_frame_address(0) - 256;
#endif
}

/* Back to whoever resumed this thread. Returns when it is resumed. */
static FS_NOINLINE void leave(void)
{
    struct thread *me = &world.threads[session.current];

    me->sp = stack_pointer();
    if (_setjmp(me->context) == 0)
        _longjmp(outside_context, 1);
}

static void run_thread(void)
{
    unsigned self = session.current;

    leave(); /* created; resumed for the first time by the search */
    session.scenario->thread[self]();
    if (session.mode == MODE_WEAK)
        weak_fence(self); /* as by pthread_join */
    world.threads[self].state = THREAD_DONE;
    leave();
    __builtin_unreachable();
}

/* Runs it up to its first leave(). */
static void create_thread(unsigned index)
{
    struct thread *thread = &world.threads[index];

    memset(thread, 0, sizeof *thread);
    memset((void *)(stack_top(index) - 16384), 0, 16384);
    thread->state = THREAD_READY;
    thread->id = 100 + index;
    session.current = index;
    getcontext(&entry_context);
    entry_context.uc_stack.ss_sp = (void *)(stack_top(index) - STACK_SIZE);
    entry_context.uc_stack.ss_size = STACK_SIZE;
    entry_context.uc_link = &main_context;
    makecontext(&entry_context, run_thread, 0);
    if (_setjmp(outside_context) == 0)
        swapcontext(&main_context, &entry_context);
    session.current = EXPLORE_NOBODY;
}

void world_call(void (*function)(void))
{
    unsigned current = session.current;
    bool outside = session.outside;

    if (!function)
        return;
    session.outside = true;
    session.current = EXPLORE_NOBODY;
    if (_setjmp(outside_context) == 0)
        function();
    session.outside = outside;
    session.current = current;
}

void world_do(void (*function)(unsigned argument), unsigned argument)
{
    session.current = EXPLORE_NOBODY;
    session.outside = false;
    if (_setjmp(outside_context) == 0)
        function(argument);
    session.outside = false;
}

bool world_begin(const struct explore_scenario *scenario, enum explore_mode mode)
{
    session.scenario = scenario;
    session.mode = mode;
    session.failed = false;
    session.outside = false;
    session.current = EXPLORE_NOBODY;
    memory_reset();
    trace_forget_names();
    memset(&world, 0, sizeof world);
    world.left = scenario->world;
    world.asking = EXPLORE_NOBODY;
    world.last = EXPLORE_NOBODY;
    for (unsigned i = 0; i < EXPLORE_THREADS && scenario->thread[i]; i++) {
        create_thread(i);
        world.count++;
        futex_make_robust_head(i);
    }
    world_call(scenario->start);
    /* A thread begins with what start has left: it may have done something in its name. */
    for (unsigned i = 0; i < world.count; i++)
        memory_copy_locals(&world.threads[i]);
    memory_store_locals(&(struct thread){0});
    if (!session.failed)
        world_call(scenario->check);
    return !session.failed;
}

void world_resume(unsigned index)
{
    struct thread *thread = &world.threads[index];
    uintptr_t dead_from;

    session.current = index;
    world.asking = EXPLORE_NOBODY;
    thread->asks = 0;
    if (thread->state == THREAD_QUIET || thread->state == THREAD_AWAITING)
        thread->state = THREAD_READY;
    memory_load_locals(thread);
    if (_setjmp(outside_context) == 0)
        _longjmp(thread->context, 1);
    memory_store_locals(thread);
    session.current = EXPLORE_NOBODY;
    session.outside = false;
    /* What the thread has left below its stack pointer would make equal states look different. */
    dead_from = thread->sp - 1536;
    if (!session.failed && dead_from > stack_top(index) - STACK_SIZE)
        memset((void *)dead_from, 0, thread->sp - dead_from);
}

void world_point(bool yields)
{
    struct thread *me = world_self();

    if (!me)
        return;
    me->yields = yields;
    leave();
    me->yields = false;
    me->after_atomic = true;
}

int world_sleep(void)
{
    struct thread *me = &world.threads[session.current];

    me->state = THREAD_ASLEEP;
    me->idle = false;
    world_event(EVENT_SLEEP, session.current, me->sleep.word, NULL, me->sleep.expected,
                me->sleep.bits);
    leave();
    order_system_call();
    return me->result;
}

void world_wake(unsigned index, int result)
{
    struct thread *thread = &world.threads[index];
    const fs_word *word = thread->sleep.word;

    thread->state = THREAD_READY;
    thread->result = result;
    memset(&thread->sleep, 0, sizeof thread->sleep);
    world_event(EVENT_AWAKE, index, word, NULL, (uint64_t)result, 0);
}

bool world_is_asleep(unsigned thread)
{
    return world.threads[thread].state == THREAD_ASLEEP;
}

void world_event(enum explore_event_kind kind, unsigned thread, const void *word, const void *other,
                 uint64_t old, uint64_t new)
{
    struct explore_event event = {kind, thread, word, other, old, new};
    bool outside = session.outside;

    if (session.tracing)
        trace_event(&event);
    if (outside || !session.scenario->observe)
        return;
    session.outside = true;
    session.scenario->observe(&event);
    session.outside = outside;
}

/* ---- what scenarios call ------------------------------------------------------------- */

unsigned explore_self(void)
{
    return session.current;
}

void explore_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(session.failure, sizeof session.failure, format, arguments);
    va_end(arguments);
    session.failed = true;
    _longjmp(outside_context, 1);
}

void explore_step(const char *what)
{
    world_point(false);
    if (session.tracing)
        trace_note(session.current, what);
}

void explore_pause(void)
{
    struct thread *me = world_self();

    if (!me)
        return;
    me->idle = true;
    world_point(true);
}

unsigned explore_choose(unsigned n, const char *what)
{
    struct thread *me = world_self();
    char text[96];

    if (!me || n < 2)
        return 0;
    me->asks = n;
    world.asking = session.current;
    leave();
    if (session.tracing) {
        snprintf(text, sizeof text, "%s: %u of %u", what, me->answer, n);
        trace_note(session.current, text);
    }
    return me->answer;
}

void explore_wait_until_quiet(void)
{
    world.threads[session.current].state = THREAD_QUIET;
    leave();
    order_system_call();
}

void explore_wait_until_asleep(unsigned thread)
{
    world.threads[session.current].state = THREAD_AWAITING;
    world.threads[session.current].awaits = thread;
    leave();
    order_system_call();
}

const void *explore_asleep_on(unsigned thread)
{
    return world_is_asleep(thread) ? world.threads[thread].sleep.word : NULL;
}

uint32_t explore_sleepers(const fs_word *w)
{
    uint32_t found = 0;

    for (unsigned i = 0; i < world.count; i++)
        if (explore_asleep_on(i) == w)
            found |= UINT32_C(1) << i;
    return found;
}

bool explore_is_done(unsigned thread)
{
    return world.threads[thread].state == THREAD_DONE;
}

bool explore_is_dead(unsigned thread)
{
    return world.threads[thread].dead;
}

uint32_t explore_id_of(unsigned thread)
{
    return world.threads[thread].id;
}

void explore_set_priority(unsigned thread, unsigned priority)
{
    world.threads[thread].priority = priority;
}

void explore_set_mortal(unsigned thread)
{
    world.threads[thread].mortal = true;
}

void explore_forbid_timeouts(unsigned thread)
{
    world.threads[thread].never_late = true;
}

struct fs_deadline explore_deadline(void)
{
    return (struct fs_deadline){.sec = DEADLINE_MS / 1000, .clock = FS_CLOCK_MONOTONIC};
}

void explore_become_fork_child(void)
{
    world_point(false);
    for (unsigned i = 0; i < world.count; i++) {
        order_drain(i);
        if (i == session.current)
            continue;
        world.threads[i].state = THREAD_DONE;
        world.threads[i].dead = true;
        memset(&world.threads[i].sleep, 0, sizeof world.threads[i].sleep);
    }
    if (session.mode == MODE_WEAK)
        weak_fence_all();
    for (unsigned i = 0; i < WIPED_MAX; i++) {
        memset((void *)world.wiped[i].from, 0, world.wiped[i].to - world.wiped[i].from);
        weak_forget((void *)world.wiped[i].from, world.wiped[i].to - world.wiped[i].from);
    }
    world.threads[session.current].id += 100;
    if (session.tracing)
        trace_note(session.current, "goes on as the child of a fork");
}
