/* SPDX-License-Identifier: MIT */
/* See moves.h. */
#include "moves.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct list {
    struct move *moves;
    unsigned count;
};

static void add(struct list *list, enum move_kind kind, unsigned thread, unsigned value)
{
    if (list->count < MOVES_MAX)
        list->moves[list->count++] = (struct move){(uint8_t)kind, (uint8_t)thread, (uint8_t)value};
}

static bool anybody_is_ready(void)
{
    for (unsigned i = 0; i < world.count; i++)
        if (world.threads[i].state == THREAD_READY || world.threads[i].buffered != 0 ||
            world.threads[i].exiting)
            return true;
    return false;
}

static bool may_run(unsigned i)
{
    const struct thread *thread = &world.threads[i];

    switch ((enum thread_state)thread->state) {
    case THREAD_READY:
        return true;
    case THREAD_QUIET:
        return !anybody_is_ready();
    case THREAD_AWAITING:
        return world_is_asleep(thread->awaits) || explore_is_done(thread->awaits);
    default:
        return false;
    }
}

static bool may_time_out(const struct thread *thread)
{
    return thread->sleep.timed && !thread->never_late;
}

static void add_interference(struct list *list, unsigned i)
{
    const struct thread *thread = &world.threads[i];
    bool asleep = thread->state == THREAD_ASLEEP;

    if (asleep && may_time_out(thread) && world.left.timeouts != 0)
        add(list, MOVE_TIMEOUT, i, 0);
    if (asleep && thread->sleep.kind <= SLEEP_REQUEUE_PI && world.left.spurious != 0)
        add(list, MOVE_SPURIOUS, i, 0);
    if (asleep && thread->sleep.kind != SLEEP_PI && world.left.interrupts != 0) {
        if (thread->sleep.kind == SLEEP_PLAIN)
            add(list, MOVE_EINTR, i, 0);
        if (!thread->sleep.timed || thread->sleep.kind != SLEEP_PLAIN)
            add(list, MOVE_RESTART, i, 0);
    }
    if (thread->mortal && thread->state != THREAD_DONE && world.left.deaths != 0)
        add(list, MOVE_DIE, i, 0);
    if (thread->in_sequence && !thread->aborted && world.left.aborts != 0)
        add(list, MOVE_ABORT, i, 0);
}

static bool all_have_ended(void)
{
    for (unsigned i = 0; i < world.count; i++)
        if (world.threads[i].state != THREAD_DONE)
            return false;
    return true;
}

/* When a scenario says that only a deadline may be left, it comes, whatever the budget. */
static bool add_needed_timeouts(struct list *list)
{
    if (!session.scenario->needs_timeout)
        return false;
    list->count = 0;
    for (unsigned i = 0; i < world.count; i++)
        if (world_is_asleep(i) && may_time_out(&world.threads[i]))
            add(list, MOVE_TIMEOUT, i, 1);
    return list->count != 0;
}

enum outlook moves_list(struct move moves[MOVES_MAX], unsigned *count)
{
    struct list list = {.moves = moves};
    bool progress;

    if (world.asking != EXPLORE_NOBODY) {
        for (unsigned i = 0; i < world.threads[world.asking].asks; i++)
            add(&list, MOVE_ANSWER, world.asking, i);
        *count = list.count;
        return OUTLOOK_OPEN;
    }
    for (unsigned i = 0; i < world.count; i++)
        if (may_run(i))
            add(&list, MOVE_RUN, i, 0);
    for (unsigned i = 0; i < world.count; i++) {
        if (world.threads[i].exiting)
            add(&list, MOVE_EXIT, i, 0);
        if (world.threads[i].buffered != 0)
            add(&list, MOVE_DRAIN, i, 0);
    }
    progress = list.count != 0;
    if (!progress && all_have_ended()) {
        *count = 0;
        return OUTLOOK_FINAL;
    }
    for (unsigned i = 0; i < world.count; i++)
        add_interference(&list, i);
    if (!progress)
        progress = add_needed_timeouts(&list);
    *count = list.count;
    return progress ? OUTLOOK_OPEN : OUTLOOK_STUCK;
}

