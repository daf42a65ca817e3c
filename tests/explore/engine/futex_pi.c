/* SPDX-License-Identifier: MIT */
/* Priority inheritance as the kernel does it: words that hold thread ids, queues behind them,
   FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI. The priorities
   decide who comes next; that owners run faster meanwhile has no effect in a world without time. */
#include <errno.h>
#include <string.h>

#include "world.h"

#define QUEUED (1u << SLEEP_PI | 1u << SLEEP_PI_MOVED)

static uint32_t peek(const fs_word *w)
{
    return (uint32_t)order_peek(w, sizeof *w);
}

static uint32_t queued(const fs_word *w, enum fs_scope scope)
{
    return futex_best(w, QUEUED, FS_MATCH_ANY, scope);
}

/* Whether the owner of the word waits, perhaps through others, for the thread. */
static bool closes_a_circle(unsigned thread, const fs_word *w)
{
    for (unsigned n = 0; n < EXPLORE_THREADS; n++) {
        unsigned owner = futex_thread_of(peek(w) & FS_PI_TID_MASK);

        if (owner == thread)
            return true;
        if (owner == EXPLORE_NOBODY || !world_is_asleep(owner) ||
            !(QUEUED & (1u << world.threads[owner].sleep.kind)))
            return false;
        w = world.threads[owner].sleep.word;
    }
    return false;
}

/* "The owner is about to exit" or "the word changed meanwhile": nothing that the caller could tell
   from any other EAGAIN. */
static bool says_again(void)
{
    if (world.left.retries == 0 || explore_choose(2, "the kernel asks to try again") == 0)
        return false;
    world.left.retries--;
    return true;
}

/* Takes the word for the thread if it can be had. Returns 0 (held), EBUSY (to be queued behind the
   owner; WAITERS is set), EAGAIN (WAITERS is set, too), EDEADLK, ESRCH. */
static int take(unsigned thread, fs_word *w, enum fs_scope scope)
{
    uint32_t old = peek(w);
    uint32_t owner = old & FS_PI_TID_MASK;
    uint32_t id = world.threads[thread].id;

    if (owner == id)
        return EDEADLK;
    if (owner == 0 && queued(w, scope) == 0) {
        if (says_again())
            return EAGAIN;
        order_write_by_kernel(thread, w, (old & FS_PI_OWNER_DIED) | id);
        return 0;
    }
    if (!(old & FS_PI_WAITERS))
        order_write_by_kernel(thread, w, old | FS_PI_WAITERS);
    if (owner != 0 && queued(w, scope) == 0 && says_again())
        return EAGAIN;
    if (owner != 0 && queued(w, scope) == 0 && futex_thread_of(owner) == EXPLORE_NOBODY)
        return ESRCH;
    return closes_a_circle(thread, w) ? EDEADLK : EBUSY;
}

int fs_futex_lock_pi(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope)
{
    struct thread *me = world_self();
    int err;

    futex_enter();
    memory_check(w, sizeof *w, "futex lock");
    err = take(session.current, w, scope);
    if (err != EBUSY)
        return err;
    me->sleep = (struct sleep){.word = w,
                               .origin = w,
                               .bits = FS_MATCH_ANY,
                               .kind = SLEEP_PI,
                               .scope = (uint8_t)scope,
                               .timed = deadline != NULL};
    return world_sleep();
}

int fs_futex_trylock_pi(fs_word *w, enum fs_scope scope)
{
    int err;

    futex_enter();
    memory_check(w, sizeof *w, "futex trylock");
    err = take(session.current, w, scope);
    return err == EBUSY ? EAGAIN : err;
}

/* The owner gives up the word, or has died: the first in the queue gets it. */
static void hand_over(unsigned thread, fs_word *w, uint32_t flags, enum fs_scope scope)
{
    uint32_t candidates = queued(w, scope);
    unsigned next;

    if (candidates == 0) {
        order_write_by_kernel(thread, w, flags);
        return;
    }
    next = futex_pick(candidates);
    order_write_by_kernel(next, w, world.threads[next].id | FS_PI_WAITERS | flags);
    world_wake(next, 0);
}

