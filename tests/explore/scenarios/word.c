/* SPDX-License-Identifier: MIT */
/* The lock word used as its callers do: acquire, try, until a deadline, in both scopes; sleeps that
   end for nothing; the two halves of a release; sleepers moved here; and memory that goes with the
   last unlock. Hunger is in word_hunger.c, members that rely on each other in word_members.c. */
#include "lock/word_lock.h"

#include <errno.h>

#include "explore.h"
#include "lock/settings.h"
#include "watch_word.h"

static struct {
    fs_word word; /* what explore_kill_memory takes away */
} object;

static fs_word gate;       /* where those sleep who are moved to the word */
static unsigned users;     /* who have still to acquire the object's lock */
static const void *reused; /* memory that serves something else now */

static void start(enum fs_scope scope, unsigned spin)
{
    fs_settings.spin = spin;
    fs_settings.processors = 2;
    watch_word_begin(&object.word, scope);
    explore_name(&object.word, sizeof object.word, "word");
    explore_name(&gate, sizeof gate, "gate");
}

static void start_private(void)
{
    start(FS_SCOPE_PRIVATE, 0);
}

static void start_shared(void)
{
    start(FS_SCOPE_SHARED, 0);
}

static void start_spinning(void)
{
    start(FS_SCOPE_PRIVATE, 1);
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

/* ---- lockers ------------------------------------------------------------------------ */

static void lock(void)
{
    explore_require(fs_word_lock_acquire(&object.word, NULL, FS_SCOPE_PRIVATE) == 0,
                    "an acquisition for ever fails");
}

static void lock_once(void)
{
    lock();
    watch_word_inside(&object.word);
    fs_word_lock_release(&object.word);
}

static void lock_twice(void)
{
    lock_once();
    lock_once();
}

static void lock_once_shared(void)
{
    explore_require(fs_word_lock_acquire(&object.word, NULL, FS_SCOPE_SHARED) == 0,
                    "an acquisition for ever fails");
    watch_word_inside(&object.word);
    fs_word_lock_release_plain(&object.word, FS_SCOPE_SHARED);
}

static void lock_twice_shared(void)
{
    lock_once_shared();
    lock_once_shared();
}

static void try_once(void)
{
    if (!fs_word_lock_try(&object.word))
        return;
    watch_word_inside(&object.word);
    fs_word_lock_release(&object.word);
}

static void try_twice(void)
{
    try_once();
    try_once();
}

static void try_free_once(void)
{
    if (!fs_word_lock_try_free_private(&object.word))
        return;
    watch_word_inside(&object.word);
    fs_word_lock_release_private(&object.word);
}

static void lock_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = fs_word_lock_acquire(&object.word, &deadline, FS_SCOPE_PRIVATE);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed acquisition returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&object.word);
    fs_word_lock_release(&object.word);
}

/* The deadline may pass while the locker is awake, woken by a release perhaps. */
static void lock_until_soon(void)
{
    struct fs_deadline deadline = fs_system_now(FS_CLOCK_MONOTONIC);
    int err;

    deadline.nsec += 1000000;
    err = fs_word_lock_acquire(&object.word, &deadline, FS_SCOPE_PRIVATE);
    explore_require(err == 0 || err == ETIMEDOUT, "a timed acquisition returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&object.word);
    fs_word_lock_release(&object.word);
}

static void lock_until_deadline_shared(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = fs_word_lock_acquire(&object.word, &deadline, FS_SCOPE_SHARED);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed acquisition returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&object.word);
    fs_word_lock_release_plain(&object.word, FS_SCOPE_SHARED);
}

static void lock_with_invalid_deadline(void)
{
    struct fs_deadline deadline = {.nsec = FS_NSEC_PER_SEC};
    int err = fs_word_lock_acquire(&object.word, &deadline, FS_SCOPE_PRIVATE);

    explore_require(err == 0 || err == EINVAL, "an invalid deadline gives %d", err);
    if (err != 0)
        return;
    watch_word_inside(&object.word);
    fs_word_lock_release(&object.word);
}

/* The holder keeps the word until the others have gone to sleep or given up. */
static void lock_until_quiet(void)
{
    lock();
    explore_wait_until_quiet();
    watch_word_inside(&object.word);
    fs_word_lock_release(&object.word);
}

/* ---- the two halves of a release ------------------------------------------------------ */

static void release_in_halves(void)
{
    uint32_t released;

    lock();
    watch_word_inside(&object.word);
    released = fs_word_lock_release_quietly(&object.word, true);
    explore_step("between the halves");
    fs_word_lock_wake_after(&object.word, released, FS_SCOPE_PRIVATE);
}

/* ---- sleepers moved to the word ---------------------------------------------------------- */

