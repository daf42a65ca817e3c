/* SPDX-License-Identifier: MIT */
/* Hunger: waiters that have waited too long, or are of real-time priority, and the hand-over to
   them. Besides the invariants: who gets a grant while the clock stands still, that anybody may
   take it in the end, and how often one may ask. */
#include "lock/word_lock.h"

#include <errno.h>

#include "explore.h"
#include "lock/settings.h"
#include "watch_word.h"

static fs_word word;
static uint8_t asked;   /* threads that have made the word hungry, one bit each */
static uint8_t listens; /* those that sleep with the bit which a grant looks for */
static uint8_t meant;   /* whom the grant is for, while it is not taken */
static unsigned priorities[EXPLORE_THREADS];

static void start(void)
{
    fs_settings.spin = 0;
    fs_settings.processors = 2;
    watch_word_begin(&word, FS_SCOPE_PRIVATE);
    explore_name(&word, sizeof word, "word");
}

static void make_urgent(unsigned thread, unsigned priority)
{
    priorities[thread] = priority;
    explore_set_priority(thread, priority);
}

static void start_with_urgent(void)
{
    start();
    make_urgent(2, 10);
}

static void start_with_two_urgent(void)
{
    start();
    make_urgent(1, 10);
    make_urgent(2, 20);
}

/* ---- threads -------------------------------------------------------------------------- */

static void lock(void)
{
    explore_require(fs_word_lock_acquire(&word, NULL, FS_SCOPE_PRIVATE) == 0,
                    "an acquisition for ever fails");
}

static void lock_once(void)
{
    lock();
    watch_word_inside(&word);
    fs_word_lock_release(&word);
}

static void lock_twice(void)
{
    lock_once();
    lock_once();
}

static void lock_thrice(void)
{
    lock_twice();
    lock_once();
}

static void lock_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = fs_word_lock_acquire(&word, &deadline, FS_SCOPE_PRIVATE);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed acquisition returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&word);
    fs_word_lock_release(&word);
}

static void try_once(void)
{
    if (!fs_word_lock_try(&word))
        return;
    watch_word_inside(&word);
    fs_word_lock_release(&word);
}

static void try_twice(void)
{
    try_once();
    try_once();
}

/* Nobody holds the word then, and nobody else is awake: it cannot be refused. */
static void try_what_is_left(void)
{
    explore_wait_until_quiet();
    explore_require(fs_word_lock_try(&word), "what nobody holds cannot be taken by trying");
    watch_word_inside(&word);
    fs_word_lock_release(&word);
}

static void lock_what_is_left(void)
{
    explore_wait_until_quiet();
    lock_once();
}

static void lock_once_2_sleeps(void)
{
    lock();
    explore_wait_until_asleep(2);
    watch_word_inside(&word);
    fs_word_lock_release(&word);
}

static void lock_once_1_and_2_sleep(void)
{
    lock();
    explore_wait_until_asleep(1);
    explore_wait_until_asleep(2);
    watch_word_inside(&word);
    fs_word_lock_release(&word);
}

/* ---- checks ----------------------------------------------------------------------------- */

/* A grant is for one of those who listen for it, the kernel's choice: one of highest priority. */
static void note_grant(void)
{
    unsigned highest = 0;

    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (listens & 1u << i && priorities[i] > highest)
            highest = priorities[i];
    meant = 0;
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (listens & 1u << i && priorities[i] == highest)
            meant |= (uint8_t)(1u << i);
}

static void note_write(const struct explore_event *event)
{
    if (event->new == FS_LOCK_HUNGRY)
        asked |= (uint8_t)(1u << event->thread);
    if (event->new == FS_LOCK_GRANTED)
        note_grant();
    else
        meant = 0;
}

static void observe(const struct explore_event *event)
{
    uint8_t bit = (uint8_t)(1u << event->thread);

    watch_word_observe(event);
    if (event->word != &word)
        return;
    if (event->kind == EVENT_WRITE)
        note_write(event);
    if (event->kind == EVENT_SLEEP && event->new &FS_LOCK_BIT_HUNGRY)
        listens |= bit;
    if (event->kind == EVENT_AWAKE)
        listens &= (uint8_t)~bit;
}

