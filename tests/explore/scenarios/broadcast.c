/* SPDX-License-Identifier: MIT */
/* Broadcasts by the holder of the mutex, who moves the sleepers there, and such that wake all at
   once. The waiters are within their waits from the beginning, asleep or about to be. Broadcasts
   that leave the moving to a waiter are broadcast_led.c's. */
#include "scenarios/meeting.h"

/* ---- setting up ---------------------------------------------------------------------- */

static void two_on_one_processor(void)
{
    meet_with_two();
    fs_settings.processors = 1;
}

static void two_that_spin(void)
{
    meet_with_two();
    fs_settings.spin = 1;
}

static void two_without_requeue(void)
{
    meet_with_two();
    fs_settings.requeue = false;
}

static void two_that_leave(void)
{
    meet_with_two();
    meeting.on_it = MEET_BIT(0) | MEET_BIT(1);
}

static void two_of_strangers(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    meet_queue(2);
    watch_condition(&meeting.cond);
    watch_mutex_of_strangers(&meeting.mutex);
}

static void two_recursive(void)
{
    meet_set_up(FS_KIND_RECURSIVE, 2);
    meet_queue(2);
    meet_watch();
}

static void two_with_shared_mutex(void)
{
    meet_set_up(FS_KIND_SHARED, 2);
    meet_queue(2);
    meet_watch();
}

static void two_with_two_mutexes(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
    call_join_for(0, &meeting.cond, &meeting.mutex);
    call_join_for(1, &meeting.cond, &meeting.second);
    meet_watch();
    watch_condition_mutex(&meeting.second);
}

/* ---- waiters ------------------------------------------------------------------------- */

static void wait_on_with_second(void)
{
    meet_note(call_wait_on(NULL), false);
    call_unlock(&meeting.second);
}

/* ---- broadcasters ---------------------------------------------------------------------- */

static void broadcast_holding_second(void)
{
    meeting.ready = true;
    call_lock(&meeting.second);
    call_broadcast(&meeting.cond);
    call_unlock(&meeting.second);
}

static void broadcast_holding_and_kill(void)
{
    call_lock(&meeting.mutex);
    meet_broadcast_free();
    explore_kill_memory(&meeting.cond, sizeof meeting.cond);
    call_unlock(&meeting.mutex);
}

static void signal_and_broadcast(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    call_broadcast(&meeting.cond);
    call_unlock(&meeting.mutex);
}

static void broadcast_and_signal(void)
{
    call_lock(&meeting.mutex);
    meet_broadcast_free();
    call_signal(&meeting.cond);
    call_unlock(&meeting.mutex);
}

/* Those that were there go on, whoever comes meanwhile; and then he does. */
static void broadcast_twice(void)
{
    meet_broadcast_holding();
    explore_wait_until_quiet();
    explore_require((meeting.got & 3) == 3, "a waiter sleeps after the broadcast (%#x went on)",
                    meeting.got);
    meet_broadcast_holding();
}

static void broadcast_and_keep(void)
{
    call_lock(&meeting.mutex);
    meet_broadcast_free();
}

static void unlock_for_another(void)
{
    meet_expect(0);
    call_unlock(&meeting.mutex);
}

static void broadcast_holding_twice(void)
{
    call_lock(&meeting.mutex);
    call_lock(&meeting.mutex);
    meet_broadcast_free();
    call_unlock(&meeting.mutex);
    explore_step("still holds the mutex");
    explore_require(meeting.got == 0, "a waiter went on while the mutex was held");
    call_unlock(&meeting.mutex);
}

static void broadcast_and_turn_over(void)
{
    call_lock(&meeting.mutex);
    meet_broadcast_free();
    fs_mutex_turn_over(&meeting.mutex);
    call_unlock_in_libc(&meeting.mutex);
}

/* Afterwards, while those that were moved are on their way: a wait on a process-shared condition
   variable, which is the C library's. */
static void turn_over(void)
{
    call_lock(&meeting.mutex);
    fs_mutex_turn_over(&meeting.mutex);
    call_unlock_in_libc(&meeting.mutex);
    call_lock_in_libc(&meeting.mutex);
    watch_word_inside(&meeting.mutex.word);
    call_unlock_in_libc(&meeting.mutex);
}

