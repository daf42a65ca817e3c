/* SPDX-License-Identifier: MIT */
/* The mutex of every plain kind as programs use it: lock, try, until a deadline, again by its
   holder, unlock by a stranger, destroy. What a holder owes is in mutex_debt.c, mutexes that go
   over to the C library in mutex_turn_over.c, robust and inheriting kinds in files of their own. */
#include "lock/mutex.h"

#include <errno.h>

#include "explore.h"
#include "lock/settings.h"
#include "watch_word.h"

static struct fs_mutex mutex;
static fs_word gate; /* closed while it is 0 */
static unsigned users;
static bool handed; /* the holder leaves the unlock to another thread */

static void start_kind(uint32_t kind)
{
    fs_settings.spin = 0;
    fs_settings.processors = 2;
    fs_store_relaxed(&mutex.kind, kind);
    watch_mutex_begin(&mutex);
    explore_name(&mutex.word, sizeof mutex.word, "mutex.word");
    explore_name(&mutex.owner, sizeof mutex.owner, "mutex.owner");
    explore_name(&mutex.kind, sizeof mutex.kind, "mutex.kind");
    explore_name(&gate, sizeof gate, "gate");
}

static void start_normal(void)
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

static void start_adaptive(void)
{
    start_kind(FS_KIND_ADAPTIVE);
    fs_settings.spin = 1;
}

static void start_shared(void)
{
    start_kind(FS_KIND_NORMAL | FS_KIND_SHARED);
}

static void start_shared_recursive(void)
{
    start_kind(FS_KIND_RECURSIVE | FS_KIND_SHARED);
}

static void start_strangers(void)
{
    start_normal();
    watch_word_allow_strangers(&mutex.word);
}

static void start_two_users(void)
{
    start_normal();
    users = 2;
}

static void start_three_users(void)
{
    start_normal();
    users = 3;
}

static void start_two_shared_users(void)
{
    start_shared();
    users = 2;
}

static void finish(void)
{
    watch_word_finish(false);
}

/* A waiter that has given up may leave a grant behind. */
static void finish_with_grant(void)
{
    watch_word_finish(true);
}

#define WATCHED .check = watch_word_check, .observe = watch_word_observe, .finish = finish

/* ---- calls ------------------------------------------------------------------------------ */

static int acquire(enum fs_wait_mode mode, const struct fs_deadline *deadline)
{
    return fs_mutex_acquire(&mutex, fs_mutex_kind(&mutex), mode, deadline);
}

static int release(void)
{
    return fs_mutex_release(&mutex, fs_mutex_kind(&mutex));
}

static void expect(int err, int expected, const char *what)
{
    explore_require(err == expected, "%s returns %d in place of %d", what, err, expected);
}

static void lock(void)
{
    expect(acquire(FS_WAIT_FOREVER, NULL), 0, "a lock");
}

static void unlock(void)
{
    expect(release(), 0, "an unlock by the holder");
}

/* ---- lockers ------------------------------------------------------------------------------ */

static void lock_once(void)
{
    lock();
    watch_word_inside(&mutex.word);
    unlock();
}

static void lock_twice(void)
{
    lock_once();
    lock_once();
}

static void try_once(void)
{
    int err = acquire(FS_WAIT_NEVER, NULL);

    explore_require(err == 0 || err == EBUSY, "a try returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    unlock();
}

static void try_twice(void)
{
    try_once();
    try_once();
}

static void lock_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = acquire(FS_WAIT_UNTIL, &deadline);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed lock returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    unlock();
}

