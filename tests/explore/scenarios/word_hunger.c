/* SPDX-License-Identifier: MIT */
/* Hunger: waiters that have waited too long, and the hand-over to them. Besides the invariants: who
   gets a grant while the clock stands still, that anybody may take it in the end, and how often one
   may ask. Those of real-time priority are in word_urgent.c. */
#include "word_grants.h"

/* Nobody holds the word then, and nobody else is awake: it cannot be refused. */
static void try_what_is_left(void)
{
    explore_wait_until_quiet();
    explore_require(fs_word_lock_try(&word_object.word),
                    "what nobody holds cannot be taken by trying");
    word_unlock();
}

static void lock_what_is_left(void)
{
    explore_wait_until_quiet();
    word_lock_once();
}

/* One may ask in each FS_HUNGER_NS; the clock makes one jump, and before it nobody may. */
static void observe_ration(const struct explore_event *event)
{
    word_observe_grants(event);
    explore_require(__builtin_popcount(word_who_asked()) <= 1,
                    "ration: two threads ask in one millisecond");
}

/* Controls: that the states which these scenarios are about are reached at all. */
static void observe_taken_by_another(const struct explore_event *event)
{
    explore_require(!word_is_overtaking(event), "reached: a grant is taken by another");
    word_observe_grants(event);
}

static void observe_met_by_another(const struct explore_event *event)
{
    if (event->word == &word_object.word && event->kind == EVENT_LOAD &&
        event->new == FS_LOCK_GRANTED)
        explore_require(word_whom_it_is_granted() == 0 ||
                            word_whom_it_is_granted() & 1u << event->thread,
                        "reached: a grant is met by another");
    word_observe_grants(event);
}

static void finish_left_grant(void)
{
    explore_require(fs_load_relaxed(&word_object.word) != FS_LOCK_GRANTED,
                    "reached: a grant is left over");
}

const struct explore_scenario hunger_scenarios[] = {
    {.name = "hunger/two",
     .about = "two lockers; time passes, and the one that slept is handed the word",
     .world = {.jumps = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = word_start_private,
     .thread = {word_lock_thrice, word_lock_once},
     WORD_WATCHED_BY(word_observe_grants)},
    {.name = "hunger/three",
     .about = "three lockers; time passes once",
     .world = {.jumps = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_once, word_lock_once},
     WORD_WATCHED_BY(word_observe_grants)},
    {.name = "hunger/three-twice",
     .about = "three lockers, time passes twice: two of them get hungry",
     .world = {.jumps = 2},
     .bound = 2,
     .full_bound = 4,
     .only_full = true,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_twice, word_lock_twice},
     WORD_WATCHED_BY(word_observe_grants)},
    {.name = "hunger/overtaking",
     .about = "while the clock stands still no arriving locker takes what was granted to a sleeper",
     .world = {.jumps = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_thrice, word_lock_once, word_lock_once},
     WORD_WATCHED_BY(word_observe_overtaking)},
    {.name = "hunger/overtaking-is-tempting",
     .about = "control: an arriving locker does meet such a grant",
     .world = {.jumps = 1},
     .bound = 4,
     .must_fail = true,
     .finds = "reached: a grant is met by another",
     .start = word_start_private,
     .thread = {word_lock_thrice, word_lock_once, word_lock_once},
     WORD_WATCHED_BY(observe_met_by_another)},
    {.name = "hunger/ration",
     .about = "two waiters have waited too long, and one of them may ask",
     .world = {.jumps = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_once, word_lock_once},
     WORD_WATCHED_BY(observe_ration)},
    {.name = "hunger/try",
     .about = "a try may take the grant of another",
     .world = {.jumps = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_once, word_try_twice},
     WORD_WATCHED_BY(word_observe_grants)},
    {.name = "hunger/try-takes-it",
     .about = "control: it does",
     .world = {.jumps = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .must_fail = true,
     .finds = "reached: a grant is taken by another",
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_once, word_try_twice},
     WORD_WATCHED_BY(observe_taken_by_another)},
    {.name = "hunger/disturbed",
     .about = "sleepers, hungry ones too, come back for nothing or by a handler",
     .world = {.jumps = 1, .spurious = 1, .interrupts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_thrice, word_lock_once},
     WORD_WATCHED_BY(word_observe_grants)},
    {.name = "hunger/timed",
     .about = "a hungry waiter gives up; a third thread tries and cannot be refused",
     .world = {.jumps = 1, .timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_until_deadline, try_what_is_left},
     .check = watch_word_check,
     .observe = word_observe_grants,
     .finish = word_finish_with_grant},
    {.name = "hunger/timed-then-locked",
     .about = "a hungry waiter gives up; an ordinary locker takes what is left, the courtesy over",
     .world = {.jumps = 1, .timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_until_deadline, lock_what_is_left},
     .check = watch_word_check,
     .observe = word_observe_grants,
     .finish = word_finish_with_grant},
    {.name = "hunger/timed-leaves-grant",
     .about = "control: the grant is left when the waiter has given up",
     .world = {.jumps = 1, .timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .must_fail = true,
     .finds = "reached: a grant is left over",
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_until_deadline},
     .check = watch_word_check,
     .observe = word_observe_grants,
     .finish = finish_left_grant},
    {.name = "hunger/timed-beside-sleeper",
     .about = "a hungry waiter gives up beside an ordinary sleeper, who is not forgotten",
     .world = {.jumps = 1, .timeouts = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = word_start_private,
     .thread = {word_lock_twice, word_lock_until_deadline, word_lock_once},
     .check = watch_word_check,
     .observe = word_observe_grants,
     .finish = word_finish_with_grant},
    {0},
};