int fs_futex_unlock_pi(fs_word *w, enum fs_scope scope)
{
    futex_enter();
    memory_check(w, sizeof *w, "futex unlock");
    if ((peek(w) & FS_PI_TID_MASK) != fs_system_thread_id())
        return EPERM;
    if (says_again())
        return EAGAIN;
    hand_over(session.current, w, 0, scope);
    return 0;
}

int fs_futex_wait_requeue_pi(fs_word *from, uint32_t expected, fs_word *pi,
                             const struct fs_deadline *deadline, enum fs_scope scope)
{
    struct thread *me = world_self();

    futex_enter();
    memory_check(from, sizeof *from, "futex wait");
    if (order_kernel_load(from) != expected)
        return EAGAIN;
    me->sleep = (struct sleep){.word = from,
                               .origin = from,
                               .pi = pi,
                               .expected = expected,
                               .bits = FS_MATCH_ANY,
                               .kind = SLEEP_REQUEUE_PI,
                               .scope = (uint8_t)scope,
                               .timed = deadline != NULL};
    return world_sleep();
}

/* One sleeper gets the word or is queued for it. */
static int move_to_pi(unsigned thread, fs_word *from, fs_word *pi, enum fs_scope scope)
{
    struct sleep *sleep = &world.threads[thread].sleep;
    int err = take(thread, pi, scope);

    if (err == 0) {
        world_wake(thread, 0);
    } else if (err == EBUSY) {
        sleep->word = pi;
        sleep->kind = SLEEP_PI_MOVED;
        world_event(EVENT_MOVE, thread, from, pi, 0, session.current);
        err = 0;
    }
    return err;
}

int fs_futex_cmp_requeue_pi(fs_word *from, fs_word *pi, uint32_t expected, int move,
                            enum fs_scope scope, int *affected)
{
    int done = 0;
    int err = 0;

    futex_enter();
    memory_check(from, sizeof *from, "futex requeue");
    memory_check(pi, sizeof *pi, "futex requeue");
    if (order_kernel_load(from) != expected)
        return EAGAIN;
    if (futex_best(from, 1u << SLEEP_PLAIN, FS_MATCH_ANY, scope) != 0)
        return EINVAL;
    for (; err == 0 && done <= move; done++) {
        uint32_t candidates = futex_best(from, 1u << SLEEP_REQUEUE_PI, FS_MATCH_ANY, scope);
        unsigned thread;

        if (candidates == 0)
            break;
        thread = futex_pick(candidates);
        if (world.threads[thread].sleep.pi != pi)
            return EINVAL;
        err = move_to_pi(thread, from, pi, scope);
    }
    if (affected)
        *affected = done;
    return err;
}

/* Whether the thread sleeps on a word that was the dead one's. The walk over the robust list has
   marked it already, or it still names the dead thread: a mutex that is not robust. */
static bool is_heir(unsigned thread, unsigned dead)
{
    const struct sleep *sleep = &world.threads[thread].sleep;
    uint32_t owner;

    if (!world_is_asleep(thread) || !(QUEUED & (1u << sleep->kind)))
        return false;
    owner = peek(sleep->word) & FS_PI_TID_MASK;
    return owner == world.threads[dead].id || owner == 0;
}

bool futex_has_heirs(unsigned index)
{
    for (unsigned i = 0; i < world.count; i++)
        if (is_heir(i, index))
            return true;
    return false;
}

/* The second half of a death: a word with threads queued behind it goes to the first of them. */
void futex_bury_pi(unsigned index)
{
    world.threads[index].exiting = false;
    if (session.tracing)
        trace_note(index, "the kernel hands on what it had");
    for (unsigned i = 0; i < world.count; i++)
        if (is_heir(i, index))
            hand_over(index, world.threads[i].sleep.word, FS_PI_OWNER_DIED,
                      (enum fs_scope)world.threads[i].sleep.scope);
}
