/* SPDX-License-Identifier: MIT */
/* What the type of a plain mutex says to a thread that holds it already, or that does not hold it
   and unlocks it; and what destroying it says. */
#include <errno.h>

#include "mutex_parts.h"

static fs_word gate; /* closed while it is 0 */
static bool handed;  /* the holder leaves the unlock to another thread */

static void start_shared_recursive(void)
{
    mutex_start(FS_KIND_RECURSIVE | FS_KIND_SHARED, 0);
}

static void expect(int err, int expected, const char *what)
{
    explore_require(err == expected, "%s returns %d in place of %d", what, err, expected);
}

static void lock_two_deep(void)
{
    mutex_lock();
    mutex_lock();
    watch_word_inside(&mutex.word);
    expect(mutex_acquire(FS_WAIT_NEVER, NULL), 0, "a try of the recursive mutex that one holds");
    mutex_unlock();
    mutex_unlock();
    watch_word_inside(&mutex.word);
    mutex_unlock();
    expect(mutex_release(), EPERM, "an unlock too many");
}

static void lock_as_deep_as_it_goes(void)
{
    mutex_lock();
    mutex.count = UINT32_MAX;
    expect(mutex_acquire(FS_WAIT_FOREVER, NULL), EAGAIN, "a lock of a mutex of full depth");
    expect(mutex_acquire(FS_WAIT_NEVER, NULL), EAGAIN, "a try of a mutex of full depth");
    mutex.count = 1;
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

static void lock_with_errors(void)
{
    struct fs_deadline deadline = explore_deadline();

    expect(mutex_release(), EPERM, "an unlock before the lock");
    mutex_lock();
    expect(mutex_acquire(FS_WAIT_FOREVER, NULL), EDEADLK, "a lock of what one holds");
    expect(mutex_acquire(FS_WAIT_UNTIL, &deadline), EDEADLK, "a timed lock of what one holds");
    expect(mutex_acquire(FS_WAIT_NEVER, NULL), EBUSY, "a try of what one holds");
    watch_word_inside(&mutex.word);
    mutex_unlock();
    expect(mutex_release(), EPERM, "an unlock after the unlock");
}

static void unlock_as_stranger(void)
{
    expect(mutex_release(), EPERM, "an unlock by a stranger");
    mutex_lock_once();
    expect(mutex_release(), EPERM, "an unlock by a stranger");
}

static void lock_ones_own_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();

    mutex_lock();
    expect(mutex_acquire(FS_WAIT_NEVER, NULL), EBUSY, "a try of what one holds");
    expect(mutex_acquire(FS_WAIT_UNTIL, &deadline), ETIMEDOUT, "a timed lock of what one holds");
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

static void lock_and_hand(void)
{
    mutex_lock();
    watch_word_inside(&mutex.word);
    handed = true;
    mutex_open(&gate);
}

static void unlock_what_was_handed(void)
{
    mutex_wait_at(&gate, FS_MATCH_ANY);
    explore_require(handed, "the gate opens too early");
    mutex_unlock();
    mutex_lock_once();
}

static int retire(void)
{
    return fs_mutex_retire(&mutex, fs_mutex_kind(&mutex));
}

/* Thread 1 has locked the mutex and sleeps elsewhere: nothing may happen to it meanwhile. */
static void destroy_what_another_holds(void)
{
    explore_wait_until_asleep(1);
    expect(retire(), EBUSY, "destroying what another holds");
    expect(mutex_acquire(FS_WAIT_NEVER, NULL), EBUSY, "a try of what another holds");
    mutex_open(&gate);
    mutex_lock();
    watch_word_inside(&mutex.word);
    expect(retire(), EBUSY, "destroying what one holds");
    mutex_unlock();
    explore_wait_until_quiet();
    expect(retire(), 0, "destroying a free mutex");
    expect(mutex_acquire(FS_WAIT_FOREVER, NULL), EINVAL, "a lock of what is destroyed");
    expect(mutex_acquire(FS_WAIT_NEVER, NULL), EINVAL, "a try of what is destroyed");
    expect(mutex_release(), EINVAL, "an unlock of what is destroyed");
}

static void hold_until_the_gate_opens(void)
{
    mutex_lock();
    mutex_wait_at(&gate, FS_MATCH_ANY);
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

const struct explore_scenario mutex_again_scenarios[] = {
    {.name = "mutex/recursive",
     .about = "a holder goes three deep, and another locks",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_recursive,
     .thread = {lock_two_deep, lock_two_deep},
     MUTEX_WATCHED},
    {.name = "mutex/recursive-full",
     .about = "a recursive mutex has a greatest depth",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_recursive,
     .thread = {lock_as_deep_as_it_goes, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "mutex/shared-recursive",
     .about = "a process-shared recursive mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared_recursive,
     .thread = {lock_two_deep, lock_two_deep},
     MUTEX_WATCHED},
    {.name = "mutex/errorcheck",
     .about = "the holder of an errorcheck mutex asks again, a stranger unlocks",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_errorcheck,
     .thread = {lock_with_errors, unlock_as_stranger},
     MUTEX_WATCHED},
    {.name = "mutex/recursive-stranger",
     .about = "a stranger unlocks a recursive mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_recursive,
     .thread = {lock_two_deep, unlock_as_stranger},
     MUTEX_WATCHED},
    {.name = "mutex/relock-normal",
     .about = "the holder of a normal mutex waits for itself, until its deadline",
     .bound = EXPLORE_EXHAUSTIVE,
     .needs_timeout = true,
     .start = mutex_start_normal,
     .thread = {lock_ones_own_until_deadline, mutex_lock_once},
     MUTEX_WATCHED_WITH_GRANT},
    {.name = "mutex/relock-adaptive",
     .about = "the same with an adaptive mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .needs_timeout = true,
     .start = mutex_start_adaptive,
     .thread = {lock_ones_own_until_deadline, mutex_lock_once},
     MUTEX_WATCHED_WITH_GRANT},
    {.name = "mutex/strangers-unlock",
     .about = "a normal mutex is unlocked by another thread than its holder",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = mutex_start_strangers,
     .thread = {lock_and_hand, unlock_what_was_handed, mutex_lock_once},
     MUTEX_WATCHED},
    {.name = "mutex/destroy",
     .about = "what is held is not destroyed, and what is destroyed refuses every call",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_normal,
     .thread = {destroy_what_another_holds, hold_until_the_gate_opens},
     MUTEX_WATCHED},
    {.name = "mutex/destroy-shared",
     .about = "the same with a process-shared mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_shared,
     .thread = {destroy_what_another_holds, hold_until_the_gate_opens},
     MUTEX_WATCHED},
    {.name = "mutex/destroy-errorcheck",
     .about = "the same with an errorcheck mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = mutex_start_errorcheck,
     .thread = {destroy_what_another_holds, hold_until_the_gate_opens},
     MUTEX_WATCHED},
    {0},
};
