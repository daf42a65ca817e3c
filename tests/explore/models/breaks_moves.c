/* SPDX-License-Identifier: MIT */
/* Breaks of condition variables that move their waiters to a mutex (see breaks.h). Numbers are
   those of tests/BREAKS.md. */
#include "breaks.h"

#include <limits.h>

#include "plain_mutex.h"

static fs_word mutex;
static fs_word turn;      /* what waiters sleep on */
static fs_word signalled; /* what one waits for */

static void sleep_while(fs_word *w, uint32_t value)
{
    fs_futex_wait(w, value, NULL, FS_SCOPE_PRIVATE);
}

static void use_mutex(void)
{
    plain_lock(&mutex);
    explore_step("inside");
    plain_unlock(&mutex);
}

/* By the mutex's holder. */
static void move_all_to_mutex(void)
{
    fs_exchange_relaxed(&mutex, 2);
    fs_futex_requeue(&turn, &mutex, 0, INT_MAX, FS_SCOPE_PRIVATE, NULL);
}

/* ---- 6: moved by a thread that does not hold the mutex -------------------------------- */

static void wait_for_turn(void)
{
    sleep_while(&turn, 0);
    plain_lock_after_sleep(&mutex);
    plain_unlock(&mutex);
}

static void broadcast_from_outside(void)
{
    uint32_t locked = 1;

    fs_exchange_seq_cst(&turn, 1);
    if (mended || (!fs_cas_relaxed(&mutex, &locked, 2) && locked == 0))
        fs_futex_wake(&turn, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    else
        fs_futex_requeue(&turn, &mutex, 0, INT_MAX, FS_SCOPE_PRIVATE, NULL);
}

/* ---- 7: a move that comes late, when the word serves others ---------------------------
   The first waiter finds the turn changed and goes; the word is used again, for two waiters with
   another mutex. They are moved to the first one's, whose release wakes one of them, and that one
   has no business with it. */

static fs_word began; /* the word is used again */

static void wait_for_second_turn(void)
{
    while (fs_load_acquire(&turn) == 2)
        sleep_while(&turn, 2);
}

static void wait_for_both_turns(void)
{
    while (fs_load_acquire(&turn) == 0)
        sleep_while(&turn, 0);
    fs_exchange_seq_cst(&turn, 2); /* each turn has a number of its own */
    fs_exchange_seq_cst(&began, 1);
    fs_futex_wake(&began, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    wait_for_second_turn();
}

static void join_second_turn(void)
{
    while (fs_load_acquire(&began) == 0)
        sleep_while(&began, 0);
    wait_for_second_turn();
}

static void broadcast_first_turn(void)
{
    plain_lock(&mutex);
    fs_exchange_seq_cst(&turn, 1);
    fs_exchange_relaxed(&mutex, 2);
    if (mended)
        fs_futex_cmp_requeue(&turn, &mutex, 1, 0, INT_MAX, FS_SCOPE_PRIVATE, NULL);
    else
        fs_futex_requeue(&turn, &mutex, 0, INT_MAX, FS_SCOPE_PRIVATE, NULL);
    plain_unlock(&mutex);
}

static void broadcast_second_turn(void)
{
    while (fs_load_acquire(&began) == 0)
        sleep_while(&began, 0);
    fs_exchange_seq_cst(&turn, 3);
    fs_futex_wake(&turn, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

/* ---- 8: back to sleep with the mutex's wake-up ----------------------------------------
   A waiter that was moved along though it was not signalled is woken by the mutex's release. It has
   to lock the mutex, whatever woke it: its wake-up may have been meant for a locker. */

static void wait_until_signalled(void)
{
    while (fs_load_acquire(&signalled) == 0) {
        sleep_while(&turn, 0);
        if (mended) {
            plain_lock_after_sleep(&mutex);
            plain_unlock(&mutex);
        }
    }
    use_mutex();
}

static void move_then_signal(void)
{
    plain_lock(&mutex);
    explore_wait_until_asleep(0);
    explore_wait_until_asleep(2);
    move_all_to_mutex();
    plain_unlock(&mutex);
    plain_lock(&mutex);
    fs_store_release(&signalled, 1);
    plain_unlock(&mutex);
    fs_exchange_seq_cst(&turn, 1);
    fs_futex_wake(&turn, 1, FS_SCOPE_PRIVATE);
}

/* ---- 9: a restarted system call goes back to the first word --------------------------- */

static void wait_and_be_moved(void)
{
    sleep_while(&turn, 0);
    plain_lock_after_sleep(&mutex);
    plain_unlock(&mutex);
}

static void move_without_a_change(void)
{
    plain_lock(&mutex);
    explore_wait_until_asleep(0);
    if (mended)
        fs_exchange_relaxed(&turn, 1);
    move_all_to_mutex();
    plain_unlock(&mutex);
}

/* ---- 26: waiters with two mutexes on one condition variable -------------------------- */

static fs_word other_mutex;

static void wait_with(fs_word *m, uint32_t bit)
{
    fs_futex_wait_bitset(&turn, 0, bit, NULL, FS_SCOPE_PRIVATE);
    plain_lock_after_sleep(m);
    plain_unlock(m);
}

static void wait_with_mutex(void)
{
    wait_with(&mutex, 1);
}

static void wait_with_other_mutex(void)
{
    wait_with(&other_mutex, 2);
}

static void broadcast_to_both(void)
{
    plain_lock(&mutex);
    fs_exchange_seq_cst(&turn, 1);
    if (mended)
        fs_futex_wake_bitset(&turn, FS_WAKE_ALL, 2, FS_SCOPE_PRIVATE);
    move_all_to_mutex();
    plain_unlock(&mutex);
}

/* ---- the table ------------------------------------------------------------------------ */

static void start(void)
{
    explore_name(&mutex, sizeof mutex, "mutex");
    explore_name(&other_mutex, sizeof other_mutex, "other_mutex");
    explore_name(&turn, sizeof turn, "turn");
    explore_name(&signalled, sizeof signalled, "signalled");
    explore_name(&began, sizeof began, "began");
}

const struct explore_scenario breaks_moves_scenarios[] = {
    BREAK_AND_TWIN("06-moved-to-a-mutex-that-is-free",
                   "a broadcaster without the mutex moves waiters while the holder leaves",
                   "deadlock", NOTHING, wait_for_turn, broadcast_from_outside, use_mutex),
    BREAK_AND_TWIN("07-a-late-move", "the word serves other waiters by now", "deadlock", NOTHING,
                   wait_for_both_turns, join_second_turn, broadcast_first_turn,
                   broadcast_second_turn),
    BREAK_AND_TWIN("08-asleep-again-with-a-wake-up",
                   "a waiter that was not signalled keeps the mutex's wake-up", "deadlock", NOTHING,
                   wait_until_signalled, move_then_signal, use_mutex),
    BREAK_AND_TWIN("09-a-restart-undoes-the-move",
                   "a signal handler takes a moved waiter back to a word that did not change",
                   "deadlock", ONE(interrupts), wait_and_be_moved, move_without_a_change),
    BREAK_AND_TWIN("26-moved-to-anothers-mutex",
                   "a waiter with another mutex takes a wake-up of this one", "deadlock", NOTHING,
                   wait_with_mutex, wait_with_other_mutex, broadcast_to_both),
    {.name = NULL},
};
