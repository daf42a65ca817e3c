/* SPDX-License-Identifier: MIT */
/* What the holder of a mutex owes to a sleeper of another word (M4), without the condition variable
   that usually stands behind it: a waiter sleeps in a hall, the holder opens the hall and lets its
   own release wake it, and the waiter acquires the mutex as a woken sleeper of the mutex's word.
   Several waiters, and turns without end, are in mutex_debts.c. */
#include <errno.h>

#include "mutex_parts.h"

static fs_word hall; /* closed while it is 0 */
static fs_word gate; /* likewise; for what has nothing to do with the debt */

/* The hall opens before the debt can be paid, so that whoever sleeps there then was chosen. */
static void owe(void)
{
    fs_store_release(&hall, 1);
    explore_require(fs_mutex_owe(&mutex, &hall, FS_MATCH_ANY, 1), "the debt is refused");
}

static void lock_and_owe(void)
{
    mutex_lock();
    watch_word_inside(&mutex.word);
    owe();
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

/* A wake like the payment, but it is none: the hall is still closed. */
static void lock_and_owe_and_wake(void)
{
    mutex_lock();
    explore_require(fs_mutex_owe(&mutex, &hall, FS_MATCH_ANY, 1), "the debt is refused");
    fs_futex_wake(&hall, 1, FS_SCOPE_PRIVATE);
    fs_store_release(&hall, 1);
    mutex_unlock();
}

static void lock_and_owe_then_lock(void)
{
    lock_and_owe();
    mutex_lock_once();
}

static void lock_then_owe(void)
{
    mutex_lock_once();
    lock_and_owe();
}

static void wait_and_lock(void)
{
    mutex_wait_at(&hall, FS_MATCH_ANY);
    mutex_lock_as(FS_WAIT_WOKEN);
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

static void wait_and_lock_twice(void)
{
    wait_and_lock();
    mutex_lock_once();
}

/* Two deep: the inner unlock does not release, so it does not pay. */
static void lock_two_deep_and_owe(void)
{
    mutex_lock();
    mutex_lock();
    owe();
    mutex_unlock();
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

static void owe_and_hand(void)
{
    mutex_lock();
    owe();
    watch_word_inside(&mutex.word);
    mutex_open(&gate);
}

static void unlock_what_was_handed(void)
{
    mutex_wait_at(&gate, FS_MATCH_ANY);
    mutex_unlock();
    mutex_lock_once();
}

static void start_three_users(void)
{
    mutex_start_normal();
    mutex_expect_users(3);
}

static void owe_and_free(void)
{
    mutex_lock();
    owe();
    mutex_leave(mutex_unlock);
}

static void wait_and_free(void)
{
    mutex_wait_at(&hall, FS_MATCH_ANY);
    mutex_lock_as(FS_WAIT_WOKEN);
    mutex_leave(mutex_unlock);
}

static void lock_and_free(void)
{
    mutex_lock();
    mutex_leave(mutex_unlock);
}

/* Controls: that a payment does stand for the mutex's own wake, and one comes after a grant. */
static void observe_saved_wake(const struct explore_event *event)
{
    watch_word_observe(event);
    explore_require(event->kind != EVENT_AWAKE || event->word != &hall ||
                        explore_sleepers(&mutex.word) == 0 ||
                        watch_word_holder(&mutex.word) != EXPLORE_NOBODY,
                    "reached: a payment leaves a locker asleep");
}

static void observe_grant_and_payment(const struct explore_event *event)
{
    watch_word_observe(event);
    explore_require(event->kind != EVENT_AWAKE || event->word != &hall ||
                        explore_sleepers(&mutex.word) == 0 ||
                        fs_load_relaxed(&mutex.word) != FS_LOCK_GRANTED,
                    "reached: a payment after a grant");
}

const struct explore_scenario debt_scenarios[] = {
    {.name = "debt/paid",
     .about = "a release wakes the waiter it owes, beside a locker",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_normal,
     .thread = {lock_and_owe, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/woken-besides",
     .about = "the holder wakes on the same word while the debt stands, and owes it still",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_and_owe_and_wake, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/paid-errorcheck",
     .about = "the same with an errorcheck mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_errorcheck,
     .thread = {lock_and_owe, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/two-deep",
     .about = "only the last unlock of a recursive mutex pays",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_recursive,
     .thread = {lock_two_deep_and_owe, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/and-again",
     .about = "who owed and who was owed lock again, beside a locker",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_and_owe_then_lock, wait_and_lock_twice, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/two-lockers",
     .about = "two lockers may sleep when the payment stands for their wake",
     .bound = 2,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_and_owe, wait_and_lock, mutex_lock_once, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/stands-for-a-wake",
     .about = "control: after a payment a locker sleeps on, with the waiter on the way",
     .bound = EXPLORE_EXHAUSTIVE,
     .must_fail = true,
     .finds = "reached: a payment leaves a locker asleep",
     .start = mutex_start_normal,
     .thread = {lock_and_owe, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED_BY(observe_saved_wake)},
    {.name = "debt/disturbed",
     .about = "sleepers of both words come back for nothing, or by a handler",
     .world = {.spurious = 1, .interrupts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_and_owe, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/timed-locker",
     .about = "the locker beside them gives up",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_and_owe, wait_and_lock, mutex_lock_until_deadline},
     MUTEX_WATCHED},
    {.name = "debt/hungry",
     .about = "a release from a hungry word grants and pays, and wakes for both",
     .world = {.jumps = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_then_owe, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/grants-and-pays",
     .about = "control: it does both",
     .world = {.jumps = 1},
     .bound = 3,
     .must_fail = true,
     .finds = "reached: a payment after a grant",
     .start = mutex_start_normal,
     .thread = {lock_then_owe, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED_BY(observe_grant_and_payment)},
    {.name = "debt/paid-by-a-stranger",
     .about = "the mutex is unlocked by another thread than the one that owes",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_strangers,
     .thread = {owe_and_hand, wait_and_lock, unlock_what_was_handed},
     MUTEX_WATCHED},
    {.name = "debt/freed",
     .about = "W4: the last of them frees the mutex while a releaser is still paying",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {owe_and_free, wait_and_free, lock_and_free},
     MUTEX_WATCHED},
    {0},
};
