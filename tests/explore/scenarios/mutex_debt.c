/* SPDX-License-Identifier: MIT */
/* What the holder of a mutex owes to sleepers of another word (M4), without the condition variable
   that usually stands behind it: a waiter sleeps in a hall, the holder opens the hall and lets its
   own release wake it, and the waiter acquires the mutex as a woken sleeper of the mutex's word. */
#include <errno.h>

#include "explore.h"
#include "lock/mutex.h"
#include "lock/settings.h"
#include "watch_word.h"

#define PATIENCE 8 /* mutex.c's FS_DEBT_PATIENCE */
#define ROUNDS 2

static struct fs_mutex mutex;
static fs_word hall[2]; /* closed while it is 0 */
static fs_word gate;    /* likewise; for what has nothing to do with the debt */
static unsigned users;
static unsigned row;      /* releases in a row that left thread 2 asleep on the mutex */
static uint8_t releasing; /* whose are not over yet, one bit for each thread */

static void start_kind(uint32_t kind)
{
    fs_settings.spin = 0;
    fs_settings.processors = 2;
    fs_store_relaxed(&mutex.kind, kind);
    watch_mutex_begin(&mutex);
    explore_name(&mutex.word, sizeof mutex.word, "mutex.word");
    explore_name(&mutex.owner, sizeof mutex.owner, "mutex.owner");
    explore_name(&mutex.kind, sizeof mutex.kind, "mutex.kind");
    explore_name(&hall[0], sizeof hall[0], "hall[0]");
    explore_name(&hall[1], sizeof hall[1], "hall[1]");
    explore_name(&gate, sizeof gate, "gate");
}

static void start(void)
{
    start_kind(FS_KIND_NORMAL);
}

static void start_recursive(void)
{
    start_kind(FS_KIND_RECURSIVE);
}

static void start_errorcheck(void)
{
    start_kind(FS_KIND_ERRORCHECK);
}

static void start_strangers(void)
{
    start();
    watch_word_allow_strangers(&mutex.word);
}

static void start_three_users(void)
{
    start();
    users = 3;
}

/* The next release but one is where the patience ends. */
static void start_nearly_impatient(void)
{
    row = PATIENCE - 2;
    start();
    mutex.debt.passed = PATIENCE - 2;
}

static void finish(void)
{
    watch_word_finish(false);
}

#define WATCHED .check = watch_word_check, .observe = watch_word_observe, .finish = finish

/* ---- calls ----------------------------------------------------------------------------- */

static void lock_as(enum fs_wait_mode mode)
{
    explore_require(fs_mutex_acquire(&mutex, fs_mutex_kind(&mutex), mode, NULL) == 0,
                    "a lock fails");
}

static void lock(void)
{
    lock_as(FS_WAIT_FOREVER);
}

static void unlock(void)
{
    explore_require(fs_mutex_release(&mutex, fs_mutex_kind(&mutex)) == 0, "an unlock fails");
}

/* The hall opens before the debt can be paid, so that whoever sleeps there then was chosen. */
static void owe(unsigned i, uint32_t bits)
{
    fs_store_release(&hall[i], 1);
    explore_require(fs_mutex_owe(&mutex, &hall[i], bits, 1), "the debt is refused");
}

static void wait_in(fs_word *w, uint32_t bits)
{
    while (fs_load_acquire(w) == 0)
        fs_futex_wait_bitset(w, 0, bits, NULL, FS_SCOPE_PRIVATE);
}

/* ---- one who owes, those who wait, lockers ------------------------------------------------- */

static void lock_once(void)
{
    lock();
    watch_word_inside(&mutex.word);
    unlock();
}

static void lock_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = fs_mutex_acquire(&mutex, fs_mutex_kind(&mutex), FS_WAIT_UNTIL, &deadline);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed lock returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    unlock();
}

static void lock_and_owe(void)
{
    lock();
    watch_word_inside(&mutex.word);
    owe(0, 1);
    watch_word_inside(&mutex.word);
    unlock();
}

static void lock_and_owe_then_lock(void)
{
    lock_and_owe();
    lock_once();
}

static void lock_then_owe(void)
{
    lock_once();
    lock_and_owe();
}

static void wait_and_lock(void)
{
    wait_in(&hall[0], 1);
    lock_as(FS_WAIT_WOKEN);
    watch_word_inside(&mutex.word);
    unlock();
}

static void wait_and_lock_twice(void)
{
    wait_and_lock();
    lock_once();
}

static void lock_and_owe_two(void)
{
    lock();
    owe(0, 1);
    owe(0, 2);
    watch_word_inside(&mutex.word);
    unlock();
}

