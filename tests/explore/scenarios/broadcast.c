/* SPDX-License-Identifier: MIT */
/* Broadcasts: by the holder of the mutex, who moves the sleepers there, and by others, who wake all
   or wake some and leave the moving to the first that holds the mutex. The waiters are within their
   waits from the beginning (call_join_for), asleep or about to be. As in condition.c a wait that
   nobody ended is a failure. */
#include "explore.h"
#include "scenarios/calls.h"
#include "scenarios/watch_group.h"
#include "scenarios/watch_word.h"

#define BIT(thread) ((uint8_t)(1u << (thread)))
#define WATCH                                                                                      \
    .check = watch_group_check, .observe = watch_group_observe, .finish = watch_group_finish

static struct fs_mutex mutex;
static struct fs_mutex second;
static struct fs_condition cond;

static bool ready;    /* what is waited for; under the mutex */
static uint8_t got;   /* whose waits have returned 0 */
static uint8_t on_it; /* who has still to leave the mutex for good */

/* ---- setting up ---------------------------------------------------------------------- */

/* The first so many threads wait. */
static void set_up(unsigned waiters, unsigned processors)
{
    call_set_up(0, processors);
    explore_name(&mutex, sizeof mutex, "mutex");
    explore_name(&cond, sizeof cond, "cond");
    for (unsigned i = 0; i < waiters; i++) {
        call_join_for(i, &cond, &mutex);
        on_it |= BIT(i);
    }
    watch_condition(&cond);
}

static void two(void)
{
    set_up(2, 2);
    watch_condition_mutex(&mutex);
}

static void two_on_one_processor(void)
{
    set_up(2, 1);
    watch_condition_mutex(&mutex);
}

static void two_that_spin(void)
{
    two();
    fs_settings.spin = 1;
}

static void two_without_requeue(void)
{
    two();
    fs_settings.requeue = false;
}

static void two_of_strangers(void)
{
    set_up(2, 2);
    watch_mutex_of_strangers(&mutex);
}

static void three(void)
{
    set_up(3, 2);
    watch_condition_mutex(&mutex);
}

static void three_on_one_processor(void)
{
    set_up(3, 1);
    watch_condition_mutex(&mutex);
}

static void two_of_error_checking(void)
{
    call_init_mutex(&mutex, FS_KIND_ERRORCHECK, "mutex");
    set_up(2, 1);
    watch_condition_mutex(&mutex);
}

static void two_with_two_mutexes(void)
{
    set_up(1, 2);
    call_init_mutex(&second, FS_KIND_NORMAL, "second");
    call_join_for(1, &cond, &second);
    watch_condition_mutex(&mutex);
    watch_condition_mutex(&second);
}

/* ---- waiters ------------------------------------------------------------------------- */

static void go_on(const struct fs_deadline *deadline)
{
    int err = call_wait_on(deadline);

    explore_require(err == 0 || (err == ETIMEDOUT && deadline), "a wait returned %d", err);
    explore_require(err != 0 || ready, "a wait returned, and nobody had signalled");
    if (err == 0)
        got |= BIT(explore_self());
}

static void waits(void)
{
    go_on(NULL);
    call_unlock(&mutex);
}

static void waits_until(void)
{
    struct fs_deadline deadline = explore_deadline();

    go_on(&deadline);
    call_unlock(&mutex);
}

static void waits_with_second(void)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    call_unlock(&second);
}

/* The last one frees everything: nobody waits any more, and nobody is in the mutex. */
static void waits_and_the_last_kills(void)
{
    go_on(NULL);
    on_it &= (uint8_t)~BIT(explore_self());
    if (on_it != 0) {
        call_unlock(&mutex);
        return;
    }
    call_unlock(&mutex);
    watch_mutex_end(&mutex);
    explore_kill_memory(&mutex, sizeof mutex);
    explore_kill_memory(&cond, sizeof cond);
}

/* Comes later than the others, and waits for the next time. */
static void comes_and_waits(void)
{
    call_lock(&mutex);
    explore_require(call_wait(&cond, &mutex) == 0, "a wait failed");
    call_unlock(&mutex);
}

/* Leaves again at once, and may have been signalled. */
static void waits_without_the_mutex(void)
{
    int err = call_wait(&cond, &mutex);

    explore_require(err == EPERM, "a wait with another's mutex returned %d", err);
}

static void locks(void)
{
    call_lock(&mutex);
    watch_word_inside(&mutex.word);
    call_unlock(&mutex);
}

/* ---- broadcasters ---------------------------------------------------------------------- */

static void broadcasts_holding(void)
{
    call_lock(&mutex);
    ready = true;
    call_broadcast(&cond);
    call_unlock(&mutex);
}

static void broadcasts_holding_second(void)
{
    ready = true;
    call_lock(&second);
    call_broadcast(&cond);
    call_unlock(&second);
}

