/* SPDX-License-Identifier: MIT */
/* Several waiters of one condition variable: who gets a signal, and that none is lost when the one
   it was for gives up. */
#include "scenarios/meeting.h"

/* ---- two signals for two ---------------------------------------------------------------- */

static void signal_twice_holding(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    meet_signal();
    call_unlock(&meeting.mutex);
}

static void signal_twice_free(void)
{
    meet_signal_free();
    meet_signal();
}

/* ---- one signal for two, one of whom may give up ------------------------------------------- */

static void check_one_signal(uint8_t asked)
{
    explore_wait_until_quiet();
    explore_require(meeting.got != (MEET_BIT(0) | MEET_BIT(1)), "one signal ended two waits");
    explore_require(!(asked & MEET_BIT(1)) || meeting.got != 0,
                    "a waiter sleeps, and the signal it was entitled to is gone");
    meet_broadcast_holding();
}

/* Thread 0 may give up and thread 1 not, so if that one has asked, somebody gets the signal. */
static void signal_one_of_two(void)
{
    uint8_t asked;

    call_lock(&meeting.mutex);
    asked = meeting.asked;
    meet_signal();
    call_unlock(&meeting.mutex);
    check_one_signal(asked);
}

static void signal_one_of_two_free(void)
{
    uint8_t asked;

    call_lock(&meeting.mutex);
    asked = meeting.asked;
    meeting.ready = true;
    call_unlock(&meeting.mutex);
    call_signal(&meeting.cond);
    check_one_signal(asked);
}

/* A wait that fails at once, for want of the mutex, has perhaps been given the signal already. */
static void error_checking(void)
{
    meet_set_up(FS_KIND_ERRORCHECK, 2);
    call_warm_up(&meeting.cond, &meeting.mutex);
    meet_watch();
}

static void wait_without_the_mutex(void)
{
    int err = call_wait(&meeting.cond, &meeting.mutex);

    explore_require(err == EPERM, "a wait with another's mutex returned %d", err);
}

/* Comes too early, and then as it should: perhaps with the same slot. The deadline may be all that
   is left for it, and must not be all that is left for thread 1, which sleeps for the mutex. */
static void wait_without_and_with_the_mutex(void)
{
    struct fs_deadline deadline = explore_deadline();

    wait_without_the_mutex();
    call_lock(&meeting.mutex);
    explore_require(call_wait_until(&meeting.cond, &meeting.mutex, &deadline) != EPERM,
                    "the holder may not wait");
    call_unlock(&meeting.mutex);
}

static void signal_while_another_locks(void)
{
    call_lock(&meeting.mutex);
    explore_wait_until_asleep(1);
    call_signal(&meeting.cond);
    call_unlock(&meeting.mutex);
}

/* ---- two mutexes ------------------------------------------------------------------------- */

static void two_with_two_mutexes(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    call_join_for(0, &meeting.cond, &meeting.second);
    call_join_for(1, &meeting.cond, &meeting.mutex);
    meet_watch();
    watch_condition_mutex(&meeting.second);
}

static void wait_on_with_second(void)
{
    meet_note(call_wait_on(NULL), false);
    call_unlock(&meeting.second);
}

/* The first to come is the first to go, whatever its mutex. */
static void signal_in_turn(void)
{
    meet_signal_holding();
    meet_expect(MEET_BIT(0));
    meet_signal_holding();
}

/* ---- priorities ------------------------------------------------------------------------------ */

static void second_of_real_time(void)
{
    meet_with_nobody();
    explore_set_priority(1, 10);
}

static void signal_the_urgent(void)
{
    explore_wait_until_quiet();
    meet_signal_holding();
    meet_expect(MEET_BIT(1));
    meet_broadcast_holding();
}

/* Both are queued as ordinary ones. */
static void two_queued_before_their_priority(void)
{
    meet_with_two();
    explore_set_priority(1, 10);
}

/* Queued with the priority that it has no more when it falls asleep. */
static void wait_on_with_less(void)
{
    explore_set_priority(explore_self(), 5);
    meet_wait_on();
}

/* clang-format off */
const struct explore_scenario several_scenarios[] = {
    {.name = "several/two-signals-holding", .about = "two waiters, two signals owed",
     .bound = 2, .full_bound = 4, .start = meet_with_nobody,
     .thread = {meet_wait, meet_wait, signal_twice_holding}, MEET_WATCH},
    {.name = "several/two-signals-free", .about = "two waiters, two signals",
     .bound = 2, .full_bound = 4, .start = meet_with_nobody,
     .thread = {meet_wait, meet_wait, signal_twice_free}, MEET_WATCH},
    {.name = "several/two-signals-stray", .about = "as above, waiting from the beginning",
     .world = {.interrupts = 1}, .bound = 2, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, signal_twice_holding}, MEET_WATCH},
    {.name = "several/one-signal-holding", .about = "one may give up: the other gets the signal",
     .world = {.timeouts = 1}, .bound = 1, .full_bound = 3, .start = meet_with_nobody,
     .thread = {meet_wait_until, meet_wait, signal_one_of_two}, MEET_WATCH},
    {.name = "several/one-signal-free", .about = "the same with a signal after the mutex",
     .world = {.timeouts = 1}, .bound = 1, .full_bound = 3, .start = meet_with_nobody,
     .thread = {meet_wait_until, meet_wait, signal_one_of_two_free}, MEET_WATCH},
    {.name = "several/one-signal-queued", .about = "the same, waiting from the beginning",
     .world = {.timeouts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_two,
     .thread = {meet_wait_on_until, meet_wait_on, signal_one_of_two_free}, MEET_WATCH},
    {.name = "several/not-the-holder", .about = "a wait that fails passes its signal on",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = error_checking,
     .thread = {meet_wait, meet_signal_holding, wait_without_the_mutex}, MEET_WATCH},
    {.name = "several/fails-and-waits", .about = "a wait that failed owes the mutex's sleepers nothing",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .needs_timeout = true, .start = error_checking,
     .thread = {signal_while_another_locks, meet_lock, wait_without_and_with_the_mutex},
     MEET_WATCH},
    {.name = "several/two-mutexes", .about = "waiters with two mutexes at once",
     .bound = EXPLORE_EXHAUSTIVE, .start = two_with_two_mutexes,
     .thread = {wait_on_with_second, meet_wait_on, signal_in_turn}, MEET_WATCH},
    {.name = "several/real-time-first", .about = "a real-time waiter before an ordinary one",
     .bound = EXPLORE_EXHAUSTIVE, .start = second_of_real_time,
     .thread = {meet_wait, meet_wait, signal_the_urgent}, MEET_WATCH},
    {.name = "several/new-priorities", .about = "priorities change between queueing and sleep",
     .bound = EXPLORE_EXHAUSTIVE, .start = two_queued_before_their_priority,
     .thread = {wait_on_with_less, meet_wait_on, signal_the_urgent}, MEET_WATCH},
    {0},
};
/* clang-format on */
