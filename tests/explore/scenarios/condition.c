/* SPDX-License-Identifier: MIT */
/* One waiter and one signaller: every kind of mutex, deadlines, and memory that goes. */
#include "scenarios/meeting.h"

/* ---- setting up ---------------------------------------------------------------------- */

/* The first waiter makes the group. */
static void fresh(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    meet_watch();
}

static void recursive(void)
{
    meet_set_up(FS_KIND_RECURSIVE, 2);
    meet_watch();
}

static void error_checking(void)
{
    meet_set_up(FS_KIND_ERRORCHECK, 2);
    meet_watch();
}

static void adaptive(void)
{
    meet_set_up(FS_KIND_ADAPTIVE, 2);
    meet_watch();
}

static void shared(void)
{
    meet_set_up(FS_KIND_SHARED, 2);
    meet_watch();
}

static void without_requeue(void)
{
    meet_with_nobody();
    fs_settings.requeue = false;
}

static void with_spinning(void)
{
    meet_with_nobody();
    fs_settings.spin = 1;
}

/* ---- a mutex held twice --------------------------------------------------------------- */

/* It stays locked while its holder waits, so what is waited for is under the second one. */
static void wait_holding_twice(void)
{
    bool asks;

    call_lock(&meeting.mutex);
    call_lock(&meeting.mutex);
    call_lock(&meeting.second);
    asks = !meeting.ready;
    call_unlock(&meeting.second);
    if (asks)
        meet_note(call_wait(&meeting.cond, &meeting.mutex), false);
    explore_require(meeting.mutex.count == 2, "the mutex was held twice, and now %u times",
                    meeting.mutex.count);
    call_unlock(&meeting.mutex);
    call_unlock(&meeting.mutex);
}

static void signal_one_that_holds_twice(void)
{
    explore_wait_until_quiet();
    call_lock(&meeting.second);
    meeting.ready = true;
    call_unlock(&meeting.second);
    call_signal(&meeting.cond);
}

/* ---- memory that goes ------------------------------------------------------------------- */

/* The only waiter takes it all away once it has gone on. */
static void wait_and_kill(void)
{
    meet_wait();
    meet_kill();
}

/* Nobody waits any more as soon as the only waiter has been signalled. */
static void signal_and_kill_condition(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    explore_kill_memory(&meeting.cond, sizeof meeting.cond);
    call_unlock(&meeting.mutex);
}

static void wait_then_answer(void)
{
    meet_wait();
    call_lock(&meeting.second);
    explore_require(meeting.asked & MEET_BIT(1), "nobody asked");
    call_signal(&meeting.cond);
    call_unlock(&meeting.second);
}

/* The condition variable becomes another one, with another mutex. */
static void signal_and_wait_in_reused_memory(void)
{
    call_lock(&meeting.second);
    meeting.asked |= MEET_BIT(1);
    meet_signal_free();
    explore_reuse_memory(&meeting.cond, sizeof meeting.cond, 0);
    meet_note(call_wait(&meeting.cond, &meeting.second), false);
    call_unlock(&meeting.second);
}

/* clang-format off */
const struct explore_scenario condition_scenarios[] = {
    {.name = "condition/holding", .about = "a signal under the mutex: it is owed",
     .world = {.spurious = 1, .interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = fresh, .thread = {meet_wait, meet_signal_holding}, MEET_WATCH},
    {.name = "condition/free", .about = "a signal after the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = fresh, .thread = {meet_wait, meet_signal_free}, MEET_WATCH},
    {.name = "condition/beside", .about = "a signal without the mutex, for one that waits",
     .world = {.spurious = 1, .interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_one, .thread = {meet_wait_on, meet_signal}, MEET_WATCH},
    {.name = "condition/spinning", .about = "a waiter that spins first",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = with_spinning, .thread = {meet_wait, meet_signal_holding}, MEET_WATCH},
    {.name = "condition/no-requeue", .about = "FASTSYNC_REQUEUE=0: nothing is owed",
     .world = {.interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = without_requeue, .thread = {meet_wait, meet_signal_holding}, MEET_WATCH},
    {.name = "condition/timed-holding", .about = "a deadline against a signal under the mutex",
     .world = {.timeouts = 1, .spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = fresh, .thread = {meet_wait_until, meet_signal_holding}, MEET_WATCH},
    {.name = "condition/timed-free", .about = "a deadline against a signal after the mutex",
     .world = {.timeouts = 1, .spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = fresh, .thread = {meet_wait_until, meet_signal_free}, MEET_WATCH},
    {.name = "condition/timed-alone", .about = "nobody signals",
     .needs_timeout = true, .bound = EXPLORE_EXHAUSTIVE,
     .start = fresh, .thread = {meet_wait_until, meet_wait_until}, MEET_WATCH},

    {.name = "condition/recursive", .about = "a recursive mutex", .bound = EXPLORE_EXHAUSTIVE,
     .start = recursive, .thread = {meet_wait, meet_signal_holding}, MEET_WATCH},
    {.name = "condition/recursive-twice", .about = "a mutex that stays locked in the wait",
     .world = {.spurious = 1}, .bound = EXPLORE_EXHAUSTIVE, .start = recursive,
     .thread = {wait_holding_twice, signal_one_that_holds_twice}, MEET_WATCH},
    {.name = "condition/errorcheck", .about = "an error-checking mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = error_checking, .thread = {meet_wait, meet_signal_holding}, MEET_WATCH},
    {.name = "condition/adaptive", .about = "an adaptive mutex", .bound = EXPLORE_EXHAUSTIVE,
     .start = adaptive, .thread = {meet_wait, meet_signal_holding}, MEET_WATCH},
    {.name = "condition/shared-mutex", .about = "a process-shared mutex: nothing is owed",
     .world = {.timeouts = 1, .spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = shared, .thread = {meet_wait_until, meet_signal_holding}, MEET_WATCH},

    {.name = "condition/killed-by-waiter", .about = "all memory goes after the wait",
     .world = {.spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_nobody, .thread = {wait_and_kill, meet_signal_holding}, MEET_WATCH},
    {.name = "condition/killed-in-the-signal", .about = "... and the signaller is not done yet",
     .world = {.spurious = 1}, .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_one,
     .thread = {meet_wait_on_and_kill, meet_signal}, MEET_WATCH},
    {.name = "condition/killed-by-signaller", .about = "the condition goes after the signal",
     .world = {.interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_nobody,
     .thread = {meet_wait, signal_and_kill_condition}, MEET_WATCH},
    {.name = "condition/killed-at-timeout", .about = "a waiter gives up as the memory goes",
     .world = {.timeouts = 1}, .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_nobody,
     .thread = {meet_wait_until, signal_and_kill_condition}, MEET_WATCH},
    {.name = "condition/reused", .about = "the memory becomes another condition variable",
     .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_nobody,
     .thread = {wait_then_answer, signal_and_wait_in_reused_memory}, MEET_WATCH},
    {.name = "condition/reused-stray", .about = "the same with stray wakes and signals",
     .world = {.spurious = 1, .interrupts = 1}, .bound = 1, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_nobody,
     .thread = {wait_then_answer, signal_and_wait_in_reused_memory}, MEET_WATCH},
    {0},
};
/* clang-format on */