static void broadcasts_free(void)
{
    ready = true;
    call_broadcast(&cond);
}

static void broadcasts_to_sleepers(void)
{
    for (unsigned i = 0; i < explore_self(); i++)
        explore_wait_until_asleep(i);
    broadcasts_holding();
}

static void broadcasts_free_to_sleepers(void)
{
    for (unsigned i = 0; i < explore_self(); i++)
        explore_wait_until_asleep(i);
    broadcasts_free();
}

static void broadcasts_and_kills(void)
{
    broadcasts_free();
    explore_kill_memory(&cond, sizeof cond);
}

static void broadcasts_holding_and_kills(void)
{
    call_lock(&mutex);
    ready = true;
    call_broadcast(&cond);
    explore_kill_memory(&cond, sizeof cond);
    call_unlock(&mutex);
}

static void signals_and_broadcasts(void)
{
    call_lock(&mutex);
    ready = true;
    call_signal(&cond);
    call_broadcast(&cond);
    call_unlock(&mutex);
}

static void broadcasts_and_signals(void)
{
    call_lock(&mutex);
    ready = true;
    call_broadcast(&cond);
    call_signal(&cond);
    call_unlock(&mutex);
}

static void signals_holding(void)
{
    call_lock(&mutex);
    ready = true;
    call_signal(&cond);
    call_unlock(&mutex);
}

/* Those that were there go on, whoever comes meanwhile; and then he does. */
static void broadcasts_twice(void)
{
    uint8_t early = on_it;

    broadcasts_free();
    explore_wait_until_quiet();
    explore_require((got & early) == early, "a waiter sleeps after the broadcast (%#x went on)",
                    got);
    broadcasts_holding();
}

static void broadcasts_holding_twice(void)
{
    uint8_t early = on_it;

    broadcasts_holding();
    explore_wait_until_quiet();
    explore_require((got & early) == early, "a waiter sleeps after the broadcast (%#x went on)",
                    got);
    broadcasts_holding();
}

static void broadcasts_and_keeps(void)
{
    call_lock(&mutex);
    ready = true;
    call_broadcast(&cond);
}

static void unlocks_for_another(void)
{
    explore_wait_until_quiet();
    explore_require(got == 0, "a waiter went on while the mutex was held");
    call_unlock(&mutex);
}

static void broadcasts_and_turns_over(void)
{
    call_lock(&mutex);
    ready = true;
    call_broadcast(&cond);
    fs_mutex_turn_over(&mutex);
    call_unlock_in_libc(&mutex);
}

/* Afterwards, while those that were moved are on their way. */
static void turns_over(void)
{
    call_lock(&mutex);
    fs_mutex_turn_over(&mutex);
    call_unlock_in_libc(&mutex);
}

