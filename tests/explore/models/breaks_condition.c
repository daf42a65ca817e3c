/* SPDX-License-Identifier: MIT */
/* Breaks of condition variables (see breaks.h). Numbers are those of tests/BREAKS.md. */
#include "breaks.h"

#include <errno.h>
#include <limits.h>

#include "futex/thread.h"
#include "plain_mutex.h"

static fs_word mutex;
static fs_word turn;      /* what waiters sleep on */
static fs_word signalled; /* what one waits for */
static uint32_t inside;

static void sleep_while(fs_word *w, uint32_t value)
{
    fs_futex_wait(w, value, NULL, FS_SCOPE_PRIVATE);
}

/* ---- 10: a wake-up that the unlock owes -----------------------------------------------
   The signaller holds the mutex and leaves the wake to its release; but that is another's code. */

static fs_word owed;

static void wait_for_signal(void)
{
    while (fs_load_acquire(&signalled) == 0)
        sleep_while(&signalled, 0);
}

static void pay(void)
{
    if (fs_exchange_relaxed(&owed, 0) != 0)
        fs_futex_wake(&signalled, 1, FS_SCOPE_PRIVATE);
}

static void signal_and_release_elsewhere(void)
{
    plain_lock(&mutex);
    fs_store_release(&signalled, 1);
    fs_exchange_relaxed(&owed, 1);
    if (mended)
        pay(); /* before others get to release it */
    plain_unlock(&mutex);
}

/* ---- 11: who times out needs the condition variable to leave --------------------------
   Its lock and its list lie in it. A broadcaster has taken everybody off the list, so that the
   memory may go. */

struct listed {
    fs_word lock;
    fs_word waits;
};

static struct listed in_object, elsewhere;

static struct listed *list(void)
{
    return mended ? &elsewhere : &in_object;
}

static void give_up_waiting(void)
{
    struct fs_deadline deadline = explore_deadline();

    if (fs_futex_wait(&turn, 0, &deadline, FS_SCOPE_PRIVATE) != ETIMEDOUT)
        return;
    plain_lock(&list()->lock);
    fs_store_relaxed(&list()->waits, 0);
    plain_unlock(&list()->lock);
}

static void broadcast_and_free(void)
{
    plain_lock(&list()->lock);
    fs_store_relaxed(&list()->waits, 0);
    fs_exchange_relaxed(&turn, 1);
    plain_unlock(&list()->lock);
    fs_futex_wake(&turn, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    explore_kill_memory(&in_object, sizeof in_object);
}

/* ---- 24: cancelled and signalled ------------------------------------------------------
   Who gets the signal passes it on to the other waiter when it is done. One that a signal has
   chosen and that leaves because it is cancelled takes the signal with it. */

static fs_word state[2]; /* of a waiter. 0: waits; 1: signalled; 2: cancelled */

static bool wait_for(unsigned waiter)
{
    uint32_t now;

    while ((now = fs_load_acquire(&state[waiter])) == 0)
        sleep_while(&state[waiter], 0);
    return now == 1;
}

static bool settle(unsigned waiter, uint32_t as)
{
    uint32_t waits = 0;
    bool done = fs_cas_seq_cst(&state[waiter], &waits, as);

    fs_futex_wake(&state[waiter], 1, FS_SCOPE_PRIVATE);
    return done;
}

static void wait_and_pass_on(void)
{
    if (wait_for(0))
        settle(1, 1);
}

static void wait_second(void)
{
    wait_for(1);
}

static void cancel_first(void)
{
    if (!mended)
        fs_exchange_seq_cst(&state[0], 2);
    settle(0, 2); /* a signal that came before stays: the wait returns 0 */
}

static void signal_one(void)
{
    if (!settle(0, 1))
        settle(1, 1);
}

/* ---- 25: waiters with priority inheritance --------------------------------------------
   A signal that comes after the move ends the sleep without the mutex. And sleepers of this kind
   cannot be woken by an ordinary wake. */

static void enter_inheriting(void)
{
    explore_require(inside == 0, "exclusion: thread %u enters beside another", explore_self());
    inside++;
    explore_step("inside");
    inside--;
}

static void unlock_inheriting(void)
{
    uint32_t own = fs_thread_id();

    if (!fs_cas_release(&mutex, &own, 0))
        fs_futex_unlock_pi(&mutex, FS_SCOPE_PRIVATE);
}

static void lock_inheriting(void)
{
    uint32_t old = 0;

    if (!fs_cas_acquire(&mutex, &old, fs_thread_id()))
        fs_futex_lock_pi(&mutex, NULL, FS_SCOPE_PRIVATE);
}

static void wait_inheriting(void)
{
    int err = fs_futex_wait_requeue_pi(&turn, 0, &mutex, NULL, FS_SCOPE_PRIVATE);

    /* The mistake: the turn has changed, so this one has been moved and got the mutex. */
    if (err != 0 && (mended || fs_load_relaxed(&turn) == 0))
        lock_inheriting();
    enter_inheriting();
    unlock_inheriting();
}

static void broadcast_inheriting(void)
{
    lock_inheriting();
    explore_wait_until_asleep(0);
    fs_exchange_relaxed(&turn, 1);
    fs_futex_cmp_requeue_pi(&turn, &mutex, 1, INT_MAX, FS_SCOPE_PRIVATE, NULL);
    enter_inheriting();
    unlock_inheriting();
}

static void signal_inheriting(void)
{
    lock_inheriting();
    explore_wait_until_asleep(0);
    fs_exchange_relaxed(&turn, 1);
    if (mended)
        fs_futex_cmp_requeue_pi(&turn, &mutex, 1, 0, FS_SCOPE_PRIVATE, NULL);
    else
        fs_futex_wake(&turn, 1, FS_SCOPE_PRIVATE);
    unlock_inheriting();
}

/* ---- the table ------------------------------------------------------------------------ */

static void start(void)
{
    explore_name(&mutex, sizeof mutex, "mutex");
    explore_name(&turn, sizeof turn, "turn");
    explore_name(&signalled, sizeof signalled, "signalled");
    explore_name(&owed, sizeof owed, "owed");
    explore_name(&state[0], sizeof state[0], "state[0]");
    explore_name(&state[1], sizeof state[1], "state[1]");
    explore_name(&in_object, sizeof in_object, "in_object");
}

const struct explore_scenario breaks_condition_scenarios[] = {
    BREAK_AND_TWIN("10-a-wake-up-that-nobody-pays",
                   "left to the unlock, and the mutex is released in another way", "deadlock",
                   NOTHING, wait_for_signal, signal_and_release_elsewhere),
    BREAK_AND_TWIN("11-leaving-by-way-of-freed-memory",
                   "who times out takes the lock in a condition variable that is gone",
                   "dead memory", ONE(timeouts), give_up_waiting, broadcast_and_free),
    BREAK_AND_TWIN("24-cancelled-with-the-signal", "a signalled waiter is cancelled and leaves",
                   "deadlock", NOTHING, wait_and_pass_on, wait_second, cancel_first, signal_one),
    BREAK_AND_TWIN("25-awake-without-the-mutex",
                   "a signal after the move ends the sleep, and the mutex is not held", "exclusion",
                   ONE(interrupts), wait_inheriting, broadcast_inheriting),
    BREAK_AND_TWIN("25-an-ordinary-wake", "it does not reach sleepers with priority inheritance",
                   "deadlock", NOTHING, wait_inheriting, signal_inheriting),
    {.name = NULL},
};
