/* SPDX-License-Identifier: MIT */
/* The lock word used as its callers do: acquire, try, until a deadline, in both scopes; and sleeps
   that end for nothing. Hunger is in word_hunger.c and word_urgent.c, sleepers that were moved here
   in word_moved.c and word_members.c, memory that goes in word_freed.c. */
#include <errno.h>

#include "word_parts.h"

static void lock_twice_shared(void)
{
    word_lock_once_shared();
    word_lock_once_shared();
}

static void try_free_once(void)
{
    if (!fs_word_lock_try_free_private(&word_object.word))
        return;
    watch_word_inside(&word_object.word);
    fs_word_lock_release_private(&word_object.word);
}

/* The deadline may pass while the locker is awake, woken by a release perhaps. */
static void lock_until_soon(void)
{
    struct fs_deadline deadline = fs_system_now(FS_CLOCK_MONOTONIC);
    int err;

    deadline.nsec += 1000000;
    err = fs_word_lock_acquire(&word_object.word, &deadline, FS_SCOPE_PRIVATE);
    explore_require(err == 0 || err == ETIMEDOUT, "a timed acquisition returns %d", err);
    if (err != 0)
        return;
    word_unlock();
}

static void lock_until_deadline_shared(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = fs_word_lock_acquire(&word_object.word, &deadline, FS_SCOPE_SHARED);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed acquisition returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&word_object.word);
    fs_word_lock_release_plain(&word_object.word, FS_SCOPE_SHARED);
}

static void lock_with_invalid_deadline(void)
{
    struct fs_deadline deadline = {.nsec = FS_NSEC_PER_SEC};
    int err = fs_word_lock_acquire(&word_object.word, &deadline, FS_SCOPE_PRIVATE);

    explore_require(err == 0 || err == EINVAL, "an invalid deadline gives %d", err);
    if (err != 0)
        return;
    word_unlock();
}

/* The holder keeps the word until the others have gone to sleep or given up. */
static void lock_until_quiet(void)
{
    word_lock();
    explore_wait_until_quiet();
    word_unlock();
}

/* Thread 1 has a deadline that is none. */
static void observe_invalid(const struct explore_event *event)
{
    explore_require(event->kind != EVENT_SLEEP || event->thread != 1,
                    "a thread sleeps until an invalid deadline");
    watch_word_observe(event);
}

const struct explore_scenario word_scenarios[] = {
    {.name = "word/two-lockers",
     .about = "two threads lock and unlock a private word twice",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_twice},
     WORD_WATCHED},
    {.name = "word/three-lockers",
     .about = "three threads lock and unlock a private word",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = word_start_private,
     .thread = {word_lock_once, word_lock_once, word_lock_once},
     WORD_WATCHED},
    {.name = "word/three-lockers-twice",
     .about = "three threads lock and unlock a private word twice",
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_twice, word_lock_twice},
     WORD_WATCHED},
    {.name = "word/four-lockers",
     .about = "four threads lock and unlock a private word",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_once, word_lock_once, word_lock_once, word_lock_once},
     WORD_WATCHED},
    {.name = "word/two-shared",
     .about = "two threads lock and unlock a shared word twice; it is never granted",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = word_start_shared,
     .thread = {lock_twice_shared, lock_twice_shared},
     WORD_WATCHED},
    {.name = "word/three-shared",
     .about = "three threads lock and unlock a shared word; time passes, and nobody gets hungry",
     .world = {.jumps = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_shared,
     .thread = {word_lock_once_shared, word_lock_once_shared, word_lock_once_shared},
     WORD_WATCHED},
    {.name = "word/two-spin",
     .about = "two threads that spin before they sleep",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = word_start_spinning,
     .thread = {word_lock_twice, word_lock_twice},
     WORD_WATCHED},
    {.name = "word/three-spin",
     .about = "three threads that spin before they sleep",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_spinning,
     .thread = {word_lock_once, word_lock_once, word_lock_once},
     WORD_WATCHED},
    {.name = "word/try",
     .about = "two lockers and one that tries twice",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_once, word_lock_once, word_try_twice},
     WORD_WATCHED},
    {.name = "word/try-free",
     .about = "a locker and two that take only a free word, by the inline paths",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = word_start_private,
     .thread = {word_lock_twice, try_free_once, try_free_once},
     WORD_WATCHED},
    {.name = "word/timed",
     .about = "one of three lockers gives up at any moment of a sleep",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_once, word_lock_until_deadline, word_lock_once},
     WORD_WATCHED},
    {.name = "word/two-timed",
     .about = "two of three lockers give up, woken or not; nobody's wake-up is lost with them",
     .world = {.timeouts = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = word_start_private,
     .thread = {word_lock_until_deadline, word_lock_until_deadline, word_lock_once},
     WORD_WATCHED},
    {.name = "word/woken-then-timed",
     .about = "a locker that was woken for nothing may give up in its second sleep",
     .world = {.timeouts = 1, .spurious = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_once, word_lock_until_deadline, word_lock_once},
     WORD_WATCHED},
    {.name = "word/late-while-awake",
     .about = "the deadline of a woken locker passes before it looks again: it may not give up yet",
     .world = {.timeouts = 1, .jumps = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_twice, lock_until_soon, word_lock_once},
     WORD_WATCHED_WITH_GRANT},
    {.name = "word/timed-shared",
     .about = "one of three lockers of a shared word gives up",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_shared,
     .thread = {word_lock_once_shared, lock_until_deadline_shared, word_lock_once_shared},
     WORD_WATCHED},
    {.name = "word/only-deadline-left",
     .about = "the holder waits for ever, and a locker ends by its deadline alone",
     .bound = EXPLORE_EXHAUSTIVE,
     .needs_timeout = true,
     .start = word_start_private,
     .thread = {lock_until_quiet, word_lock_until_deadline},
     WORD_WATCHED},
    {.name = "word/invalid-deadline",
     .about = "an invalid deadline takes a free word and refuses to wait for a locked one",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_once, lock_with_invalid_deadline, word_lock_once},
     WORD_WATCHED_BY(observe_invalid)},
    {.name = "word/spurious",
     .about = "sleepers come back although nobody woke them",
     .world = {.spurious = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_once, word_lock_once, word_lock_once},
     WORD_WATCHED},
    {.name = "word/signals",
     .about = "signal handlers end sleeps, or the call begins anew",
     .world = {.interrupts = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_once, word_lock_once, word_lock_once},
     WORD_WATCHED},
    {0},
};
