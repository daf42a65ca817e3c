/* SPDX-License-Identifier: MIT */
/* The mutex of every plain kind as programs use it: lock, try, until a deadline, and memory that
   goes with the last unlock. What its type says to its holder and to strangers is in mutex_again.c,
   what a holder owes in mutex_debt.c, mutexes that go over to the C library in mutex_turn_over.c.
 */
#include <errno.h>

#include "mutex_parts.h"

static void start_two_users(void)
{
    mutex_start_normal();
    mutex_expect_users(2);
}

static void start_three_users(void)
{
    mutex_start_normal();
    mutex_expect_users(3);
}

static void start_two_shared_users(void)
{
    mutex_start_shared();
    mutex_expect_users(2);
}

static void try_twice(void)
{
    mutex_try_once();
    mutex_try_once();
}

static void lock_with_invalid_deadline(void)
{
    struct fs_deadline deadline = {.nsec = -1};
    int err = mutex_acquire(FS_WAIT_UNTIL, &deadline);

    explore_require(err == 0 || err == EINVAL, "an invalid deadline gives %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

/* Thread 1 has a deadline that is none. */
static void observe_invalid(const struct explore_event *event)
{
    explore_require(event->kind != EVENT_SLEEP || event->thread != 1,
                    "a thread sleeps until an invalid deadline");
    watch_word_observe(event);
}

static void lock_and_free(void)
{
    mutex_lock();
    mutex_leave(mutex_unlock);
}

const struct explore_scenario mutex_scenarios[] = {
    {.name = "mutex/normal",
     .about = "three threads lock and unlock a normal mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {mutex_lock_once, mutex_lock_once, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "mutex/normal-twice",
     .about = "two threads lock and unlock a normal mutex twice",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_normal,
     .thread = {mutex_lock_twice, mutex_lock_twice},
     MUTEX_WATCHED},
    {.name = "mutex/adaptive",
     .about = "three threads lock and unlock an adaptive mutex, and spin",
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_adaptive,
     .thread = {mutex_lock_once, mutex_lock_once, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "mutex/shared",
     .about = "three threads lock and unlock a process-shared mutex, and are counted as users",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_shared,
     .thread = {mutex_lock_once, mutex_lock_once, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "mutex/try",
     .about = "two lockers and one that tries twice",
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {mutex_lock_once, mutex_lock_once, try_twice},
     MUTEX_WATCHED},
    {.name = "mutex/try-shared",
     .about = "a locker and two that try, process-shared",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_shared,
     .thread = {mutex_lock_once, mutex_try_once, mutex_try_once},
     MUTEX_WATCHED},
    {.name = "mutex/timed",
     .about = "two of three lockers have a deadline",
     .world = {.timeouts = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {mutex_lock_once, mutex_lock_until_deadline, mutex_lock_until_deadline},
     MUTEX_WATCHED},
    {.name = "mutex/timed-hungry",
     .about = "a locker with a deadline waits too long",
     .world = {.timeouts = 1, .jumps = 1},
     .bound = 3,
     .full_bound = 5,
     .start = mutex_start_normal,
     .thread = {mutex_lock_twice, mutex_lock_until_deadline, mutex_lock_once},
     MUTEX_WATCHED_WITH_GRANT},
    {.name = "mutex/timed-shared",
     .about = "a locker of a process-shared mutex has a deadline; one that gives up is no user",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_shared,
     .thread = {mutex_lock_once, mutex_lock_until_deadline, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "mutex/invalid-deadline",
     .about = "an invalid deadline takes a free mutex only",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {mutex_lock_once, lock_with_invalid_deadline, mutex_lock_once},
     MUTEX_WATCHED_BY(observe_invalid)},
    {.name = "mutex/freed-by-two",
     .about = "W4: the last of two users frees the mutex while the other is still in its unlock",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start_two_users,
     .thread = {lock_and_free, lock_and_free},
     MUTEX_WATCHED},
    {.name = "mutex/freed-by-three",
     .about = "W4: the same with three users, time passing",
     .world = {.jumps = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {lock_and_free, lock_and_free, lock_and_free},
     MUTEX_WATCHED},
    {.name = "mutex/freed-shared",
     .about = "W4: a process-shared mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start_two_shared_users,
     .thread = {lock_and_free, lock_and_free},
     MUTEX_WATCHED},
    {0},
};