static void lock_with_invalid_deadline(void)
{
    struct fs_deadline deadline = {.nsec = -1};
    int err = acquire(FS_WAIT_UNTIL, &deadline);

    explore_require(err == 0 || err == EINVAL, "an invalid deadline gives %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    unlock();
}

/* ---- again, by the holder or by a stranger --------------------------------------------------- */

static void lock_two_deep(void)
{
    lock();
    lock();
    watch_word_inside(&mutex.word);
    expect(acquire(FS_WAIT_NEVER, NULL), 0, "a try of the recursive mutex that one holds");
    unlock();
    unlock();
    watch_word_inside(&mutex.word);
    unlock();
    expect(release(), EPERM, "an unlock too many");
}

static void lock_as_deep_as_it_goes(void)
{
    lock();
    mutex.count = UINT32_MAX;
    expect(acquire(FS_WAIT_FOREVER, NULL), EAGAIN, "a lock of a mutex of full depth");
    expect(acquire(FS_WAIT_NEVER, NULL), EAGAIN, "a try of a mutex of full depth");
    mutex.count = 1;
    watch_word_inside(&mutex.word);
    unlock();
}

static void lock_with_errors(void)
{
    struct fs_deadline deadline = explore_deadline();

    expect(release(), EPERM, "an unlock before the lock");
    lock();
    expect(acquire(FS_WAIT_FOREVER, NULL), EDEADLK, "a lock of what one holds");
    expect(acquire(FS_WAIT_UNTIL, &deadline), EDEADLK, "a timed lock of what one holds");
    expect(acquire(FS_WAIT_NEVER, NULL), EBUSY, "a try of what one holds");
    watch_word_inside(&mutex.word);
    unlock();
    expect(release(), EPERM, "an unlock after the unlock");
}

static void unlock_as_stranger(void)
{
    expect(release(), EPERM, "an unlock by a stranger");
    lock_once();
    expect(release(), EPERM, "an unlock by a stranger");
}

static void lock_ones_own_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();

    lock();
    expect(acquire(FS_WAIT_NEVER, NULL), EBUSY, "a try of what one holds");
    expect(acquire(FS_WAIT_UNTIL, &deadline), ETIMEDOUT, "a timed lock of what one holds");
    watch_word_inside(&mutex.word);
    unlock();
}

/* ---- unlock by another thread ------------------------------------------------------------------
 */

static void lock_and_hand(void)
{
    lock();
    watch_word_inside(&mutex.word);
    handed = true;
    fs_store_release(&gate, 1);
    fs_futex_wake(&gate, 1, FS_SCOPE_PRIVATE);
}

static void unlock_what_was_handed(void)
{
    while (fs_load_acquire(&gate) == 0)
        fs_futex_wait(&gate, 0, NULL, FS_SCOPE_PRIVATE);
    explore_require(handed, "the gate opens too early");
    unlock();
    lock_once();
}

/* ---- destroy
 * -------------------------------------------------------------------------------------- */

static int retire(void)
{
    return fs_mutex_retire(&mutex, fs_mutex_kind(&mutex));
}

/* Thread 1 has locked the mutex and sleeps elsewhere: nothing may happen to it meanwhile. */
static void destroy_what_another_holds(void)
{
    explore_wait_until_asleep(1);
    expect(retire(), EBUSY, "destroying what another holds");
    expect(acquire(FS_WAIT_NEVER, NULL), EBUSY, "a try of what another holds");
    fs_store_release(&gate, 1);
    fs_futex_wake(&gate, 1, FS_SCOPE_PRIVATE);
    lock();
    watch_word_inside(&mutex.word);
    expect(retire(), EBUSY, "destroying what one holds");
    unlock();
    explore_wait_until_quiet();
    expect(retire(), 0, "destroying a free mutex");
    expect(acquire(FS_WAIT_FOREVER, NULL), EINVAL, "a lock of what is destroyed");
    expect(acquire(FS_WAIT_NEVER, NULL), EINVAL, "a try of what is destroyed");
    expect(release(), EINVAL, "an unlock of what is destroyed");
}

static void hold_until_the_gate_opens(void)
{
    lock();
    while (fs_load_acquire(&gate) == 0)
        fs_futex_wait(&gate, 0, NULL, FS_SCOPE_PRIVATE);
    watch_word_inside(&mutex.word);
    unlock();
}

/* ---- memory that goes
 * ------------------------------------------------------------------------------ */

static void lock_and_free(void)
{
    bool last;

    lock();
    watch_word_inside(&mutex.word);
    last = --users == 0;
    unlock();
    if (!last)
        return;
    watch_word_end(&mutex.word);
    explore_kill_memory(&mutex, sizeof mutex);
}

/* ---- the table
 * -------------------------------------------------------------------------------------- */

