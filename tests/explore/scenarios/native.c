/* SPDX-License-Identifier: MIT */
/* The native condition variable: its mutex is a word that does not tell its holder, so a broadcast
   wakes as many as there are processors, and the first of them that holds the word moves the others
   to it (FS_MOVE_BY_MEMBER). The waits are lock/wait.c's, whole. */
#include "scenarios/meeting.h"

static uint8_t tokens; /* what is waited for; under the mutex */
static uint8_t taken;
static uint8_t on_it; /* who has still to leave the mutex for good */

/* ---- setting up ---------------------------------------------------------------------- */

static void set_up(unsigned processors, unsigned threads)
{
    meet_set_up(FS_KIND_NORMAL, processors);
    call_warm_up(&meeting.cond, &meeting.mutex);
    meet_watch();
    on_it = (uint8_t)(MEET_BIT(threads) - 1);
}

static void one_waiter(void)
{
    set_up(2, 1);
}

static void two_waiters(void)
{
    set_up(1, 2);
}

static void three_waiters(void)
{
    set_up(1, 3);
}

/* ---- threads ------------------------------------------------------------------------- */

static void lock(void)
{
    fs_word *word = &meeting.mutex.word;

    fs_word_lock_acquire_private(word, NULL);
    watch_word_inside(word);
}

static void unlock(void)
{
    fs_word_lock_release_private(&meeting.mutex.word);
}

static int wait_once(const struct fs_deadline *deadline)
{
    int err = fs_wait_with_word(&meeting.cond, &meeting.mutex.word, call_name_of(explore_self()),
                                deadline);

    watch_word_inside(&meeting.mutex.word);
    explore_require(err == 0 || (err == ETIMEDOUT && deadline), "a wait returned %d", err);
    return err;
}

/* Leaves the mutex for good; the last one frees everything. */
static void leave(void)
{
    bool last;

    on_it &= (uint8_t)~MEET_BIT(explore_self());
    last = on_it == 0;
    unlock();
    if (last)
        meet_kill();
}

static void take_a_token(void)
{
    lock();
    while (tokens == 0)
        wait_once(NULL);
    tokens--;
    taken++;
    unlock();
}

static void take_a_token_or_give_up(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = 0;

    lock();
    while (tokens == 0 && err == 0)
        err = wait_once(&deadline);
    if (tokens != 0) {
        tokens--;
        taken++;
    }
    unlock();
}

static void bring_a_token(void)
{
    lock();
    tokens++;
    call_signal(&meeting.cond);
    unlock();
}

static void bring_two_tokens(void)
{
    bring_a_token();
    lock();
    tokens++;
    unlock();
    call_signal(&meeting.cond);
}

static void wait_until_ready(void)
{
    lock();
    while (!meeting.ready)
        wait_once(NULL);
    unlock();
}

static void wait_until_ready_and_leave(void)
{
    lock();
    while (!meeting.ready)
        wait_once(NULL);
    leave();
}

static void broadcast_holding(void)
{
    lock();
    meet_broadcast_free();
    unlock();
}

static void broadcast_after(void)
{
    lock();
    meeting.ready = true;
    unlock();
    call_broadcast(&meeting.cond);
}

static void broadcast_to_three_sleepers(void)
{
    for (unsigned i = 0; i < 3; i++)
        explore_wait_until_asleep(i);
    broadcast_holding();
}

static void pass_by(void)
{
    lock();
    unlock();
}

static void finish_two(void)
{
    explore_require(tokens == 0 && taken == 2, "%u taken, %u left over", taken, tokens);
    watch_group_finish();
}

#define WATCH_TWO .check = watch_group_check, .observe = watch_group_observe, .finish = finish_two

/* clang-format off */
const struct explore_scenario native_scenarios[] = {
    {.name = "native/signal", .about = "one waits, one brings two tokens",
     .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_TSO | MODE_WEAK,
     .start = one_waiter, .thread = {take_a_token, bring_a_token}, MEET_WATCH},
    {.name = "native/two-tokens", .about = "two wait, two signals, one under the mutex",
     .bound = 2, .full_bound = 4,
     .start = two_waiters, .thread = {take_a_token, take_a_token, bring_two_tokens}, WATCH_TWO},
    {.name = "native/timed", .about = "... and one may give up",
     .world = {.timeouts = 1}, .bound = 2, .full_bound = 3,
     .start = two_waiters, .thread = {take_a_token_or_give_up, take_a_token, bring_two_tokens},
     MEET_WATCH},
    {.name = "native/disturbed", .about = "... with a signal handler and a stray wake",
     .world = {.interrupts = 1, .spurious = 1}, .bound = 1, .full_bound = 3,
     .start = two_waiters, .thread = {take_a_token, take_a_token, bring_two_tokens}, WATCH_TWO},
    {.name = "native/holding", .about = "a broadcast under the mutex: the first to hold it leads",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_waiters, .thread = {wait_until_ready, wait_until_ready, broadcast_holding},
     MEET_WATCH},
    {.name = "native/free", .about = "a broadcast after the mutex was released",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_waiters, .thread = {wait_until_ready, wait_until_ready, broadcast_after},
     MEET_WATCH},
    {.name = "native/locker", .about = "... and another has the mutex",
     .bound = 1, .full_bound = 3,
     .start = two_waiters,
     .thread = {wait_until_ready, wait_until_ready, broadcast_after, pass_by}, MEET_WATCH},
    {.name = "native/three", .about = "three sleep, one processor",
     .bound = 2, .full_bound = 4,
     .start = three_waiters,
     .thread = {wait_until_ready, wait_until_ready, wait_until_ready, broadcast_to_three_sleepers},
     MEET_WATCH},
    {.name = "native/freed", .about = "the last to leave frees both",
     .bound = 2, .full_bound = 4,
     .start = two_waiters,
     .thread = {wait_until_ready_and_leave, wait_until_ready_and_leave, broadcast_holding},
     .check = watch_group_check, .observe = watch_group_observe},
    {.name = NULL},
};