/* The gate opens before anybody is moved, so that nobody goes back to it. */
static void move_sleepers(void)
{
    lock();
    watch_word_inside(&object.word);
    fs_store_release(&gate, 1);
    fs_word_lock_mark_contended(&object.word);
    explore_require(
        fs_futex_cmp_requeue(&gate, &object.word, 1, 0, FS_WAKE_ALL, FS_SCOPE_PRIVATE, NULL) == 0,
        "a move fails");
    fs_word_lock_release(&object.word);
}

static void wait_to_be_moved(void)
{
    fs_futex_wait_bitset(&gate, 0, FS_LOCK_BITS_ORDINARY, NULL, FS_SCOPE_PRIVATE);
    explore_require(fs_word_lock_acquire_slow(&object.word, NULL, FS_SCOPE_PRIVATE, true) == 0,
                    "an acquisition for ever fails");
    watch_word_inside(&object.word);
    fs_word_lock_release(&object.word);
}

/* ---- memory that goes ---------------------------------------------------------------------- */

static void start_two_users(void)
{
    start(FS_SCOPE_PRIVATE, 0);
    users = 2;
}

static void start_three_users(void)
{
    start(FS_SCOPE_PRIVATE, 0);
    users = 3;
}

static void start_two_shared_users(void)
{
    start(FS_SCOPE_SHARED, 0);
    users = 2;
}

static bool leave_as_last(void)
{
    watch_word_inside(&object.word);
    return --users == 0;
}

static void free_object(void)
{
    watch_word_end(&object.word);
    explore_kill_memory(&object, sizeof object);
}

static void lock_and_free(void)
{
    bool last;

    lock();
    last = leave_as_last();
    fs_word_lock_release(&object.word);
    if (last)
        free_object();
}

static void try_and_free(void)
{
    bool last;

    while (!fs_word_lock_try(&object.word))
        explore_pause();
    last = leave_as_last();
    fs_word_lock_release_private(&object.word);
    if (last)
        free_object();
}

static void lock_and_free_shared(void)
{
    bool last;

    explore_require(fs_word_lock_acquire(&object.word, NULL, FS_SCOPE_SHARED) == 0,
                    "an acquisition for ever fails");
    last = leave_as_last();
    fs_word_lock_release_plain(&object.word, FS_SCOPE_SHARED);
    if (last)
        free_object();
}

/* 0x02 in every byte: whoever still takes it for a lock finds it contended. */
static void lock_and_reuse(void)
{
    bool last;

    lock();
    last = leave_as_last();
    fs_word_lock_release(&object.word);
    if (!last)
        return;
    watch_word_end(&object.word);
    explore_reuse_memory(&object, sizeof object, 0x02);
    reused = &object;
}

/* As above, and the new word is waited on: a late wake of the lock's is a spurious one there. */
static void lock_and_wait_in_its_place(void)
{
    bool last;

    lock();
    last = leave_as_last();
    fs_word_lock_release(&object.word);
    if (!last)
        return;
    watch_word_end(&object.word);
    explore_reuse_memory(&object, sizeof object, 0);
    watch_word_begin(&object.word, FS_SCOPE_PRIVATE);
    users = 0;
    lock_once();
}

static void observe_reuse(const struct explore_event *event)
{
    explore_require(!reused || event->word != reused || event->kind == EVENT_WAKE,
                    "W4: thread %u uses a lock that is no more", event->thread);
    watch_word_observe(event);
}

/* ---- the table --------------------------------------------------------------------------- */

