/* SPDX-License-Identifier: MIT */
/* Signals by the holder of the mutex: their wake-ups are owed and paid by whoever releases it, in
   whatever way, and lockers of the mutex get their turn all the same. */
#include "scenarios/meeting.h"

static struct fs_condition answer;

/* ---- setting up ---------------------------------------------------------------------- */

static void one_of_strangers(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    meet_queue(1);
    watch_condition(&meeting.cond);
    watch_mutex_of_strangers(&meeting.mutex);
}

static void one_recursive(void)
{
    meet_set_up(FS_KIND_RECURSIVE, 2);
    meet_queue(1);
    meet_watch();
}

/* So many releases have paid and woken no locker that it is a locker's turn. */
static void one_and_no_patience(void)
{
    meet_with_one();
    meeting.mutex.debt.passed = 7;
}

static void one_and_an_urgent_locker(void)
{
    meet_with_one();
    explore_set_priority(2, 10);
}

/* ---- ways to pay ---------------------------------------------------------------------- */

static void signal_and_keep(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
}

static void unlock_for_another(void)
{
    meet_expect(0);
    call_unlock(&meeting.mutex);
}

static void signal_and_turn_over(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    fs_mutex_turn_over(&meeting.mutex);
    call_unlock_in_libc(&meeting.mutex);
}

static void signal_holding_twice(void)
{
    call_lock(&meeting.mutex);
    call_lock(&meeting.mutex);
    meet_signal();
    call_unlock(&meeting.mutex);
    explore_step("still holds the mutex");
    explore_require(meeting.got == 0, "a waiter went on while the mutex was held");
    call_unlock(&meeting.mutex);
}

static void wait_on_and_answer(void)
{
    meet_note(call_wait_on(NULL), false);
    call_signal(&answer);
    call_unlock(&meeting.mutex);
}

/* The signaller's own wait gives up the mutex, and pays. */
static void signal_and_wait(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    explore_require(call_wait(&answer, &meeting.mutex) == 0, "a wait failed");
    call_unlock(&meeting.mutex);
}

/* One debt at a time: the signal for a waiter of another condition variable is not owed. */
static void two_of_two_conditions(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    meet_queue(1);
    call_join_for(1, &answer, &meeting.mutex);
    watch_condition(&answer);
    meet_watch();
}

static void signal_both_conditions(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    call_signal(&answer);
    call_unlock(&meeting.mutex);
}

/* clang-format off */
const struct explore_scenario owed_scenarios[] = {
    {.name = "owed/by-another", .about = "another thread releases and pays",
     .world = {.interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = one_of_strangers,
     .thread = {meet_wait_on, signal_and_keep, unlock_for_another}, MEET_WATCH},
    {.name = "owed/turned-over", .about = "the mutex becomes the C library's",
     .world = {.interrupts = 1, .spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_one, .thread = {meet_wait_on, signal_and_turn_over}, MEET_WATCH},
    {.name = "owed/by-a-wait", .about = "the signaller waits itself",
     .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_one,
     .thread = {wait_on_and_answer, signal_and_wait}, MEET_WATCH},
    {.name = "owed/recursive", .about = "the mutex is held twice by the signaller",
     .world = {.spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = one_recursive, .thread = {meet_wait_on, signal_holding_twice}, MEET_WATCH},
    {.name = "owed/two-conditions", .about = "one of two signals is owed",
     .bound = EXPLORE_EXHAUSTIVE, .start = two_of_two_conditions,
     .thread = {meet_wait_on, meet_wait_on, signal_both_conditions}, MEET_WATCH},
    {.name = "owed/locker", .about = "a sleeper of the mutex beside; the waiter may give up",
     .world = {.timeouts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_one,
     .thread = {meet_wait_on_until, meet_signal_holding, meet_lock}, MEET_WATCH},
    {.name = "owed/two-signallers", .about = "a debt taken on while another locks to take one on",
     .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_signal_holding, meet_signal_holding}, MEET_WATCH},
    {.name = "owed/locker-in-turn", .about = "... whose turn it is",
     .world = {.timeouts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = one_and_no_patience,
     .thread = {meet_wait_on_until, meet_signal_holding, meet_lock}, MEET_WATCH},
    {.name = "owed/hungry-locker", .about = "... who has waited too long",
     .world = {.jumps = 2}, .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_one,
     .thread = {meet_wait_on, meet_signal_holding, meet_lock}, MEET_WATCH},
    {.name = "owed/urgent-locker", .about = "... of real-time priority",
     .bound = EXPLORE_EXHAUSTIVE, .start = one_and_an_urgent_locker,
     .thread = {meet_wait_on, meet_signal_holding, meet_lock}, MEET_WATCH},
    {0},
};
/* clang-format on */
