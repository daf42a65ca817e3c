/* SPDX-License-Identifier: MIT */
/* Parts of the lock word's calls that other locks use: the two halves of a release, and sleepers of
   another word that its holder moves here, who acquire it as woken ones. */
#include "word_parts.h"

static void start(void)
{
    word_start_private();
    word_gate_start();
}

static void release_in_halves(void)
{
    uint32_t released;

    word_lock();
    watch_word_inside(&word_object.word);
    released = fs_word_lock_release_quietly(&word_object.word, true);
    explore_step("between the halves");
    fs_word_lock_wake_after(&word_object.word, released, FS_SCOPE_PRIVATE);
}

static void move_sleepers(void)
{
    word_gate_move_all();
    fs_word_lock_release(&word_object.word);
}

static void wait_to_be_moved(void)
{
    word_gate_wait();
    explore_require(fs_word_lock_acquire_slow(&word_object.word, NULL, FS_SCOPE_PRIVATE, true) == 0,
                    "an acquisition for ever fails");
    word_unlock();
}

const struct explore_scenario word_moved_scenarios[] = {
    {.name = "word/halves",
     .about = "the two halves of a release, and others between them",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start,
     .thread = {release_in_halves, word_lock_once, word_lock_once},
     WORD_WATCHED},
    {.name = "word/two-halves",
     .about = "two releasers on their way to a wake at once",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {release_in_halves, release_in_halves, word_lock_once},
     WORD_WATCHED},
    {.name = "word/moved",
     .about = "sleepers moved to the word by its holder acquire as woken ones, beside a locker",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start,
     .thread = {move_sleepers, wait_to_be_moved, word_lock_once},
     WORD_WATCHED},
    {.name = "word/two-moved",
     .about = "two sleepers are moved, beside a locker",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {move_sleepers, wait_to_be_moved, wait_to_be_moved, word_lock_once},
     WORD_WATCHED},
    {.name = "word/moved-and-disturbed",
     .about = "moved sleepers come back for nothing, or by a handler",
     .world = {.spurious = 1, .interrupts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {move_sleepers, wait_to_be_moved, word_lock_once},
     WORD_WATCHED},
    {0},
};