/* clang-format off */
const struct explore_scenario broadcast_scenarios[] = {
    {.name = "broadcast/holding", .about = "by the holder: the waiters are moved",
     .bound = 4, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {waits, waits, broadcasts_holding}, WATCH},
    {.name = "broadcast/holding-interrupted", .about = "signals and stray wakes undo the moves",
     .world = {.spurious = 1, .interrupts = 1}, .bound = 2, .full_bound = 4,
     .start = two, .thread = {waits, waits, broadcasts_holding}, WATCH},
    {.name = "broadcast/holding-timed", .about = "a waiter gives up before or after the move",
     .world = {.timeouts = 1}, .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {waits_until, waits, broadcasts_holding}, WATCH},
    {.name = "broadcast/holding-spinning", .about = "waiters that spin first",
     .bound = 3, .full_bound = 5,
     .start = two_that_spin, .thread = {waits, waits, broadcasts_holding}, WATCH},
    {.name = "broadcast/one-processor", .about = "by the holder: no batches",
     .bound = 4, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_on_one_processor, .thread = {waits, waits, broadcasts_holding}, WATCH},
    {.name = "broadcast/no-requeue", .about = "FASTSYNC_REQUEUE=0: all are woken",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_without_requeue, .thread = {waits, waits, broadcasts_holding}, WATCH},
    {.name = "broadcast/free", .about = "without the mutex: all are woken",
     .world = {.interrupts = 1}, .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {waits, waits, broadcasts_free}, WATCH},
    {.name = "broadcast/led", .about = "without the mutex: the first moves the others",
     .bound = 4, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_on_one_processor, .thread = {waits, waits, broadcasts_free}, WATCH},
    {.name = "broadcast/led-timed", .about = "as above, and one gives up",
     .world = {.timeouts = 1, .spurious = 1}, .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_on_one_processor, .thread = {waits_until, waits, broadcasts_free}, WATCH},
    {.name = "broadcast/led-interrupted", .about = "as above, with signals",
     .world = {.interrupts = 1}, .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_on_one_processor, .thread = {waits, waits, broadcasts_free}, WATCH},
    {.name = "broadcast/led-and-locker", .about = "as above, and another has the mutex",
     .bound = 2, .full_bound = 4,
     .start = two_on_one_processor, .thread = {waits, waits, broadcasts_free, locks}, WATCH},
    {.name = "broadcast/three-led", .about = "three waiters on one processor",
     .bound = 2, .full_bound = 4, .start = three_on_one_processor,
     .thread = {waits, waits, waits, broadcasts_free}, WATCH},
    {.name = "broadcast/three-led-by-two", .about = "three waiters on two processors",
     .bound = 2, .full_bound = 4, .start = three,
     .thread = {waits, waits, waits, broadcasts_free}, WATCH},
    {.name = "broadcast/three-led-asleep", .about = "as above, all asleep",
     .bound = 2, .full_bound = 4, .start = three,
     .thread = {waits, waits, waits, broadcasts_free_to_sleepers}, WATCH},
    {.name = "broadcast/batches", .about = "three that were moved: they come by twos",
     .bound = 2, .full_bound = 5, .start = three,
     .thread = {waits, waits, waits, broadcasts_to_sleepers}, WATCH},
    {.name = "broadcast/batches-and-locker", .about = "as above, and another locks",
     .only_full = true, .bound = 3, .start = three,
     .thread = {waits, waits, waits, broadcasts_to_sleepers, locks}, WATCH},

    {.name = "broadcast/signal-first", .about = "a signal owed, then a broadcast",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {waits, waits, signals_and_broadcasts}, WATCH},
    {.name = "broadcast/signal-after", .about = "a broadcast, then a signal for one who comes",
     .bound = 2, .full_bound = 4,
     .start = two, .thread = {waits, waits, broadcasts_and_signals}, WATCH},
    {.name = "broadcast/signal-beside", .about = "a signal while another broadcasts",
     .bound = 2, .full_bound = 3, .start = two_on_one_processor,
     .thread = {waits, waits, broadcasts_free, signals_holding}, WATCH},
    {.name = "broadcast/late-waiter", .about = "one joins while the others are led",
     .bound = 2, .full_bound = 3, .start = two_on_one_processor,
     .thread = {waits, waits, broadcasts_twice, comes_and_waits}, WATCH},
    {.name = "broadcast/late-waiter-holding", .about = "one joins while the others are moved",
     .bound = 2, .full_bound = 3, .start = two,
     .thread = {waits, waits, broadcasts_holding_twice, comes_and_waits}, WATCH},

    {.name = "broadcast/condition-goes", .about = "the broadcaster frees it at once",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_on_one_processor, .thread = {waits, waits, broadcasts_and_kills}, WATCH},
    {.name = "broadcast/condition-goes-holding", .about = "the same by the mutex's holder",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {waits, waits, broadcasts_holding_and_kills}, WATCH},
    {.name = "broadcast/all-goes", .about = "the last waiter frees everything",
     .world = {.spurious = 1}, .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = two,
     .thread = {waits_and_the_last_kills, waits_and_the_last_kills, broadcasts_holding}, WATCH},
    {.name = "broadcast/all-goes-led", .about = "the same, those waiters being led",
     .world = {.spurious = 1}, .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two_on_one_processor,
     .thread = {waits_and_the_last_kills, waits_and_the_last_kills, broadcasts_free}, WATCH},

    {.name = "broadcast/led-and-not-the-holder", .about = "one that has not the mutex leads nobody",
     .bound = 2, .full_bound = 4, .start = two_of_error_checking,
     .thread = {waits, waits, broadcasts_free, waits_without_the_mutex}, WATCH},
    {.name = "broadcast/two-mutexes-first", .about = "waiters with two mutexes, the first is held",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = two_with_two_mutexes,
     .thread = {waits, waits_with_second, broadcasts_holding}, WATCH},
    {.name = "broadcast/two-mutexes", .about = "waiters with two mutexes, one of them held",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = two_with_two_mutexes,
     .thread = {waits, waits_with_second, broadcasts_holding_second}, WATCH},
    {.name = "broadcast/unlock-by-other", .about = "another releases what the broadcaster held",
     .bound = 2, .full_bound = 4, .start = two_of_strangers,
     .thread = {waits, waits, broadcasts_and_keeps, unlocks_for_another}, WATCH},
    {.name = "broadcast/turned-over", .about = "the mutex becomes the C library's at once",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = two, .thread = {waits, waits, broadcasts_and_turns_over}, WATCH},
    {.name = "broadcast/turned-over-later", .about = "... while the waiters are on their way",
     .bound = 2, .full_bound = 4,
     .start = two, .thread = {waits, waits, broadcasts_to_sleepers, turns_over}, WATCH},
    {0},
};
/* clang-format on */