unsigned move_cost(const struct move *move)
{
    const struct thread *last;

    if (move->kind != MOVE_RUN || world.last == EXPLORE_NOBODY || move->thread == world.last)
        return 0;
    last = &world.threads[world.last];
    return last->state == THREAD_READY && !last->yields;
}

/* ---- interference ------------------------------------------------------------------------ */

static void time_out(unsigned thread)
{
    world.threads[thread].late = true;
    world_wake(thread, ETIMEDOUT);
}

static void wake_for_nothing(unsigned thread)
{
    world_wake(thread, world.threads[thread].sleep.kind == SLEEP_PLAIN ? 0 : EAGAIN);
}

static void interrupt(unsigned thread)
{
    world_wake(thread, EINTR);
}

/* The kernel restarts the call as it was made: a move is undone. */
static void restart(unsigned thread)
{
    struct sleep *sleep = &world.threads[thread].sleep;
    fs_word *from = sleep->word;

    if (sleep->kind == SLEEP_PI_MOVED || memory_is_dead(sleep->origin, sizeof *sleep->origin) ||
        order_peek(sleep->origin, sizeof *sleep->origin) != sleep->expected) {
        world_wake(thread, EAGAIN);
        return;
    }
    sleep->word = sleep->origin;
    world_event(EVENT_MOVE, thread, from, sleep->word, 0, 0);
}

static void interfere(const struct move *move)
{
    unsigned thread = move->thread;

    switch ((enum move_kind)move->kind) {
    case MOVE_TIMEOUT:
        world.left.timeouts -= move->value == 0;
        world_do(time_out, thread);
        break;
    case MOVE_SPURIOUS:
        world.left.spurious--;
        world_do(wake_for_nothing, thread);
        break;
    case MOVE_EINTR:
        world.left.interrupts--;
        world_do(interrupt, thread);
        break;
    case MOVE_RESTART:
        world.left.interrupts--;
        world_do(restart, thread);
        break;
    case MOVE_DIE:
        world.left.deaths--;
        world_do(futex_bury, thread);
        break;
    case MOVE_ABORT:
        world.left.aborts--;
        world.threads[thread].aborted = true;
        break;
    default:
        break;
    }
}

bool move_make(const struct move *move)
{
    switch ((enum move_kind)move->kind) {
    case MOVE_RUN:
        world.preemptions += move_cost(move);
        world.last = move->thread;
        world_resume(move->thread);
        break;
    case MOVE_ANSWER:
        world.threads[move->thread].answer = move->value;
        world_resume(move->thread);
        break;
    case MOVE_EXIT:
        world_do(futex_bury_pi, move->thread);
        break;
    case MOVE_DRAIN:
        world_do(order_drain_one, move->thread);
        break;
    default:
        interfere(move);
        break;
    }
    if (!session.failed &&
        world.asking == EXPLORE_NOBODY) /* a call under way is no state to check */
        world_call(session.scenario->check);
    return !session.failed;
}

void moves_describe_deadlock(void)
{
    char *to = session.failure;
    size_t left = sizeof session.failure;
    char name[96];

    session.failed = true;
    for (unsigned i = 0; i < world.count && left > 1; i++) {
        const struct thread *thread = &world.threads[i];
        int n = 0;

        if (thread->state == THREAD_ASLEEP)
            n = snprintf(to, left, "%sthread %u sleeps on %s", i ? ", " : "deadlock: ", i,
                         trace_name(thread->sleep.word, name, sizeof name));
        else
            n = snprintf(to, left, "%sthread %u %s", i ? ", " : "deadlock: ", i,
                         thread->dead                       ? "is dead"
                         : thread->state == THREAD_DONE     ? "has ended"
                         : thread->state == THREAD_AWAITING ? "waits until another sleeps"
                                                            : "waits");
        to += n;
        left -= (size_t)n < left ? (size_t)n : left;
    }
}
