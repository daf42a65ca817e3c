/* SPDX-License-Identifier: MIT */
/* The futex contract over simulated sleepers, and the other calls of a system: clock, priorities,
   memory. What has to do with priority inheritance is in futex_pi.c.

   The kernel reads and writes words at once and for all; whichever of several equal sleepers it
   takes is the world's choice, those of higher priority come first. */
#include <errno.h>
#include <string.h>

#include "lock/robust_list.h"
#include "weak.h"

void futex_enter(void)
{
    world_point(false);
    order_system_call();
}

uint32_t futex_best(const fs_word *w, unsigned kinds, uint32_t bits, unsigned scope)
{
    uint32_t priority = 0;
    uint32_t found = 0;

    for (unsigned i = 0; i < world.count; i++) {
        const struct thread *thread = &world.threads[i];

        if (!world_is_asleep(i) || thread->sleep.word != w || thread->sleep.scope != scope ||
            !(kinds & (1u << thread->sleep.kind)) || !(thread->sleep.bits & bits))
            continue;
        if (found == 0 || thread->priority > priority) {
            found = 0;
            priority = thread->priority;
        }
        if (thread->priority == priority)
            found |= UINT32_C(1) << i;
    }
    return found;
}

unsigned futex_pick(uint32_t candidates)
{
    unsigned n = (unsigned)__builtin_popcount(candidates);
    unsigned chosen = n > 1 ? explore_choose(n, "which sleeper the kernel takes") : 0;

    while (chosen-- > 0)
        candidates &= candidates - 1;
    return (unsigned)__builtin_ctz(candidates);
}

#define PLAIN (1u << SLEEP_PLAIN)
#define INHERITING (1u << SLEEP_REQUEUE_PI | 1u << SLEEP_PI | 1u << SLEEP_PI_MOVED)

/* ---- sleeping ---------------------------------------------------------------------------- */

int fs_futex_wait_bitset(fs_word *w, uint32_t expected, uint32_t bits,
                         const struct fs_deadline *deadline, enum fs_scope scope)
{
    struct thread *me = world_self();

    futex_enter();
    memory_check(w, sizeof *w, "futex wait");
    if (order_kernel_load(w) != expected) {
        if (session.tracing)
            trace_note(session.current, "the word has changed: it does not sleep");
        return EAGAIN;
    }
    me->sleep = (struct sleep){.word = w,
                               .origin = w,
                               .expected = expected,
                               .bits = bits,
                               .kind = SLEEP_PLAIN,
                               .scope = (uint8_t)scope,
                               .timed = deadline != NULL};
    return world_sleep();
}

int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope)
{
    return fs_futex_wait_bitset(w, expected, FS_MATCH_ANY, deadline, scope);
}

/* ---- waking and moving --------------------------------------------------------------------- */

int futex_wake_matching(fs_word *w, int count, uint32_t bits, unsigned scope)
{
    int woken = 0;

    while (woken < count) {
        uint32_t candidates = futex_best(w, PLAIN, bits, scope);

        if (candidates == 0)
            break;
        /* If all are woken, in which order does not matter. */
        world_wake(
            count == FS_WAKE_ALL ? (unsigned)__builtin_ctz(candidates) : futex_pick(candidates), 0);
        woken++;
    }
    return woken;
}

int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    futex_enter();
    session.where = __builtin_return_address(0);
    world_event(EVENT_WAKE, session.current, w, NULL, bits, (uint64_t)(uint32_t)count);
    if (futex_best(w, INHERITING, FS_MATCH_ANY, scope) != 0)
        return 0;
    if (session.without_wake_bits && bits != FS_MATCH_ANY) {
        futex_wake_matching(w, count > 0 ? FS_WAKE_ALL : 0, FS_MATCH_ANY, scope);
        return 0; /* perhaps none of those meant */
    }
    return futex_wake_matching(w, count, bits, scope);
}

int fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    return fs_futex_wake_bitset(w, count, FS_MATCH_ANY, scope);
}

static void move_one(unsigned thread, fs_word *to)
{
    fs_word *from = world.threads[thread].sleep.word;

    world.threads[thread].sleep.word = to;
    world_event(EVENT_MOVE, thread, from, to, 0, session.current);
}

static int requeue(fs_word *from, fs_word *to, int wake, int move, enum fs_scope scope,
                   int *affected)
{
    int done;

    if (wake < 0 || move < 0 || futex_best(from, INHERITING, FS_MATCH_ANY, scope) != 0)
        return EINVAL;
    done = futex_wake_matching(from, wake, FS_MATCH_ANY, scope);
    for (int moved = 0; moved < move; moved++, done++) {
        uint32_t candidates = futex_best(from, PLAIN, FS_MATCH_ANY, scope);

        if (candidates == 0)
            break;
        if (memory_is_dead(to, sizeof *to))
            explore_fail("dead memory: a sleeper is moved there");
        move_one(move == FS_WAKE_ALL || candidates == (candidates & -candidates)
                     ? (unsigned)__builtin_ctz(candidates)
                     : futex_pick(candidates),
                 to);
    }
    if (affected)
        *affected = done;
    return 0;
}

int fs_futex_requeue(fs_word *from, fs_word *to, int wake, int move, enum fs_scope scope,
                     int *affected)
{
    futex_enter();
    return requeue(from, to, wake, move, scope, affected);
}

int fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                         enum fs_scope scope, int *affected)
{
    futex_enter();
    session.where = __builtin_return_address(0);
    memory_check(from, sizeof *from, "futex requeue");
    if (order_kernel_load(from) != expected)
        return EAGAIN;
    return requeue(from, to, wake, move, scope, affected);
}

/* ---- the calling thread, the clock, memory ----------------------------------------------------
 */

