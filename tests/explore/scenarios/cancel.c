/* SPDX-License-Identifier: MIT */
/* Cancellation of a waiter at any moment of its wait, against signals and broadcasts: a signal is
   never used up by a waiter that is cancelled, and the request of one that was signalled first
   stays pending. */
#include "scenarios/meeting.h"

#define TARGET 0 /* the thread that is cancelled */

/* ---- setting up ---------------------------------------------------------------------- */

static void two_on_one_processor(void)
{
    meet_with_two();
    fs_settings.processors = 1;
}

static void nobody_and_it_cannot(void)
{
    call_disable_cancellation(TARGET);
    meet_with_nobody();
}

static void one_that_cannot(void)
{
    call_disable_cancellation(TARGET);
    meet_with_one();
}

/* ---- waiters ------------------------------------------------------------------------- */

/* Its cleanup handler frees everything. */
static void wait_and_kill(void)
{
    meet_wait();
    explore_require(meeting.cancelled == MEET_BIT(TARGET),
                    "a wait ended, and only a cancellation could");
    meet_kill();
}

static void wait_on_and_kill(void)
{
    meet_wait_on();
    explore_require(meeting.cancelled == MEET_BIT(TARGET),
                    "a wait ended, and only a cancellation could");
    meet_kill();
}

/* Cancellation is disabled: it may end a wait, as if by chance. */
static void wait_in_a_loop(void)
{
    call_lock(&meeting.mutex);
    while (!meeting.ready)
        explore_require(call_wait(&meeting.cond, &meeting.mutex) == 0, "a wait failed");
    call_unlock(&meeting.mutex);
}

static void wait_on_in_a_loop(void)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    call_unlock(&meeting.mutex);
    wait_in_a_loop();
}

/* Comes when the target has left: its place is taken again. */
static void wait_after_the_target(void)
{
    call_lock(&meeting.mutex);
    if (meeting.got & MEET_BIT(TARGET)) {
        meeting.ready = false;
        meet_wait_if_not_ready(NULL);
    }
    call_unlock(&meeting.mutex);
}

/* Waits twice: the request that came too late for the first wait ends the second. */
static void wait_on_and_wait(void)
{
    meet_note(call_wait_on(NULL), false);
    if (meeting.got & MEET_BIT(TARGET)) {
        meeting.ready = false;
        meet_wait_if_not_ready(NULL);
        explore_require(meeting.cancelled & MEET_BIT(TARGET), "a pending request was forgotten");
    }
    call_unlock(&meeting.mutex);
}

/* ---- the others ------------------------------------------------------------------------ */

static void cancel(void)
{
    call_cancel(TARGET);
}

static void cancel_itself_in_vain(void)
{
    call_cancel(explore_self());
}

/* One signal for two waiters of which one may be cancelled, then the rest. */
static void check_one_signal(void)
{
    explore_wait_until_quiet();
    explore_require(meeting.got != (MEET_BIT(0) | MEET_BIT(1)), "one signal ended two waits");
    explore_require(meeting.got != 0, "both wait or are cancelled, and the signal is gone");
    meet_broadcast_holding();
}

static void signal_one_of_two(void)
{
    meet_signal_holding();
    check_one_signal();
}

static void signal_one_of_two_free(void)
{
    meet_signal();
    check_one_signal();
}

static void signal_and_kill_condition(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    explore_kill_memory(&meeting.cond, sizeof meeting.cond);
    call_unlock(&meeting.mutex);
}

static void signal_twice_in_turn(void)
{
    meet_signal_free();
    explore_wait_until_quiet();
    meet_signal_free();
}

/* clang-format off */
const struct explore_scenario cancel_scenarios[] = {
    {.name = "cancel/alone", .about = "nothing else ends the wait; its handler frees all",
     .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_nobody,
     .thread = {wait_and_kill, cancel}, MEET_WATCH},
    {.name = "cancel/alone-stray", .about = "the same with stray wakes and signals",
     .world = {.spurious = 1, .interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_one, .thread = {wait_on_and_kill, cancel}, MEET_WATCH},
    {.name = "cancel/holding", .about = "a signal owed and a cancellation",
     .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_nobody,
     .thread = {meet_wait, meet_signal_holding, cancel}, MEET_WATCH},
    {.name = "cancel/free", .about = "a signal and a cancellation",
     .world = {.spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_one, .thread = {meet_wait_on, meet_signal, cancel}, MEET_WATCH},
    {.name = "cancel/pending", .about = "a request that came too late ends the next wait",
     .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_one,
     .thread = {wait_on_and_wait, meet_signal_free, cancel}, MEET_WATCH},
    {.name = "cancel/one-of-two-holding", .about = "one signal owed for two, one is cancelled",
     .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, signal_one_of_two, cancel}, MEET_WATCH},
    {.name = "cancel/one-of-two-free", .about = "one signal for two, one is cancelled",
     .bound = 2, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, signal_one_of_two_free, cancel}, MEET_WATCH},
    {.name = "cancel/one-of-two-timed", .about = "... or gives up",
     .world = {.timeouts = 1}, .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on_until, meet_wait_on, signal_one_of_two_free, cancel}, MEET_WATCH},
    {.name = "cancel/another", .about = "another's cancellation makes a waiter queue again",
     .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_nobody,
     .thread = {meet_wait, meet_signal_holding, cancel_itself_in_vain}, MEET_WATCH},
    {.name = "cancel/broadcast-holding", .about = "one of those that are moved",
     .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding, cancel}, MEET_WATCH},
    {.name = "cancel/broadcast-led", .about = "one of those that are led",
     .bound = 2, .full_bound = 3, .start = two_on_one_processor,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free, cancel}, MEET_WATCH},
    {.name = "cancel/disabled", .about = "a spurious wake-up, and the condition may be gone",
     .bound = 2, .full_bound = 4, .start = nobody_and_it_cannot,
     .thread = {wait_in_a_loop, signal_and_kill_condition, cancel}, MEET_WATCH},
    {.name = "cancel/disabled-queued", .about = "as above, waiting from the beginning",
     .bound = EXPLORE_EXHAUSTIVE, .start = one_that_cannot,
     .thread = {wait_on_in_a_loop, signal_and_kill_condition, cancel}, MEET_WATCH},
    {.name = "cancel/slot-reused", .about = "the target's place is another's by then",
     .bound = 2, .full_bound = 3, .start = meet_with_one,
     .thread = {meet_wait_on, wait_after_the_target, signal_twice_in_turn, cancel}, MEET_WATCH},
    {0},
};
/* clang-format on */
