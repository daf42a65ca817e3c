/* SPDX-License-Identifier: MIT */
/* More than one that is owed a wake-up by a mutex's holder: debts that add up or are refused, to
   sleepers moved to the mutex's own word, and two threads that hand the mutex to and fro, which may
   not keep a locker asleep (M4). */
#include "mutex_parts.h"

#define PATIENCE 8 /* mutex.c's FS_DEBT_PATIENCE */
#define ROUNDS 2

static fs_word hall[2];   /* closed while it is 0 */
static unsigned row;      /* releases in a row that left thread 2 asleep on the mutex */
static uint8_t releasing; /* whose are not over yet, one bit for each thread */

/* The next release but one is where the patience ends. */
static void start_nearly_impatient(void)
{
    row = PATIENCE - 2;
    mutex_start_normal();
    mutex.debt.passed = PATIENCE - 2;
}

/* The hall opens before the debt can be paid, so that whoever sleeps there then was chosen. */
static void owe(unsigned i, uint32_t bits)
{
    fs_store_release(&hall[i], 1);
    explore_require(fs_mutex_owe(&mutex, &hall[i], bits, 1), "the debt is refused");
}

static void lock_and_owe_two(void)
{
    mutex_lock();
    owe(0, 1);
    owe(0, 2);
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

static void wait_and_lock(void)
{
    mutex_wait_at(&hall[0], 1);
    mutex_lock_as(FS_WAIT_WOKEN);
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

static void wait_as_second_and_lock(void)
{
    mutex_wait_at(&hall[0], 2);
    mutex_lock_as(FS_WAIT_WOKEN);
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

/* Another debt than the first is refused, and its waiter woken at once; he is no carrier. */
static void lock_and_owe_on_two_words(void)
{
    mutex_lock();
    owe(0, 1);
    fs_store_release(&hall[1], 1);
    explore_require(!fs_mutex_owe(&mutex, &hall[1], 1, 1), "a debt on a second word is taken on");
    fs_futex_wake_bitset(&hall[1], 1, 1, FS_SCOPE_PRIVATE);
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

static void wait_elsewhere_and_lock(void)
{
    mutex_wait_at(&hall[1], 1);
    mutex_lock_once();
}

static void move_and_owe(void)
{
    mutex_lock();
    watch_word_inside(&mutex.word);
    fs_store_release(&hall[0], 1);
    fs_word_lock_mark_contended(&mutex.word);
    explore_require(
        fs_futex_cmp_requeue(&hall[0], &mutex.word, 1, 0, FS_WAKE_ALL, FS_SCOPE_PRIVATE, NULL) == 0,
        "a move fails");
    explore_require(fs_mutex_owe(&mutex, &mutex.word, FS_LOCK_BITS_ORDINARY, 2),
                    "the debt is refused");
    mutex_unlock();
}

static void hand_over_to(unsigned other)
{
    unsigned me = 1 - other;

    watch_word_inside(&mutex.word);
    owe(other, FS_MATCH_ANY);
    mutex_unlock();
    mutex_wait_at(&hall[me], FS_MATCH_ANY);
    mutex_lock_as(FS_WAIT_WOKEN);
    fs_store_relaxed(&hall[me], 0);
}

static void serve(void)
{
    explore_wait_until_asleep(1);
    mutex_lock();
    explore_wait_until_asleep(2);
    for (unsigned i = 0; i < ROUNDS; i++)
        hand_over_to(1);
    owe(1, FS_MATCH_ANY);
    mutex_unlock();
}

static void play_back(void)
{
    mutex_wait_at(&hall[1], FS_MATCH_ANY);
    mutex_lock_as(FS_WAIT_WOKEN);
    fs_store_relaxed(&hall[1], 0);
    for (unsigned i = 0; i < ROUNDS; i++)
        hand_over_to(0);
    mutex_unlock();
}

/* A release is over when its thread does anything but wake. */
static void end_release(unsigned thread)
{
    if (!(releasing & 1u << thread))
        return;
    releasing &= (uint8_t) ~(1u << thread);
    row = explore_sleepers(&mutex.word) & 1u << 2 ? row + 1 : 0;
    explore_require(row < PATIENCE || releasing != 0, "M4: %u releases in a row wake no locker",
                    row);
}

static void observe_patience(const struct explore_event *event)
{
    watch_word_observe(event);
    if (event->kind == EVENT_AWAKE) {
        row = event->word == &mutex.word ? 0 : row;
        return;
    }
    if (event->kind != EVENT_WAKE)
        end_release(event->thread);
    if (event->kind == EVENT_WRITE && event->word == &mutex.word &&
        fs_lock_is_held((uint32_t)event->old) && !fs_lock_is_held((uint32_t)event->new))
        releasing |= (uint8_t)(1u << event->thread);
}

const struct explore_scenario debts_scenarios[] = {
    {.name = "debt/two-waiters",
     .about = "debts on one word add up, each with its bit",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_and_owe_two, wait_and_lock, wait_as_second_and_lock},
     MUTEX_WATCHED},
    {.name = "debt/two-waiters-and-locker",
     .about = "the same, beside a locker",
     .bound = 2,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_and_owe_two, wait_and_lock, wait_as_second_and_lock, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/second-word",
     .about = "a debt on another word is refused, and the first one paid",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {lock_and_owe_on_two_words, wait_and_lock, wait_elsewhere_and_lock},
     MUTEX_WATCHED},
    {.name = "debt/own-word",
     .about = "a debt to sleepers that were moved to the mutex's own word, beside a locker",
     .bound = 2,
     .full_bound = 4,
     .start = mutex_start_normal,
     .thread = {move_and_owe, wait_and_lock, wait_and_lock, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "debt/patience",
     .about = "two threads hand the mutex to and fro; a locker is not kept asleep",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_nearly_impatient,
     .thread = {serve, play_back, mutex_lock_once},
     MUTEX_WATCHED_BY(observe_patience)},
    {.name = "debt/patience-of-two",
     .about = "the same with a second locker that comes any time",
     .bound = 1,
     .full_bound = 3,
     .start = start_nearly_impatient,
     .thread = {serve, play_back, mutex_lock_once, mutex_lock_once},
     MUTEX_WATCHED_BY(watch_word_observe)},
    {0},
};
