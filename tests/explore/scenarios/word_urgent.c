/* SPDX-License-Identifier: MIT */
/* Real-time threads that sleep on the lock word: they ask at once, and the kernel's order by
   priority decides whom a wake takes. Ordinary waiters that get hungry are in word_hunger.c. */
#include "word_grants.h"

static void start_with_urgent(void)
{
    word_start_private();
    word_make_urgent(2, 10);
}

static void start_with_two_urgent(void)
{
    word_start_private();
    word_make_urgent(1, 10);
    word_make_urgent(2, 20);
}

static void lock_once_2_sleeps(void)
{
    word_lock();
    explore_wait_until_asleep(2);
    word_unlock();
}

static void lock_once_1_and_2_sleep(void)
{
    word_lock();
    explore_wait_until_asleep(1);
    explore_wait_until_asleep(2);
    word_unlock();
}

/* A real-time sleeper asks at once, and nobody of lower priority is woken before it. */
static void observe_priorities(const struct explore_event *event)
{
    unsigned priority;

    word_observe_grants(event);
    if (event->word != &word_object.word)
        return;
    priority = word_priority_of(event->thread);
    explore_require(event->kind != EVENT_SLEEP || priority == 0 || event->old == FS_LOCK_HUNGRY,
                    "priority: thread %u sleeps on a word that will not be granted", event->thread);
    for (unsigned i = 0; event->kind == EVENT_AWAKE && event->old == 0 && i < EXPLORE_THREADS; i++)
        explore_require(word_priority_of(i) <= priority ||
                            explore_asleep_on(i) != &word_object.word,
                        "priority: thread %u is woken before thread %u", event->thread, i);
}

const struct explore_scenario urgent_scenarios[] = {
    {.name = "hunger/urgent",
     .about = "beside an ordinary sleeper nobody else takes what was granted to a real-time one",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_with_urgent,
     .thread = {lock_once_2_sleeps, word_lock_once, word_lock_once},
     WORD_WATCHED_BY(word_observe_overtaking)},
    {.name = "hunger/urgent-by-priority",
     .about = "two real-time sleepers of different priority and an ordinary locker",
     .bound = 2,
     .full_bound = 5,
     .start = start_with_two_urgent,
     .thread = {lock_once_1_and_2_sleep, word_lock_once, word_lock_once, word_lock_once},
     WORD_WATCHED_BY(word_observe_overtaking)},
    {.name = "hunger/urgent-and-hungry",
     .about = "a hungry and a real-time sleeper; time passes",
     .world = {.jumps = 1},
     .bound = 3,
     .full_bound = 5,
     .start = start_with_urgent,
     .thread = {word_lock_thrice, word_lock_once, word_lock_once},
     WORD_WATCHED_BY(observe_priorities)},
    {.name = "hunger/urgent-timed",
     .about = "a real-time sleeper gives up",
     .world = {.timeouts = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_with_urgent,
     .thread = {word_lock_twice, word_lock_once, word_lock_until_deadline},
     .check = watch_word_check,
     .observe = observe_priorities,
     .finish = word_finish_with_grant},
    {0},
};