static void wait_as_second_and_lock(void)
{
    wait_in(&hall[0], 2);
    lock_as(FS_WAIT_WOKEN);
    watch_word_inside(&mutex.word);
    unlock();
}

/* Two deep: the inner unlock does not release, so it does not pay. */
static void lock_two_deep_and_owe(void)
{
    lock();
    lock();
    owe(0, 1);
    unlock();
    watch_word_inside(&mutex.word);
    unlock();
}

/* Another debt than the first is refused, and its waiter woken at once; he is no carrier. */
static void lock_and_owe_on_two_words(void)
{
    lock();
    owe(0, 1);
    fs_store_release(&hall[1], 1);
    explore_require(!fs_mutex_owe(&mutex, &hall[1], 1, 1), "a debt on a second word is taken on");
    fs_futex_wake_bitset(&hall[1], 1, 1, FS_SCOPE_PRIVATE);
    watch_word_inside(&mutex.word);
    unlock();
}

static void wait_elsewhere_and_lock(void)
{
    wait_in(&hall[1], 1);
    lock_once();
}

/* ---- the debt is paid by another thread --------------------------------------------------------
 */

static void owe_and_hand(void)
{
    lock();
    owe(0, 1);
    watch_word_inside(&mutex.word);
    fs_store_release(&gate, 1);
    fs_futex_wake(&gate, 1, FS_SCOPE_PRIVATE);
}

static void unlock_what_was_handed(void)
{
    wait_in(&gate, FS_MATCH_ANY);
    unlock();
    lock_once();
}

/* ---- a debt on the mutex's own word, to sleepers that were moved there -------------------------
 */

static void move_and_owe(void)
{
    lock();
    watch_word_inside(&mutex.word);
    fs_store_release(&hall[0], 1);
    fs_word_lock_mark_contended(&mutex.word);
    explore_require(
        fs_futex_cmp_requeue(&hall[0], &mutex.word, 1, 0, FS_WAKE_ALL, FS_SCOPE_PRIVATE, NULL) == 0,
        "a move fails");
    explore_require(fs_mutex_owe(&mutex, &mutex.word, FS_LOCK_BITS_ORDINARY, 2),
                    "the debt is refused");
    unlock();
}

/* ---- to and fro -------------------------------------------------------------------------------
 */

static void hand_over_to(unsigned other)
{
    unsigned me = 1 - other;

    watch_word_inside(&mutex.word);
    owe(other, FS_MATCH_ANY);
    unlock();
    wait_in(&hall[me], FS_MATCH_ANY);
    lock_as(FS_WAIT_WOKEN);
    fs_store_relaxed(&hall[me], 0);
}

static void serve(void)
{
    explore_wait_until_asleep(1);
    lock();
    explore_wait_until_asleep(2);
    for (unsigned i = 0; i < ROUNDS; i++)
        hand_over_to(1);
    owe(1, FS_MATCH_ANY);
    unlock();
}

