/* SPDX-License-Identifier: MIT */
/* Forks at any moment of what other threads do: the child finds no waiter and no lock of the
   library's held, whatever its condition variables and its own mutex have been through. The
   mutex is not watched: its owner may be known by the id of the parent. */
#include "scenarios/meeting.h"

static struct fs_condition unused;

/* ---- setting up ---------------------------------------------------------------------- */

static void set_up(void)
{
    meet_set_up(FS_KIND_NORMAL, 2);
}

static void nobody(void)
{
    set_up();
    watch_condition(&meeting.cond);
    watch_condition(&unused);
}

static void watch_at_the_end(void)
{
    watch_condition(&meeting.cond);
    watch_condition(&unused);
    watch_group_finish();
}

/* Others wait with a mutex that the forking thread stays away from. */
static void one_with_second(void)
{
    set_up();
    call_join_for(0, &meeting.cond, &meeting.second);
    watch_condition(&meeting.cond);
    watch_condition(&unused);
}

static void one(void)
{
    set_up();
    meet_queue(1);
    watch_condition(&meeting.cond);
    watch_condition(&unused);
}

static void two_on_one_processor(void)
{
    set_up();
    fs_settings.processors = 1;
    meet_queue(2);
    watch_condition(&meeting.cond);
    watch_condition(&unused);
}

/* ---- in the parent --------------------------------------------------------------------- */

static void wait_with_second(void)
{
    call_lock(&meeting.second);
    call_wait(&meeting.cond, &meeting.second);
    call_unlock(&meeting.second);
}

static void wait_on_with_second(void)
{
    call_wait_on(NULL);
    call_unlock(&meeting.second);
}

static void broadcast_holding_second(void)
{
    call_lock(&meeting.second);
    meet_broadcast_free();
    call_unlock(&meeting.second);
}

/* ---- in the child ----------------------------------------------------------------------- */

static void become_child(void)
{
    explore_become_fork_child();
    call_forget_others();
}

static void wait_in_vain(struct fs_condition *c)
{
    struct fs_deadline deadline = explore_deadline();
    int err = call_wait_until(c, &meeting.mutex, &deadline);

    explore_require(err == ETIMEDOUT, "a wait in the child returned %d", err);
}

/* Holding the mutex: all that was there can be used, and nobody comes. */
static void use_all_and_unlock(void)
{
    call_signal(&meeting.cond);
    call_broadcast(&meeting.cond);
    wait_in_vain(&meeting.cond);
    wait_in_vain(&unused);
    call_unlock(&meeting.mutex);
}

static void fork_holding(void)
{
    call_lock(&meeting.mutex);
    become_child();
    use_all_and_unlock();
}

static void fork_owing(void)
{
    call_lock(&meeting.mutex);
    meet_signal();
    become_child();
    use_all_and_unlock();
}

static void fork_having_broadcast(void)
{
    call_lock(&meeting.mutex);
    meet_broadcast_free();
    become_child();
    call_unlock(&meeting.mutex);
    call_lock(&meeting.mutex);
    use_all_and_unlock();
}

/* The mutex may be on its way among the waiters: it belongs to none that the child has. */
static void fork_after_a_wait(void)
{
    meet_note(call_wait_on(NULL), false);
    become_child();
    use_all_and_unlock();
}

/* clang-format off */
const struct explore_scenario fork_scenarios[] = {
    {.name = "fork/during-wait", .about = "another joins or waits",
     .needs_timeout = true, .bound = EXPLORE_EXHAUSTIVE, .start = nobody,
     .thread = {wait_with_second, fork_holding}, MEET_WATCH},
    {.name = "fork/during-first-wait", .about = "another maps the tables",
     .needs_timeout = true, .bound = EXPLORE_EXHAUSTIVE, .start = set_up,
     .thread = {wait_with_second, fork_holding}, .finish = watch_at_the_end},
    {.name = "fork/during-broadcast", .about = "another broadcasts to one that waits",
     .needs_timeout = true, .bound = EXPLORE_EXHAUSTIVE,
     .start = one_with_second,
     .thread = {wait_on_with_second, broadcast_holding_second, fork_holding}, MEET_WATCH},
    {.name = "fork/owing", .about = "the forking thread owes a signal",
     .needs_timeout = true, .bound = EXPLORE_EXHAUSTIVE,
     .start = one, .thread = {meet_wait_on, fork_owing}, MEET_WATCH},
    {.name = "fork/having-broadcast", .about = "waiters have been moved to its mutex",
     .needs_timeout = true, .bound = EXPLORE_EXHAUSTIVE,
     .start = one, .thread = {meet_wait_on, fork_having_broadcast}, MEET_WATCH},
    {.name = "fork/after-a-wait", .about = "the forking thread was one of those moved",
     .needs_timeout = true, .bound = EXPLORE_EXHAUSTIVE,
     .start = two_on_one_processor,
     .thread = {fork_after_a_wait, meet_wait_on, meet_broadcast_free}, MEET_WATCH},
    {0},
};
/* clang-format on */