uint32_t sim_thread_id(void)
{
    return session.current == EXPLORE_NOBODY ? 99 : world.threads[session.current].id;
}

uint32_t fs_system_thread_id(void)
{
    return sim_thread_id();
}

unsigned fs_system_thread_priority(void)
{
    return session.current == EXPLORE_NOBODY ? 0 : world.threads[session.current].priority;
}

unsigned futex_thread_of(uint32_t id)
{
    for (unsigned i = 0; i < world.count; i++)
        if (world.threads[i].id == id && !world.threads[i].dead)
            return i;
    return EXPLORE_NOBODY;
}

bool fs_system_thread_exists(uint32_t id)
{
    return futex_thread_of(id) != EXPLORE_NOBODY;
}

void fs_system_yield(void)
{
    explore_pause();
}

unsigned fs_system_processor_count(void)
{
    return 2;
}

/* Whether everybody else waits for something or gives way, so that only time can help. */
static bool nothing_else_goes_on(unsigned self)
{
    for (unsigned i = 0; i < world.count; i++)
        if (i != self && (world.threads[i].state == THREAD_READY ? !world.threads[i].idle
                                                                 : world.threads[i].buffered != 0))
            return false;
    return world.threads[self].idle;
}

struct fs_deadline fs_system_now(enum fs_clock clock)
{
    struct fs_deadline now = {.clock = clock};
    struct thread *me = world_self();
    int64_t ms;

    if (me) {
        world_point(false);
        if (world.left.jumps != 0 && explore_choose(2, "time passes") == 1) {
            world.left.jumps--;
            world.clock_ms += CLOCK_JUMP_MS;
        } else if (world.clock_ms < CLOCK_END_MS && nothing_else_goes_on(session.current)) {
            world.clock_ms += CLOCK_JUMP_MS;
        }
    }
    ms = world.clock_ms + (me && me->late ? DEADLINE_MS + 1000 : 0);
    now.sec = 1 + ms / 1000;
    now.nsec = ms % 1000 * 1000000;
    return now;
}

void *fs_system_map_wiped(size_t size, bool *wiped)
{
    void *at = memory_allocate(size, 4096);

    *wiped = true;
    if (at)
        for (unsigned i = 0; i < WIPED_MAX; i++)
            if (world.wiped[i].from == 0) {
                world.wiped[i] = (struct dead_range){(uintptr_t)at, (uintptr_t)at + size};
                return at;
            }
    return NULL; /* no more memory */
}

/* ---- robust lists --------------------------------------------------------------------------- */

/* The member in front of it is written like any entry's, as in the C library. */
void futex_make_robust_head(unsigned thread)
{
    struct fs_robust_link *link = memory_allocate(sizeof *link + sizeof(struct fs_robust_head), 64);
    struct fs_robust_head *head = (struct fs_robust_head *)(void *)&link->next;

    memory_touch(link, sizeof *link + sizeof *head);
    head->first = &head->first;
    head->futex_offset =
        (long)offsetof(struct fs_mutex, word) -
        (long)(offsetof(struct fs_mutex, link) + offsetof(struct fs_robust_link, next));
    world.threads[thread].robust_head = head;
}

void *sim_robust_list(void)
{
    struct thread *me = world_self();

    return me ? me->robust_head : NULL;
}

void *explore_robust_head(unsigned thread)
{
    return world.threads[thread].robust_head;
}

/* One entry of the list of a thread that has died, or what its bracket names. */
static void bury_entry(unsigned thread, const struct fs_robust_head *head, uintptr_t entry,
                       bool pending)
{
    bool pi = (entry & FS_ROBUST_PI_MARK) != 0;
    fs_word *w = (fs_word *)((entry & ~FS_ROBUST_PI_MARK) + (uintptr_t)head->futex_offset);
    uint32_t old;

    memory_check(w, sizeof *w, "visit by the kernel at a thread's death");
    old = (uint32_t)order_peek(w, sizeof *w);
    if (pending && !pi && (old & FS_PI_TID_MASK) == 0) { /* since Linux 6.2: the id, not the word */
        futex_wake_matching(w, 1, FS_MATCH_ANY, FS_SCOPE_SHARED);
        return;
    }
    if ((old & FS_PI_TID_MASK) != world.threads[thread].id)
        return;
    order_write_by_kernel(thread, w, (old & FS_PI_WAITERS) | FS_PI_OWNER_DIED);
    if (!pi && (old & FS_PI_WAITERS))
        futex_wake_matching(w, 1, FS_MATCH_ANY, FS_SCOPE_SHARED);
}

void futex_bury(unsigned index)
{
    struct thread *thread = &world.threads[index];
    const struct fs_robust_head *head = thread->robust_head;

    order_drain(index);
    if (session.mode == MODE_WEAK)
        weak_fence(index); /* what it has stored is there before the kernel tells of its death */
    thread->dead = true;
    thread->state = THREAD_DONE;
    memset(&thread->sleep, 0, sizeof thread->sleep);
    world_event(EVENT_DEATH, index, NULL, NULL, 0, 0);
    if (head) {
        uintptr_t pending = (uintptr_t)head->pending;
        uintptr_t entry = (uintptr_t)head->first;

        for (unsigned n = 0; (entry & ~FS_ROBUST_PI_MARK) != (uintptr_t)&head->first; n++) {
            uintptr_t next;

            if (n > 8 || entry < 4096)
                explore_fail("R1: the robust list of thread %u is no list", index);
            next = *(uintptr_t *)(entry & ~FS_ROBUST_PI_MARK);
            if (entry != pending)
                bury_entry(index, head, entry, false);
            entry = next;
        }
        if (pending)
            bury_entry(index, head, pending, true);
    }
    thread->exiting = futex_has_heirs(index);
}