const struct explore_scenario word_scenarios[] = {
    {.name = "word/two-lockers",
     .about = "two threads lock and unlock a private word twice",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_twice, lock_twice},
     WATCHED},
    {.name = "word/three-lockers",
     .about = "three threads lock and unlock a private word",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_once, lock_once},
     WATCHED},
    {.name = "word/three-lockers-twice",
     .about = "three threads lock and unlock a private word twice",
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_twice, lock_twice, lock_twice},
     WATCHED},
    {.name = "word/four-lockers",
     .about = "four threads lock and unlock a private word",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_once, lock_once, lock_once},
     WATCHED},
    {.name = "word/two-shared",
     .about = "two threads lock and unlock a shared word twice; it is never granted",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared,
     .thread = {lock_twice_shared, lock_twice_shared},
     WATCHED},
    {.name = "word/three-shared",
     .about = "three threads lock and unlock a shared word; time passes, and nobody gets hungry",
     .world = {.jumps = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared,
     .thread = {lock_once_shared, lock_once_shared, lock_once_shared},
     WATCHED},
    {.name = "word/two-spin",
     .about = "two threads that spin before they sleep",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_spinning,
     .thread = {lock_twice, lock_twice},
     WATCHED},
    {.name = "word/three-spin",
     .about = "three threads that spin before they sleep",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_spinning,
     .thread = {lock_once, lock_once, lock_once},
     WATCHED},
    {.name = "word/try",
     .about = "two lockers and one that tries twice",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_once, try_twice},
     WATCHED},
    {.name = "word/try-free",
     .about = "a locker and two that take only a free word, by the inline paths",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_twice, try_free_once, try_free_once},
     WATCHED},
    {.name = "word/timed",
     .about = "one of three lockers gives up at any moment of a sleep",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_until_deadline, lock_once},
     WATCHED},
    {.name = "word/two-timed",
     .about = "two of three lockers give up, woken or not; nobody's wake-up is lost with them",
     .world = {.timeouts = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_until_deadline, lock_until_deadline, lock_once},
     WATCHED},
    {.name = "word/woken-then-timed",
     .about = "a locker that was woken for nothing may give up in its second sleep",
     .world = {.timeouts = 1, .spurious = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_until_deadline, lock_once},
     WATCHED},
    {.name = "word/late-while-awake",
     .about = "the deadline of a woken locker passes before it looks again: it may not give up yet",
     .world = {.timeouts = 1, .jumps = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_until_soon, lock_once},
     .check = watch_word_check,
     .observe = watch_word_observe,
     .finish = finish_with_grant},
    {.name = "word/timed-shared",
     .about = "one of three lockers of a shared word gives up",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared,
     .thread = {lock_once_shared, lock_until_deadline_shared, lock_once_shared},
     WATCHED},
    {.name = "word/only-deadline-left",
     .about = "the holder waits for ever, and a locker ends by its deadline alone",
     .bound = EXPLORE_EXHAUSTIVE,
     .needs_timeout = true,
     .start = start_private,
     .thread = {lock_until_quiet, lock_until_deadline},
     WATCHED},
    {.name = "word/invalid-deadline",
     .about = "an invalid deadline takes a free word and refuses to wait for a locked one",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_with_invalid_deadline, lock_once},
     WATCHED},
    {.name = "word/spurious",
     .about = "sleepers come back although nobody woke them",
     .world = {.spurious = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_once, lock_once},
     WATCHED},
    {.name = "word/signals",
     .about = "signal handlers end sleeps, or the call begins anew",
     .world = {.interrupts = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {lock_once, lock_once, lock_once},
     WATCHED},
    {.name = "word/halves",
     .about = "the two halves of a release, and others between them",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {release_in_halves, lock_once, lock_once},
     WATCHED},
    {.name = "word/two-halves",
     .about = "two releasers on their way to a wake at once",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {release_in_halves, release_in_halves, lock_once},
     WATCHED},
    {.name = "word/moved",
     .about = "sleepers moved to the word by its holder acquire as woken ones, beside a locker",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {move_sleepers, wait_to_be_moved, lock_once},
     WATCHED},
    {.name = "word/two-moved",
     .about = "two sleepers are moved, beside a locker",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {move_sleepers, wait_to_be_moved, wait_to_be_moved, lock_once},
     WATCHED},
    {.name = "word/moved-and-disturbed",
     .about = "moved sleepers come back for nothing, or by a handler",
     .world = {.spurious = 1, .interrupts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_private,
     .thread = {move_sleepers, wait_to_be_moved, lock_once},
     WATCHED},
    {.name = "word/freed-by-two",
     .about = "W4: the last of two users frees the word while the other is still in its release",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_two_users,
     .thread = {lock_and_free, lock_and_free},
     WATCHED},
    {.name = "word/freed-by-three",
     .about = "W4: the same with three",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {lock_and_free, lock_and_free, lock_and_free},
     WATCHED},
    {.name = "word/freed-by-try",
     .about = "W4: the last user takes the word by trying",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {lock_and_free, lock_and_free, try_and_free},
     WATCHED},
    {.name = "word/freed-shared",
     .about = "W4: a shared word",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_two_shared_users,
     .thread = {lock_and_free_shared, lock_and_free_shared},
     WATCHED},
    {.name = "word/freed-hungry",
     .about = "W4: a word that may have been handed over",
     .world = {.jumps = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {lock_and_free, lock_and_free, lock_and_free},
     WATCHED},
    {.name = "word/reused",
     .about = "W4: the memory holds something else right after the last unlock",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {lock_and_reuse, lock_and_reuse, lock_and_reuse},
     .check = watch_word_check,
     .observe = observe_reuse,
     .finish = finish},
    {.name = "word/reused-as-lock",
     .about = "W4: the memory is another lock right after the last unlock, with late wakes to come",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_two_users,
     .thread = {lock_and_wait_in_its_place, lock_and_wait_in_its_place},
     WATCHED},
    {0},
};