const struct explore_scenario mutex_scenarios[] = {
    {.name = "mutex/normal",
     .about = "three threads lock and unlock a normal mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_normal,
     .thread = {lock_once, lock_once, lock_once},
     WATCHED},
    {.name = "mutex/normal-twice",
     .about = "two threads lock and unlock a normal mutex twice",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_normal,
     .thread = {lock_twice, lock_twice},
     WATCHED},
    {.name = "mutex/adaptive",
     .about = "three threads lock and unlock an adaptive mutex, and spin",
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_adaptive,
     .thread = {lock_once, lock_once, lock_once},
     WATCHED},
    {.name = "mutex/shared",
     .about = "three threads lock and unlock a process-shared mutex, and are counted as users",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared,
     .thread = {lock_once, lock_once, lock_once},
     WATCHED},
    {.name = "mutex/recursive",
     .about = "a holder goes three deep, and another locks",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_recursive,
     .thread = {lock_two_deep, lock_two_deep},
     WATCHED},
    {.name = "mutex/recursive-full",
     .about = "a recursive mutex has a greatest depth",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_recursive,
     .thread = {lock_as_deep_as_it_goes, lock_once},
     WATCHED},
    {.name = "mutex/shared-recursive",
     .about = "a process-shared recursive mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared_recursive,
     .thread = {lock_two_deep, lock_two_deep},
     WATCHED},
    {.name = "mutex/errorcheck",
     .about = "the holder of an errorcheck mutex asks again, a stranger unlocks",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_errorcheck,
     .thread = {lock_with_errors, unlock_as_stranger},
     WATCHED},
    {.name = "mutex/recursive-stranger",
     .about = "a stranger unlocks a recursive mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_recursive,
     .thread = {lock_two_deep, unlock_as_stranger},
     WATCHED},
    {.name = "mutex/try",
     .about = "two lockers and one that tries twice",
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_normal,
     .thread = {lock_once, lock_once, try_twice},
     WATCHED},
    {.name = "mutex/try-shared",
     .about = "a locker and two that try, process-shared",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared,
     .thread = {lock_once, try_once, try_once},
     WATCHED},
    {.name = "mutex/timed",
     .about = "two of three lockers have a deadline",
     .world = {.timeouts = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_normal,
     .thread = {lock_once, lock_until_deadline, lock_until_deadline},
     WATCHED},
    {.name = "mutex/timed-hungry",
     .about = "a locker with a deadline waits too long",
     .world = {.timeouts = 1, .jumps = 1},
     .bound = 3,
     .full_bound = 5,
     .start = start_normal,
     .thread = {lock_twice, lock_until_deadline, lock_once},
     .check = watch_word_check,
     .observe = watch_word_observe,
     .finish = finish_with_grant},
    {.name = "mutex/timed-shared",
     .about = "a locker of a process-shared mutex has a deadline; one that gives up is no user",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared,
     .thread = {lock_once, lock_until_deadline, lock_once},
     WATCHED},
    {.name = "mutex/invalid-deadline",
     .about = "an invalid deadline takes a free mutex only",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_normal,
     .thread = {lock_once, lock_with_invalid_deadline, lock_once},
     WATCHED},
    {.name = "mutex/relock-normal",
     .about = "the holder of a normal mutex waits for itself, until its deadline",
     .bound = EXPLORE_EXHAUSTIVE,
     .needs_timeout = true,
     .start = start_normal,
     .thread = {lock_ones_own_until_deadline, lock_once},
     .check = watch_word_check,
     .observe = watch_word_observe,
     .finish = finish_with_grant},
    {.name = "mutex/relock-adaptive",
     .about = "the same with an adaptive mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .needs_timeout = true,
     .start = start_adaptive,
     .thread = {lock_ones_own_until_deadline, lock_once},
     .check = watch_word_check,
     .observe = watch_word_observe,
     .finish = finish_with_grant},
    {.name = "mutex/strangers-unlock",
     .about = "a normal mutex is unlocked by another thread than its holder",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_strangers,
     .thread = {lock_and_hand, unlock_what_was_handed, lock_once},
     WATCHED},
    {.name = "mutex/destroy",
     .about = "what is held is not destroyed, and what is destroyed refuses every call",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_normal,
     .thread = {destroy_what_another_holds, hold_until_the_gate_opens},
     WATCHED},
    {.name = "mutex/destroy-shared",
     .about = "the same with a process-shared mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared,
     .thread = {destroy_what_another_holds, hold_until_the_gate_opens},
     WATCHED},
    {.name = "mutex/destroy-errorcheck",
     .about = "the same with an errorcheck mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_errorcheck,
     .thread = {destroy_what_another_holds, hold_until_the_gate_opens},
     WATCHED},
    {.name = "mutex/freed-by-two",
     .about = "W4: the last of two users frees the mutex while the other is still in its unlock",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_two_users,
     .thread = {lock_and_free, lock_and_free},
     WATCHED},
    {.name = "mutex/freed-by-three",
     .about = "W4: the same with three users, time passing",
     .world = {.jumps = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {lock_and_free, lock_and_free, lock_and_free},
     WATCHED},
    {.name = "mutex/freed-shared",
     .about = "W4: a process-shared mutex",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_two_shared_users,
     .thread = {lock_and_free, lock_and_free},
     WATCHED},
    {0},
};
