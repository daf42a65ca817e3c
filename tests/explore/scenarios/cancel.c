/* SPDX-License-Identifier: MIT */
/* Cancellation of a waiter at any moment of its wait, against signals and broadcasts: a signal is
   never used up by a waiter that is cancelled, and the request of one that was signalled first
   stays pending. */
#include "explore.h"
#include "scenarios/calls.h"
#include "scenarios/watch_group.h"

#define BIT(thread) ((uint8_t)(1u << (thread)))
#define TARGET 0 /* the thread that is cancelled */
#define WATCH                                                                                      \
    .check = watch_group_check, .observe = watch_group_observe, .finish = watch_group_finish

static struct fs_mutex mutex;
static struct fs_condition cond;

static bool ready;        /* what is waited for; under the mutex */
static uint8_t got;       /* whose waits have returned 0 */
static uint8_t cancelled; /* ... and as cancelled */

/* ---- setting up ---------------------------------------------------------------------- */

static void set_up(unsigned waiters, unsigned processors)
{
    call_set_up(0, processors);
    call_init_mutex(&mutex, FS_KIND_NORMAL, "mutex");
    explore_name(&cond, sizeof cond, "cond");
    call_warm_up(&cond, &mutex);
    for (unsigned i = 0; i < waiters; i++)
        call_join_for(i, &cond, &mutex);
    watch_condition(&cond);
    watch_condition_mutex(&mutex);
}

static void nobody_queued(void)
{
    set_up(0, 2);
}

static void one_queued(void)
{
    set_up(1, 2);
}

static void two_queued(void)
{
    set_up(2, 2);
}

static void two_queued_on_one_processor(void)
{
    set_up(2, 1);
}

static void one_queued_that_cannot(void)
{
    call_disable_cancellation(TARGET);
    set_up(1, 2);
}

static void one_that_cannot(void)
{
    call_disable_cancellation(TARGET);
    set_up(0, 2);
}

/* ---- waiters ------------------------------------------------------------------------- */

static void note(int err, bool timed)
{
    uint8_t me = BIT(explore_self());

    explore_require(err == 0 || (err == CALL_CANCELLED && me == BIT(TARGET)) ||
                        (err == ETIMEDOUT && timed),
                    "a wait returned %d", err);
    explore_require(err != 0 || ready, "a wait returned, and nobody had signalled");
    if (err == 0)
        got |= me;
    if (err == CALL_CANCELLED)
        cancelled |= me;
}

static void waits(void)
{
    call_lock(&mutex);
    if (!ready)
        note(call_wait(&cond, &mutex), false);
    call_unlock(&mutex);
}

static void waits_on(void)
{
    note(call_wait_on(NULL), false);
    call_unlock(&mutex);
}

static void waits_on_until(void)
{
    struct fs_deadline deadline = explore_deadline();

    note(call_wait_on(&deadline), true);
    call_unlock(&mutex);
}

/* Its cleanup handler frees everything. */
static void waits_and_kills(void)
{
    waits();
    explore_require(cancelled == BIT(TARGET), "a wait ended, and only a cancellation could");
    watch_mutex_end(&mutex);
    explore_kill_memory(&cond, sizeof cond);
    explore_kill_memory(&mutex, sizeof mutex);
}

/* Cancellation is disabled: it may end a wait, as if by chance. */
static void waits_in_a_loop(void)
{
    call_lock(&mutex);
    while (!ready)
        explore_require(call_wait(&cond, &mutex) == 0, "a wait failed");
    call_unlock(&mutex);
}

static void waits_on_in_a_loop(void)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    call_unlock(&mutex);
    waits_in_a_loop();
}

/* Comes when the target has left: its place is taken again. */
static void waits_after_the_target(void)
{
    call_lock(&mutex);
    if (got & BIT(TARGET)) {
        ready = false;
        note(call_wait(&cond, &mutex), false);
    }
    call_unlock(&mutex);
}

/* ---- the others ------------------------------------------------------------------------ */

static void cancels(void)
{
    call_cancel(TARGET);
}

static void cancels_itself_in_vain(void)
{
    call_cancel(explore_self());
}