/* Whether an ordinary thread acquires what was granted to a sleeper. */
static bool is_overtaking(const struct explore_event *event)
{
    uint8_t bit = (uint8_t)(1u << event->thread);

    return event->word == &word && event->kind == EVENT_WRITE && event->old == FS_LOCK_GRANTED &&
           meant != 0 && !(meant & bit) && !(asked & bit) && priorities[event->thread] == 0;
}

/* The clock has made its only jump when somebody has become hungry, or makes none. */
static void observe_overtaking(const struct explore_event *event)
{
    explore_require(!is_overtaking(event),
                    "overtaking: thread %u takes what was granted to another", event->thread);
    observe(event);
}

/* A real-time sleeper asks at once, and nobody of lower priority is woken before it. */
static void observe_priorities(const struct explore_event *event)
{
    unsigned priority = priorities[event->thread];

    observe(event);
    if (event->word != &word)
        return;
    explore_require(event->kind != EVENT_SLEEP || priority == 0 || event->old == FS_LOCK_HUNGRY,
                    "priority: thread %u sleeps on a word that will not be granted", event->thread);
    for (unsigned i = 0; event->kind == EVENT_AWAKE && event->old == 0 && i < EXPLORE_THREADS; i++)
        explore_require(priorities[i] <= priority || explore_asleep_on(i) != &word,
                        "priority: thread %u is woken before thread %u", event->thread, i);
}

/* One may ask in each FS_HUNGER_NS; the clock makes one jump, and before it nobody may. */
static void observe_ration(const struct explore_event *event)
{
    observe(event);
    explore_require((asked & (asked - 1u)) == 0, "ration: two threads ask in one millisecond");
}

static void finish(void)
{
    watch_word_finish(false);
}

static void finish_with_grant(void)
{
    watch_word_finish(true);
}

/* Controls: that the states which these scenarios are about are reached at all. */
static void observe_taken_by_another(const struct explore_event *event)
{
    explore_require(!is_overtaking(event), "reached: a grant is taken by another");
    observe(event);
}

static void observe_met_by_another(const struct explore_event *event)
{
    if (event->word == &word && event->kind == EVENT_LOAD && event->new == FS_LOCK_GRANTED)
        explore_require(meant == 0 || meant & 1u << event->thread,
                        "reached: a grant is met by another");
    observe(event);
}

static void finish_left_grant(void)
{
    explore_require(fs_load_relaxed(&word) != FS_LOCK_GRANTED, "reached: a grant is left over");
}

/* ---- the table ---------------------------------------------------------------------------- */

#define WATCHED .check = watch_word_check, .observe = observe, .finish = finish

