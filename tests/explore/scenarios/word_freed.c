/* SPDX-License-Identifier: MIT */
/* W4: the lock word's memory goes, or serves something else, right after the last unlock by the
   thread that acquired it last, while others may still be in their releases. */
#include "word_parts.h"

static unsigned users;     /* who have still to acquire the lock */
static const void *reused; /* memory that serves something else now */

static void start_two_users(void)
{
    word_start(FS_SCOPE_PRIVATE, 0);
    users = 2;
}

static void start_three_users(void)
{
    word_start(FS_SCOPE_PRIVATE, 0);
    users = 3;
}

static void start_two_shared_users(void)
{
    word_start(FS_SCOPE_SHARED, 0);
    users = 2;
}

static bool leave_as_last(void)
{
    watch_word_inside(&word_object.word);
    return --users == 0;
}

static void free_object(void)
{
    watch_word_end(&word_object.word);
    explore_kill_memory(&word_object, sizeof word_object);
}

static void lock_and_free(void)
{
    bool last;

    word_lock();
    last = leave_as_last();
    fs_word_lock_release(&word_object.word);
    if (last)
        free_object();
}

static void try_and_free(void)
{
    bool last;

    while (!fs_word_lock_try(&word_object.word))
        explore_pause();
    last = leave_as_last();
    fs_word_lock_release_private(&word_object.word);
    if (last)
        free_object();
}

static void lock_and_free_shared(void)
{
    bool last;

    explore_require(fs_word_lock_acquire(&word_object.word, NULL, FS_SCOPE_SHARED) == 0,
                    "an acquisition for ever fails");
    last = leave_as_last();
    fs_word_lock_release_plain(&word_object.word, FS_SCOPE_SHARED);
    if (last)
        free_object();
}

/* 0x02 in every byte: whoever still takes it for a lock finds it contended. */
static void lock_and_reuse(void)
{
    bool last;

    word_lock();
    last = leave_as_last();
    fs_word_lock_release(&word_object.word);
    if (!last)
        return;
    watch_word_end(&word_object.word);
    explore_reuse_memory(&word_object, sizeof word_object, 0x02);
    reused = &word_object;
}

/* As above, and the new word is waited on: a late wake of the lock's is a spurious one there. */
static void lock_and_wait_in_its_place(void)
{
    bool last;

    word_lock();
    last = leave_as_last();
    fs_word_lock_release(&word_object.word);
    if (!last)
        return;
    watch_word_end(&word_object.word);
    explore_reuse_memory(&word_object, sizeof word_object, 0);
    watch_word_begin(&word_object.word, FS_SCOPE_PRIVATE);
    users = 0;
    word_lock_once();
}

static void observe_reuse(const struct explore_event *event)
{
    explore_require(!reused || event->word != reused || event->kind == EVENT_WAKE,
                    "W4: thread %u uses a lock that is no more", event->thread);
    watch_word_observe(event);
}

const struct explore_scenario word_freed_scenarios[] = {
    {.name = "word/freed-by-two",
     .about = "W4: the last of two users frees the word while the other is still in its release",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start_two_users,
     .thread = {lock_and_free, lock_and_free},
     WORD_WATCHED},
    {.name = "word/freed-by-three",
     .about = "W4: the same with three",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start_three_users,
     .thread = {lock_and_free, lock_and_free, lock_and_free},
     WORD_WATCHED},
    {.name = "word/freed-by-try",
     .about = "W4: the last user takes the word by trying",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start_three_users,
     .thread = {lock_and_free, lock_and_free, try_and_free},
     WORD_WATCHED},
    {.name = "word/freed-shared",
     .about = "W4: a shared word",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start_two_shared_users,
     .thread = {lock_and_free_shared, lock_and_free_shared},
     WORD_WATCHED},
    {.name = "word/freed-hungry",
     .about = "W4: a word that may have been handed over",
     .world = {.jumps = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {lock_and_free, lock_and_free, lock_and_free},
     WORD_WATCHED},
    {.name = "word/reused",
     .about = "W4: the memory holds something else right after the last unlock",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {lock_and_reuse, lock_and_reuse, lock_and_reuse},
     WORD_WATCHED_BY(observe_reuse)},
    {.name = "word/reused-as-lock",
     .about = "W4: the memory is another lock right after the last unlock, with late wakes to come",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_two_users,
     .thread = {lock_and_wait_in_its_place, lock_and_wait_in_its_place},
     WORD_WATCHED},
    {0},
};
