/* SPDX-License-Identifier: MIT */
/* Broadcasts by a thread that does not hold the mutex while more waiters sleep than there are
   processors: it wakes some, and the first that holds the mutex moves the others there. And how
   those that were moved then come, in batches. */
#include "scenarios/meeting.h"

/* ---- setting up ---------------------------------------------------------------------- */

static void set_up(unsigned waiters, unsigned processors)
{
    meet_set_up(FS_KIND_NORMAL, processors);
    meet_queue(waiters);
    meet_watch();
    meeting.on_it = (uint8_t)(MEET_BIT(waiters) - 1);
}

static void two(void)
{
    set_up(2, 1);
}

static void three(void)
{
    set_up(3, 1);
}

static void three_on_two_processors(void)
{
    set_up(3, 2);
}

static void three_that_spin(void)
{
    set_up(3, 2);
    fs_settings.spin = 1;
}

static void two_of_error_checking(void)
{
    meet_set_up(FS_KIND_ERRORCHECK, 1);
    meet_queue(2);
    meet_watch();
}

/* ---- threads ------------------------------------------------------------------------- */

/* Leaves again at once, and may have been signalled. */
static void wait_without_the_mutex(void)
{
    int err = call_wait(&meeting.cond, &meeting.mutex);

    explore_require(err == EPERM, "a wait with another's mutex returned %d", err);
}

static void await_sleepers(void)
{
    for (unsigned i = 0; i < 3; i++)
        explore_wait_until_asleep(i);
}

static void broadcast_to_sleepers(void)
{
    await_sleepers();
    meet_broadcast_free();
}

static void broadcast_holding_to_sleepers(void)
{
    await_sleepers();
    meet_broadcast_holding();
}

static void broadcast_and_kill(void)
{
    meet_broadcast_free();
    explore_kill_memory(&meeting.cond, sizeof meeting.cond);
}

/* Those that were there go on, whoever comes meanwhile; and then he does. */
static void broadcast_twice(void)
{
    meet_broadcast_free();
    explore_wait_until_quiet();
    explore_require((meeting.got & 3) == 3, "a waiter sleeps after the broadcast (%#x went on)",
                    meeting.got);
    meet_broadcast_holding();
}

/* clang-format off */
const struct explore_scenario led_scenarios[] = {
    {.name = "led/two", .about = "two waiters, one processor",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free}, MEET_WATCH},
    {.name = "led/timed", .about = "... and one may give up",
     .world = {.timeouts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {meet_wait_on_until, meet_wait_on, meet_broadcast_free}, MEET_WATCH},
    {.name = "led/interrupted", .about = "... with signal handlers",
     .world = {.interrupts = 1}, .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free}, MEET_WATCH},
    {.name = "led/stray", .about = "... with stray wakes",
     .world = {.spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free}, MEET_WATCH},
    {.name = "led/locker", .about = "... and another has the mutex",
     .bound = 1, .full_bound = 3, .start = two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free, meet_lock}, MEET_WATCH},
    {.name = "led/signal", .about = "a signal is owed at the same time",
     .bound = 1, .full_bound = 3, .start = two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free, meet_signal_holding}, MEET_WATCH},
    {.name = "led/broadcast-holding", .about = "the mutex's holder broadcasts at the same time",
     .bound = 1, .full_bound = 3, .start = two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free, meet_broadcast_holding},
     MEET_WATCH},
    {.name = "led/late-waiter", .about = "one joins meanwhile",
     .bound = 1, .full_bound = 3, .start = two,
     .thread = {meet_wait_on, meet_wait_on, broadcast_twice, meet_come_and_wait}, MEET_WATCH},
    {.name = "led/not-the-holder", .about = "one whose wait fails leads nobody",
     .bound = 1, .full_bound = 3, .start = two_of_error_checking,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free, wait_without_the_mutex},
     MEET_WATCH},
    {.name = "led/condition-goes", .about = "the broadcaster frees it at once",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {meet_wait_on, meet_wait_on, broadcast_and_kill}, MEET_WATCH},
    {.name = "led/all-goes", .about = "the last waiter frees everything",
     .bound = EXPLORE_EXHAUSTIVE, .start = two,
     .thread = {meet_wait_on_and_the_last_kills, meet_wait_on_and_the_last_kills, meet_broadcast_free},
     MEET_WATCH},

    {.name = "led/three", .about = "three waiters, one processor",
     .bound = 1, .full_bound = 3, .start = three,
     .thread = {meet_wait_on, meet_wait_on, meet_wait_on, meet_broadcast_free}, MEET_WATCH},
    {.name = "led/three-by-two", .about = "three waiters, two processors",
     .bound = 1, .full_bound = 3, .start = three_on_two_processors,
     .thread = {meet_wait_on, meet_wait_on, meet_wait_on, meet_broadcast_free}, MEET_WATCH},
    {.name = "led/three-asleep", .about = "as above, all asleep",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = three_on_two_processors,
     .thread = {meet_wait_on, meet_wait_on, meet_wait_on, broadcast_to_sleepers}, MEET_WATCH},
    {.name = "led/signal-of-three", .about = "one of three is owed its wake-up",
     .only_full = true, .bound = 1, .full_bound = 2, .start = three,
     .thread = {meet_wait_on, meet_wait_on, meet_wait_on, meet_broadcast_free,
                meet_signal_holding}, MEET_WATCH},
    {.name = "led/batches", .about = "three that were moved: they come by twos",
     .bound = EXPLORE_EXHAUSTIVE, .start = three_on_two_processors,
     .thread = {meet_wait_on, meet_wait_on, meet_wait_on, broadcast_holding_to_sleepers},
     MEET_WATCH},
    {.name = "led/batches-spinning", .about = "... and look again before they sleep",
     .bound = EXPLORE_EXHAUSTIVE, .start = three_that_spin,
     .thread = {meet_wait_on, meet_wait_on, meet_wait_on, broadcast_holding_to_sleepers},
     MEET_WATCH},
    {.name = "led/batches-timed", .about = "... and one gives up",
     .world = {.timeouts = 1}, .bound = 1, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = three_on_two_processors,
     .thread = {meet_wait_on_until, meet_wait_on, meet_wait_on, broadcast_holding_to_sleepers},
     MEET_WATCH},
    {.name = "led/batches-locker", .about = "... and another locks",
     .bound = 1, .full_bound = 3, .start = three_on_two_processors,
     .thread = {meet_wait_on, meet_wait_on, meet_wait_on, broadcast_holding_to_sleepers,
                meet_lock}, MEET_WATCH},
    {0},
};
/* clang-format on */