static void signals_holding(void)
{
    call_lock(&mutex);
    ready = true;
    call_signal(&cond);
    call_unlock(&mutex);
}

static void signals_free(void)
{
    call_lock(&mutex);
    ready = true;
    call_unlock(&mutex);
    call_signal(&cond);
}

static void broadcasts_holding(void)
{
    call_lock(&mutex);
    ready = true;
    call_broadcast(&cond);
    call_unlock(&mutex);
}

static void broadcasts_free(void)
{
    ready = true;
    call_broadcast(&cond);
}

/* One signal for two waiters of which one may be cancelled, then the rest. */
static void check_one_signal(void)
{
    explore_wait_until_quiet();
    explore_require(got != 3, "one signal ended two waits");
    explore_require(got != 0, "both wait or are cancelled, and the signal is gone");
    broadcasts_holding();
}

static void signals_one_of_two(void)
{
    signals_holding();
    check_one_signal();
}

static void signals_one_of_two_free(void)
{
    signals_free();
    check_one_signal();
}

static void signals_and_kills_condition(void)
{
    call_lock(&mutex);
    ready = true;
    call_signal(&cond);
    explore_kill_memory(&cond, sizeof cond);
    call_unlock(&mutex);
}

static void signals_twice_in_turn(void)
{
    signals_free();
    explore_wait_until_quiet();
    signals_free();
}

/* clang-format off */
const struct explore_scenario cancel_scenarios[] = {
    {.name = "cancel/alone", .about = "nothing else ends the wait; its handler frees all",
     .world = {.spurious = 1, .interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = nobody_queued, .thread = {waits_and_kills, cancels}, WATCH},
    {.name = "cancel/signal-holding", .about = "a signal owed and a cancellation",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = nobody_queued, .thread = {waits, signals_holding, cancels}, WATCH},
    {.name = "cancel/signal-free", .about = "a signal and a cancellation",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = one_queued, .thread = {waits_on, signals_free, cancels}, WATCH},
    {.name = "cancel/one-of-two-holding", .about = "one signal owed for two, one is cancelled",
     .bound = 2, .full_bound = 4,
     .start = two_queued, .thread = {waits_on, waits_on, signals_one_of_two, cancels}, WATCH},
    {.name = "cancel/one-of-two-free", .about = "one signal for two, one is cancelled",
     .bound = 2, .full_bound = 4,
     .start = two_queued, .thread = {waits_on, waits_on, signals_one_of_two_free, cancels}, WATCH},
    {.name = "cancel/one-of-two-timed", .about = "... or gives up",
     .world = {.timeouts = 1}, .bound = 2, .full_bound = 3, .start = two_queued,
     .thread = {waits_on_until, waits_on, signals_one_of_two_free, cancels}, WATCH},
    {.name = "cancel/another", .about = "another's cancellation makes a waiter queue again",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = nobody_queued,
     .thread = {waits, signals_holding, cancels_itself_in_vain}, WATCH},
    {.name = "cancel/broadcast-holding", .about = "one of those that are moved",
     .bound = 2, .full_bound = 4,
     .start = two_queued, .thread = {waits_on, waits_on, broadcasts_holding, cancels}, WATCH},
    {.name = "cancel/broadcast-led", .about = "one of those that are led",
     .bound = 2, .full_bound = 4, .start = two_queued_on_one_processor,
     .thread = {waits_on, waits_on, broadcasts_free, cancels}, WATCH},
    {.name = "cancel/disabled", .about = "a spurious wake-up, and the condition may be gone",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = one_that_cannot,
     .thread = {waits_in_a_loop, signals_and_kills_condition, cancels}, WATCH},
    {.name = "cancel/disabled-queued", .about = "as above, and it waits again",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = one_queued_that_cannot,
     .thread = {waits_on_in_a_loop, signals_holding, cancels}, WATCH},
    {.name = "cancel/slot-reused", .about = "the target's place is another's by then",
     .bound = 2, .full_bound = 3, .start = one_queued,
     .thread = {waits_on, waits_after_the_target, signals_twice_in_turn, cancels}, WATCH},
    {0},
};
/* clang-format on */
