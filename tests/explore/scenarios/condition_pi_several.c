/* SPDX-License-Identifier: MIT */
/* Several waiters with mutexes that have priority inheritance: who of them a signal is for, and who
   gets the mutex when. One waiter is condition_pi.c's. */
#include "scenarios/condition_pi_parts.h"

static void with_an_urgent_waiter(void)
{
    part_plain();
    explore_set_priority(1, 10);
}

static void waits_with_second(void)
{
    call_lock(&part_second);
    explore_require(call_wait(&part_cond, &part_second) == 0, "a wait failed");
    explore_require(part_ready, "a wait returned, and nobody had signalled");
    call_unlock(&part_second);
}

static void signals_twice(void)
{
    part_lock();
    part_ready = true;
    call_signal(&part_cond);
    part_unlock();
    call_signal(&part_cond);
}

/* One signal for two waiters, of which the first may give up. */
static void signals_one_of_two(void)
{
    uint8_t at_the_signal;

    part_lock();
    at_the_signal = part_asked;
    part_ready = true; /* for those that are there; others come for the broadcast, if at all */
    call_signal(&part_cond);
    part_unlock();
    explore_wait_until_quiet();
    explore_require(part_got != 3, "one signal ended two waits");
    explore_require(!(at_the_signal & PART_BIT(1)) || part_got != 0,
                    "a waiter sleeps, and the signal it was entitled to is gone");
    part_broadcasts_holding();
}

static void signals_the_urgent(void)
{
    explore_wait_until_quiet();
    part_signals_holding();
    explore_wait_until_quiet();
    explore_require(part_got == PART_BIT(1), "the signal went to %#x", part_got);
    part_broadcasts_holding();
}

/* Cancels, and signals: a signal for the cancelled one alone must not be used up by it. */
static void signals_beside_a_cancellation(void)
{
    uint8_t at_the_signal;

    part_lock();
    at_the_signal = part_asked;
    part_ready = true;
    call_signal(&part_cond);
    part_unlock();
    explore_wait_until_quiet();
    explore_require(!(at_the_signal & PART_BIT(1)) || part_got != 0,
                    "a cancelled waiter took the signal");
    part_broadcasts_holding();
}

/* ---- a cycle that a deadline breaks ---------------------------------------------------

   A known fault: the owner of the mutex waits for a while for another one, which the waiter holds.
   The kernel refuses to queue the waiter behind it (EDEADLK), and nobody moves him later. */

static void holds_second_and_waits(void)
{
    call_lock(&part_second);
    part_waits();
    call_unlock(&part_second);
}

static void wants_second_for_a_while(void)
{
    struct fs_deadline deadline = explore_deadline();

    part_lock();
    if (fs_mutex_acquire(&part_second, FS_KIND_PI, FS_WAIT_UNTIL, &deadline) == 0)
        fs_mutex_release(&part_second, FS_KIND_PI);
    part_unlock();
}

static void signals_when_quiet(void)
{
    explore_wait_until_quiet();
    part_ready = true;
    call_signal(&part_cond);
}

/* clang-format off */
const struct explore_scenario condition_pi_several_scenarios[] = {
    {.name = "condition-pi-several/two-signals", .about = "one signal inside, one outside",
     .bound = 2, .full_bound = ALL, .start = part_plain,
     .thread = {part_waits, part_waits, signals_twice}, WATCH},
    {.name = "condition-pi-several/one-signal", .about = "one signal, two waiters, one may give up",
     .world = {.timeouts = 1}, .bound = 2, .full_bound = 4, .start = part_plain,
     .thread = {part_waits_until, part_waits, signals_one_of_two}, WATCH},
    {.name = "condition-pi-several/broadcast-holding", .about = "two waiters",
     .world = {.interrupts = 1}, .bound = 2, .full_bound = ALL, .start = part_plain,
     .thread = {part_waits, part_waits, part_broadcasts_holding}, WATCH},
    {.name = "condition-pi-several/broadcast-free", .about = "two waiters, one with a deadline",
     .world = {.timeouts = 1}, .bound = 2, .full_bound = ALL, .start = part_plain,
     .thread = {part_waits_until, part_waits, part_broadcasts_free}, WATCH},
    {.name = "condition-pi-several/urgent", .about = "the waiter of higher priority is chosen",
     .bound = 2, .full_bound = ALL, .start = with_an_urgent_waiter,
     .thread = {part_waits, part_waits, signals_the_urgent}, WATCH},
    {.name = "condition-pi-several/two-mutexes", .about = "two waiters with different mutexes",
     .bound = 2, .full_bound = ALL, .start = part_two_mutexes,
     .thread = {part_waits, waits_with_second, part_broadcasts_when_quiet}, WATCH},
    {.name = "condition-pi-several/cancelled", .about = "a cancellation beside a signal",
     .bound = 1, .full_bound = 3, .start = part_plain,
     .thread = {part_waits_or_is_cancelled, part_waits, signals_beside_a_cancellation,
                part_cancels_first}, WATCH},
    {.name = "condition-pi-several/robust", .about = "the signaller ends with the mutex",
     .world = {.deaths = 1}, .bound = 2, .full_bound = 3, .start = part_robust,
     .thread = {part_waits, part_signals_and_ends, part_waits, part_broadcasts_when_quiet}, WATCH},
    {.name = "condition-pi-several/cycle", .about = "known: moving the waiter would close a cycle",
     .world = {.timeouts = 1}, .needs_timeout = true, .bound = ALL, .must_fail = true,
     .finds = "deadlock: thread 0 sleeps", .start = part_two_mutexes,
     .thread = {holds_second_and_waits, wants_second_for_a_while, signals_when_quiet}, WATCH},
    {.name = NULL},
};