/* clang-format off */
const struct explore_scenario broadcast_scenarios[] = {
    {.name = "broadcast/holding", .about = "the waiters are moved",
     .bound = EXPLORE_EXHAUSTIVE, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding}, MEET_WATCH},
    {.name = "broadcast/interrupted", .about = "signal handlers undo the moves",
     .world = {.interrupts = 2}, .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding}, MEET_WATCH},
    {.name = "broadcast/stray", .about = "a stray wake takes one away from the mutex",
     .world = {.spurious = 1}, .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding}, MEET_WATCH},
    {.name = "broadcast/timed", .about = "a waiter gives up before or after the move",
     .world = {.timeouts = 1}, .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_two,
     .thread = {meet_wait_on_until, meet_wait_on, meet_broadcast_holding}, MEET_WATCH},
    {.name = "broadcast/spinning", .about = "waiters that spin first",
     .bound = 1, .full_bound = 4, .start = two_that_spin,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding}, MEET_WATCH},
    {.name = "broadcast/one-processor", .about = "no batches",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = two_on_one_processor,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding}, MEET_WATCH},
    {.name = "broadcast/locker", .about = "another locks the mutex",
     .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding, meet_lock}, MEET_WATCH},
    {.name = "broadcast/hungry-locker", .about = "... and has waited too long",
     .world = {.jumps = 2}, .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding, meet_lock}, MEET_WATCH},

    {.name = "broadcast/no-requeue", .about = "FASTSYNC_REQUEUE=0: all are woken",
     .bound = EXPLORE_EXHAUSTIVE, .start = two_without_requeue,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding}, MEET_WATCH},
    {.name = "broadcast/free", .about = "without the mutex: all are woken",
     .world = {.interrupts = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_free}, MEET_WATCH},
    {.name = "broadcast/shared-mutex", .about = "with a process-shared mutex: all are woken",
     .world = {.interrupts = 1}, .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_with_shared_mutex,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding}, MEET_WATCH},

    {.name = "broadcast/signal-first", .about = "a signal owed, then a broadcast",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, signal_and_broadcast}, MEET_WATCH},
    {.name = "broadcast/signal-after", .about = "a signal that finds nobody any more",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, broadcast_and_signal}, MEET_WATCH},
    {.name = "broadcast/late-waiter", .about = "one joins while the others are moved",
     .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, broadcast_twice, meet_come_and_wait}, MEET_WATCH},

    {.name = "broadcast/condition-goes", .about = "the broadcaster frees it at once",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, broadcast_holding_and_kill}, MEET_WATCH},
    {.name = "broadcast/all-goes", .about = "the last waiter frees everything",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = two_that_leave,
     .thread = {meet_wait_on_and_the_last_kills, meet_wait_on_and_the_last_kills, meet_broadcast_holding},
     MEET_WATCH},
    {.name = "broadcast/two-mutexes-first", .about = "waiters with two mutexes, the first is held",
     .bound = EXPLORE_EXHAUSTIVE, .start = two_with_two_mutexes,
     .thread = {meet_wait_on, wait_on_with_second, meet_broadcast_holding}, MEET_WATCH},
    {.name = "broadcast/two-mutexes", .about = "waiters with two mutexes, the second is held",
     .bound = EXPLORE_EXHAUSTIVE, .start = two_with_two_mutexes,
     .thread = {meet_wait_on, wait_on_with_second, broadcast_holding_second}, MEET_WATCH},
    {.name = "broadcast/recursive", .about = "the mutex is held twice by the broadcaster",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = two_recursive,
     .thread = {meet_wait_on, meet_wait_on, broadcast_holding_twice}, MEET_WATCH},
    {.name = "broadcast/unlock-by-other", .about = "another releases what the broadcaster held",
     .bound = EXPLORE_EXHAUSTIVE, .start = two_of_strangers,
     .thread = {meet_wait_on, meet_wait_on, broadcast_and_keep, unlock_for_another}, MEET_WATCH},
    {.name = "broadcast/turned-over", .about = "the mutex becomes the C library's at once",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, broadcast_and_turn_over}, MEET_WATCH},
    {.name = "broadcast/turned-over-later", .about = "... while the waiters are on their way",
     .bound = 1, .full_bound = 3, .start = meet_with_two,
     .thread = {meet_wait_on, meet_wait_on, meet_broadcast_holding, turn_over}, MEET_WATCH},
    {0},
};
/* clang-format on */
