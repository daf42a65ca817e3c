/* SPDX-License-Identifier: MIT */
/* A mutex that its holder turns over to the C library for good, while others lock it or sleep on
   its word. From then on the C library's own code may work on the word beside ours: in
   mutex_libc.c. */
#include <errno.h>

#include "mutex_libc.h"

static fs_word hall; /* where the waiter of a debt sleeps; closed while it is 0 */

static void start_older(void)
{
    mutex_start_normal();
    mutex_use_older_libc();
}

static void start_spinning(void)
{
    mutex_start(FS_KIND_NORMAL, 1);
}

static void start_three_users(void)
{
    mutex_start_normal();
    mutex_expect_users(3);
}

/* ---- lockers by either code ------------------------------------------------------ */

static void lock_once(void)
{
    mutex_lock_either();
    watch_word_inside(&mutex.word);
    mutex_unlock_either();
}

static void lock_twice(void)
{
    lock_once();
    lock_once();
}

static void lock_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = mutex_acquire(FS_WAIT_UNTIL, &deadline);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed lock returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    mutex_unlock_either();
}

static void try_once(void)
{
    int err = mutex_acquire(FS_WAIT_NEVER, NULL);

    explore_require(err == 0 || err == EBUSY, "a try returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    mutex_unlock_either();
}

/* ---- the one that turns it over -------------------------------------------------- */

static void turn_over(void)
{
    fs_mutex_turn_over(&mutex);
    explore_require(mutex_is_turned_over(), "the holder has not turned the mutex over");
}

/* As a wait on a condition variable of the C library's. */
static void turn_over_and_wait(void)
{
    mutex_lock();
    watch_word_inside(&mutex.word);
    turn_over();
    watch_word_inside(&mutex.word);
    mutex_unlock_in_libc();
    mutex_lock_in_libc();
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

static void turn_over_and_unlock(void)
{
    mutex_lock();
    watch_word_inside(&mutex.word);
    turn_over();
    mutex_unlock_either();
}

/* Others are asleep by then. */
static void turn_over_late(void)
{
    mutex_lock();
    explore_wait_until_asleep(1);
    turn_over();
    watch_word_inside(&mutex.word);
    mutex_unlock_either();
}

static void turn_over_two_deep(void)
{
    mutex_lock();
    mutex_lock();
    turn_over();
    watch_word_inside(&mutex.word);
    mutex_unlock();
    mutex_unlock_either();
}

/* ---- debts, and who may not turn it over ----------------------------------------- */

static void owe_and_turn_over(void)
{
    mutex_lock();
    fs_store_release(&hall, 1);
    explore_require(fs_mutex_owe(&mutex, &hall, 1, 1), "the debt is refused");
    watch_word_inside(&mutex.word);
    turn_over();
    explore_require(!fs_mutex_owe(&mutex, &hall, 1, 1), "a mutex turned over takes on a debt");
    mutex_unlock_either();
}

static void wait_and_lock(void)
{
    mutex_wait_at(&hall, 1);
    mutex_lock_as(FS_WAIT_WOKEN);
    watch_word_inside(&mutex.word);
    mutex_unlock_either();
}

static void turn_over_and_leave(void)
{
    mutex_lock();
    turn_over();
    mutex_leave(mutex_unlock_either);
}

static void lock_and_leave(void)
{
    mutex_lock_either();
    mutex_leave(mutex_unlock_either);
}

static void try_to_turn_over(void)
{
    fs_mutex_turn_over(&mutex);
    explore_require(!mutex_is_turned_over(), "a mutex of another is turned over");
    lock_once();
}

/* One that nobody holds, whatever its kind. */
static void turn_over_free(void)
{
    fs_mutex_turn_over(&mutex);
    explore_require(!mutex_is_turned_over(), "a free mutex is turned over");
    lock_once();
    fs_mutex_turn_over(&mutex);
    explore_require(!mutex_is_turned_over(), "a free mutex is turned over");
}

static void turn_over_shared(void)
{
    mutex_lock();
    fs_mutex_turn_over(&mutex);
    explore_require(!mutex_is_turned_over(), "a process-shared mutex is turned over");
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

/* Control: a waiter of ours makes the word hungry although the C library may look at it. */
static void observe_hunger(const struct explore_event *event)
{
    watch_word_observe(event);
    explore_require(event->kind != EVENT_WRITE || event->word != &mutex.word ||
                        event->new != FS_LOCK_HUNGRY || !mutex_is_turned_over(),
                    "reached: hunger for a mutex that was turned over");
}

const struct explore_scenario turn_over_scenarios[] = {
    {.name = "turn-over/two",
     .about = "a holder turns it over and waits in the C library, a locker comes twice",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_normal,
     .thread = {turn_over_and_wait, lock_twice},
     MUTEX_WATCHED},
    {.name = "turn-over/three",
     .about = "the same, with two lockers, by our code or the C library's",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {turn_over_and_wait, lock_once, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/two-turn",
     .about = "two holders in turn turn it over, and a locker",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {turn_over_and_unlock, turn_over_and_unlock, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/onto-sleepers",
     .about = "one sleeps for sure when it is turned over, and a locker comes",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {turn_over_late, lock_once, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/spinning",
     .about = "lockers that spin",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_spinning,
     .thread = {turn_over_and_unlock, lock_once, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/older",
     .about = "an older C library, whose unlock is in two steps",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_older,
     .thread = {turn_over_and_unlock, lock_once, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/older-hungry",
     .about = "the same, and time passes",
     .world = {.jumps = 1},
     .bound = 2,
     .full_bound = 4,
     .start = start_older,
     .thread = {turn_over_and_unlock, lock_twice, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/hungry",
     .about = "time passes: a waiter asks, and nobody is granted what the C library may look at",
     .world = {.jumps = 1},
     .bound = 3,
     .full_bound = 4,
     .start = mutex_start_normal,
     .thread = {turn_over_and_unlock, lock_twice, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/hunger-is-seen",
     .about = "control: a waiter does ask after the turn over",
     .world = {.jumps = 1},
     .bound = 3,
     .must_fail = true,
     .finds = "reached: hunger for a mutex that was turned over",
     .start = mutex_start_normal,
     .thread = {turn_over_and_unlock, lock_twice, lock_once},
     MUTEX_WATCHED_BY(observe_hunger)},
    {.name = "turn-over/disturbed",
     .about = "sleepers come back for nothing, or by a handler",
     .world = {.spurious = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {turn_over_and_unlock, lock_once, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/timed",
     .about = "a waiter of ours gives up beside one of the C library's",
     .world = {.timeouts = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {turn_over_and_unlock, lock_until_deadline, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/try",
     .about = "a thread tries",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {turn_over_and_unlock, try_once, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/recursive",
     .about = "a recursive mutex is turned over by a holder two deep",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_recursive,
     .thread = {turn_over_two_deep, lock_twice},
     MUTEX_WATCHED},
    {.name = "turn-over/errorcheck",
     .about = "an errorcheck mutex is turned over",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_errorcheck,
     .thread = {turn_over_and_wait, lock_twice},
     MUTEX_WATCHED},
    {.name = "turn-over/debt",
     .about = "a debt is paid before the mutex is turned over, and none taken on afterwards",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {owe_and_turn_over, wait_and_lock, lock_once},
     MUTEX_WATCHED},
    {.name = "turn-over/by-a-stranger",
     .about = "who does not hold an errorcheck mutex cannot turn it over",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_errorcheck,
     .thread = {try_to_turn_over, lock_twice},
     MUTEX_WATCHED},
    {.name = "turn-over/free",
     .about = "a free normal mutex is not turned over",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {turn_over_free},
     MUTEX_WATCHED},
    {.name = "turn-over/shared",
     .about = "a process-shared mutex is not turned over",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_shared,
     .thread = {turn_over_shared, turn_over_shared},
     MUTEX_WATCHED},
    {.name = "turn-over/freed",
     .about = "W4: the last of them frees the mutex, whosever code unlocked it",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {turn_over_and_leave, lock_and_leave, lock_and_leave},
     MUTEX_WATCHED},
    {0},
};