static void play_back(void)
{
    wait_in(&hall[1], FS_MATCH_ANY);
    lock_as(FS_WAIT_WOKEN);
    fs_store_relaxed(&hall[1], 0);
    for (unsigned i = 0; i < ROUNDS; i++)
        hand_over_to(0);
    unlock();
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

/* ---- the memory goes with the last of them ------------------------------------------------------
 */

static void leave(void)
{
    bool last;

    watch_word_inside(&mutex.word);
    last = --users == 0;
    unlock();
    if (!last)
        return;
    watch_word_end(&mutex.word);
    explore_kill_memory(&mutex, sizeof mutex);
}

static void owe_and_free(void)
{
    lock();
    owe(0, 1);
    leave();
}

static void wait_and_free(void)
{
    wait_in(&hall[0], 1);
    lock_as(FS_WAIT_WOKEN);
    leave();
}

static void lock_and_free(void)
{
    lock();
    leave();
}

/* Controls: that a payment does stand for the mutex's own wake, and that one comes after a grant.
 */
static void observe_saved_wake(const struct explore_event *event)
{
    watch_word_observe(event);
    explore_require(event->kind != EVENT_AWAKE || event->word != &hall[0] ||
                        explore_sleepers(&mutex.word) == 0 ||
                        watch_word_holder(&mutex.word) != EXPLORE_NOBODY,
                    "reached: a payment leaves a locker asleep");
}

static void observe_grant_and_payment(const struct explore_event *event)
{
    watch_word_observe(event);
    explore_require(event->kind != EVENT_AWAKE || event->word != &hall[0] ||
                        explore_sleepers(&mutex.word) == 0 ||
                        fs_load_relaxed(&mutex.word) != FS_LOCK_GRANTED,
                    "reached: a payment after a grant");
}

/* ---- the table ---------------------------------------------------------------------------------
 */

const struct explore_scenario debt_scenarios[] = {
    {.name = "debt/paid",
     .about = "a release wakes the waiter it owes, beside a locker",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_and_owe, wait_and_lock, lock_once},
     WATCHED},
    {.name = "debt/paid-errorcheck",
     .about = "the same with an errorcheck mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_errorcheck,
     .thread = {lock_and_owe, wait_and_lock, lock_once},
     WATCHED},
    {.name = "debt/two-deep",
     .about = "only the last unlock of a recursive mutex pays",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_recursive,
     .thread = {lock_two_deep_and_owe, wait_and_lock, lock_once},
     WATCHED},
    {.name = "debt/and-again",
     .about = "who owed and who was owed lock again, beside a locker",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_and_owe_then_lock, wait_and_lock_twice, lock_once},
     WATCHED},
    {.name = "debt/two-lockers",
     .about = "two lockers may sleep when the payment stands for their wake",
     .bound = 2,
     .full_bound = 4,
     .start = start,
     .thread = {lock_and_owe, wait_and_lock, lock_once, lock_once},
     WATCHED},
    {.name = "debt/stands-for-a-wake",
     .about = "control: after a payment a locker sleeps on, with the waiter on the way",
     .bound = EXPLORE_EXHAUSTIVE,
     .must_fail = true,
     .finds = "reached: a payment leaves a locker asleep",
     .start = start,
     .thread = {lock_and_owe, wait_and_lock, lock_once},
     .check = watch_word_check,
     .observe = observe_saved_wake,
     .finish = finish},
    {.name = "debt/disturbed",
     .about = "sleepers of both words come back for nothing, or by a handler",
     .world = {.spurious = 1, .interrupts = 1},
     .bound = 2,
     .full_bound = 4,
     .start = start,
     .thread = {lock_and_owe, wait_and_lock, lock_once},
     WATCHED},
    {.name = "debt/timed-locker",
     .about = "the locker beside them gives up",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_and_owe, wait_and_lock, lock_until_deadline},
     WATCHED},
    {.name = "debt/hungry",
     .about = "a release from a hungry word grants and pays, and wakes for both",
     .world = {.jumps = 1},
     .bound = 3,
     .full_bound = 5,
     .start = start,
     .thread = {lock_then_owe, wait_and_lock, lock_once},
     WATCHED},
    {.name = "debt/grants-and-pays",
     .about = "control: it does both",
     .world = {.jumps = 1},
     .bound = 3,
     .must_fail = true,
     .finds = "reached: a payment after a grant",
     .start = start,
     .thread = {lock_then_owe, wait_and_lock, lock_once},
     .check = watch_word_check,
     .observe = observe_grant_and_payment,
     .finish = finish},
    {.name = "debt/two-waiters",
     .about = "debts on one word add up, each with its bit",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_and_owe_two, wait_and_lock, wait_as_second_and_lock},
     WATCHED},
    {.name = "debt/two-waiters-and-locker",
     .about = "the same, beside a locker",
     .bound = 2,
     .full_bound = 4,
     .start = start,
     .thread = {lock_and_owe_two, wait_and_lock, wait_as_second_and_lock, lock_once},
     WATCHED},
    {.name = "debt/second-word",
     .about = "a debt on another word is refused, and the first one paid",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_and_owe_on_two_words, wait_and_lock, wait_elsewhere_and_lock},
     WATCHED},
    {.name = "debt/paid-by-a-stranger",
     .about = "the mutex is unlocked by another thread than the one that owes",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_strangers,
     .thread = {owe_and_hand, wait_and_lock, unlock_what_was_handed},
     WATCHED},
    {.name = "debt/own-word",
     .about = "a debt to sleepers that were moved to the mutex's own word, beside a locker",
     .bound = 2,
     .full_bound = 4,
     .start = start,
     .thread = {move_and_owe, wait_and_lock, wait_and_lock, lock_once},
     WATCHED},
    {.name = "debt/patience",
     .about = "two threads hand the mutex to and fro; a locker is not kept asleep",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_nearly_impatient,
     .thread = {serve, play_back, lock_once},
     .check = watch_word_check,
     .observe = observe_patience,
     .finish = finish},
    {.name = "debt/patience-of-two",
     .about = "the same with a second locker that comes any time",
     .bound = 2,
     .full_bound = 3,
     .start = start_nearly_impatient,
     .thread = {serve, play_back, lock_once, lock_once},
     .check = watch_word_check,
     .observe = watch_word_observe,
     .finish = finish},
    {.name = "debt/freed",
     .about = "W4: the last of them frees the mutex while a releaser is still paying",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {owe_and_free, wait_and_free, lock_and_free},
     WATCHED},
    {0},
};