const struct explore_scenario hunger_scenarios[] = {
    {.name = "hunger/two",
     .about = "two lockers; time passes, and the one that slept is handed the word",
     .world = {.jumps = 2},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_thrice, lock_once},
     WATCHED},
    {.name = "hunger/three",
     .about = "three lockers; time passes once",
     .world = {.jumps = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_twice, lock_once, lock_once},
     WATCHED},
    {.name = "hunger/three-twice",
     .about = "three lockers, time passes twice: two of them get hungry",
     .world = {.jumps = 2},
     .bound = 2,
     .full_bound = 4,
     .only_full = true,
     .start = start,
     .thread = {lock_twice, lock_twice, lock_twice},
     WATCHED},
    {.name = "hunger/overtaking",
     .about = "while the clock stands still no arriving locker takes what was granted to a sleeper",
     .world = {.jumps = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_thrice, lock_once, lock_once},
     .check = watch_word_check,
     .observe = observe_overtaking,
     .finish = finish},
    {.name = "hunger/overtaking-is-tempting",
     .about = "control: an arriving locker does meet such a grant",
     .world = {.jumps = 1},
     .bound = 4,
     .must_fail = true,
     .finds = "reached: a grant is met by another",
     .start = start,
     .thread = {lock_thrice, lock_once, lock_once},
     .check = watch_word_check,
     .observe = observe_met_by_another,
     .finish = finish},
    {.name = "hunger/ration",
     .about = "two waiters have waited too long, and one of them may ask",
     .world = {.jumps = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_twice, lock_once, lock_once},
     .check = watch_word_check,
     .observe = observe_ration,
     .finish = finish},
    {.name = "hunger/try",
     .about = "a try may take the grant of another",
     .world = {.jumps = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_twice, lock_once, try_twice},
     WATCHED},
    {.name = "hunger/try-takes-it",
     .about = "control: it does",
     .world = {.jumps = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .must_fail = true,
     .finds = "reached: a grant is taken by another",
     .start = start,
     .thread = {lock_twice, lock_once, try_twice},
     .check = watch_word_check,
     .observe = observe_taken_by_another,
     .finish = finish},
    {.name = "hunger/disturbed",
     .about = "sleepers, hungry ones too, come back for nothing or by a handler",
     .world = {.jumps = 1, .spurious = 1, .interrupts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_thrice, lock_once},
     WATCHED},
    {.name = "hunger/timed",
     .about = "a hungry waiter gives up; a third thread tries and cannot be refused",
     .world = {.jumps = 1, .timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_twice, lock_until_deadline, try_what_is_left},
     .check = watch_word_check,
     .observe = observe,
     .finish = finish_with_grant},
    {.name = "hunger/timed-then-locked",
     .about = "a hungry waiter gives up; an ordinary locker takes what is left, the courtesy over",
     .world = {.jumps = 1, .timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_twice, lock_until_deadline, lock_what_is_left},
     .check = watch_word_check,
     .observe = observe,
     .finish = finish_with_grant},
    {.name = "hunger/timed-leaves-grant",
     .about = "control: the grant is left when the waiter has given up",
     .world = {.jumps = 1, .timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .must_fail = true,
     .finds = "reached: a grant is left over",
     .start = start,
     .thread = {lock_twice, lock_until_deadline},
     .check = watch_word_check,
     .observe = observe,
     .finish = finish_left_grant},
    {.name = "hunger/timed-beside-sleeper",
     .about = "a hungry waiter gives up beside an ordinary sleeper, who is not forgotten",
     .world = {.jumps = 1, .timeouts = 1},
     .bound = 4,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {lock_twice, lock_until_deadline, lock_once},
     .check = watch_word_check,
     .observe = observe,
     .finish = finish_with_grant},
    {.name = "hunger/urgent",
     .about =
         "an ordinary and a real-time sleeper: while the clock stands still, nobody else takes "
         "the grant of the real-time one",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_with_urgent,
     .thread = {lock_once_2_sleeps, lock_once, lock_once},
     .check = watch_word_check,
     .observe = observe_overtaking,
     .finish = finish},
    {.name = "hunger/urgent-by-priority",
     .about = "two real-time sleepers of different priority and an ordinary locker",
     .bound = 3,
     .full_bound = 5,
     .start = start_with_two_urgent,
     .thread = {lock_once_1_and_2_sleep, lock_once, lock_once, lock_once},
     .check = watch_word_check,
     .observe = observe_overtaking,
     .finish = finish},
    {.name = "hunger/urgent-and-hungry",
     .about = "a hungry, an ordinary and a real-time sleeper; time passes",
     .world = {.jumps = 1},
     .bound = 2,
     .full_bound = 3,
     .start = start_with_urgent,
     .thread = {lock_twice, lock_once, lock_once, lock_once},
     .check = watch_word_check,
     .observe = observe_priorities,
     .finish = finish},
    {.name = "hunger/urgent-timed",
     .about = "a real-time sleeper gives up",
     .world = {.timeouts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_with_urgent,
     .thread = {lock_twice, lock_once, lock_until_deadline},
     .check = watch_word_check,
     .observe = observe_priorities,
     .finish = finish_with_grant},
    {0},
};
