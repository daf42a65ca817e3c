/* SPDX-License-Identifier: MIT */
/* The memory behind the waiters: groups that are full, shared buckets, groups that become another
   condition variable's while late wakes are under way, and the first wait of a
   process. What a fork child finds is in fork.c. */
#include "explore.h"
#include "scenarios/calls.h"
#include "scenarios/watch_group.h"

#define BIT(thread) ((uint8_t)(1u << (thread)))
#define WATCH .check = watch_group_check, .observe = watch_group_observe, .finish = finish
#define CHUNK_GROUPS 32u /* waiter_group.c's */

static struct fs_mutex mutex;
static struct fs_mutex second;

/* Two in one bucket: the hash leaves the lowest bits out. */
static struct {
    struct fs_condition first;
    struct fs_condition second;
} FS_ALIGNED(8) cond;

static struct fs_condition far_away[64]; /* in other buckets */

static uint8_t got; /* whose waits have returned 0 */

/* Waiters that have left their queue and still have their slots. */
static struct fs_wait leaving[CHUNK_GROUPS];
static uint8_t leaving_count;

/* ---- setting up ---------------------------------------------------------------------- */

static void leave_late(struct fs_condition *c, fs_word *word)
{
    struct fs_wait *wait = &leaving[leaving_count++];

    explore_require(fs_condition_join(c, word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN, NULL, wait),
                    "no memory for a waiter");
    fs_condition_retract(wait);
}

static void finish(void)
{
    while (leaving_count > 0)
        fs_condition_finish(&leaving[--leaving_count], false);
    watch_group_finish();
}

static void set_up(void)
{
    call_set_up(0, 2);
    call_init_mutex(&mutex, FS_KIND_NORMAL, "mutex");
    call_init_mutex(&second, FS_KIND_NORMAL, "second");
    explore_name(&cond.first, sizeof cond.first, "cond");
    explore_name(&cond.second, sizeof cond.second, "cond 2");
}

static void watch(void)
{
    watch_condition(&cond.first);
    watch_condition_mutex(&mutex);
    watch_condition_mutex(&second);
}

static void nearly_full(void)
{
    set_up();
    for (unsigned i = 1; i < FS_GROUP_SLOTS; i++)
        leave_late(&cond.first, &mutex.word);
    watch();
}

static void nearly_full_and_two(void)
{
    set_up();
    for (unsigned i = 1; i < FS_GROUP_SLOTS; i++)
        leave_late(&cond.first, &mutex.word);
    call_join_for(0, &cond.first, &mutex);
    call_join_for(1, &cond.first, &mutex);
    watch();
}

static void one_of_each(void)
{
    set_up();
    call_join_for(0, &cond.first, &mutex);
    call_join_for(1, &cond.second, &second);
    watch();
}

static void one(void)
{
    set_up();
    call_join_for(0, &cond.first, &mutex);
    watch();
}

static void two_on_one_processor(void)
{
    set_up();
    fs_settings.processors = 1;
    call_join_for(0, &cond.first, &mutex);
    call_join_for(1, &cond.first, &mutex);
    watch();
}

/* Every group of the only chunk is in use, all in one bucket, which the scenario stays away from.
 */
static void chunk_is_full(void)
{
    set_up();
    for (unsigned i = 0; i < CHUNK_GROUPS; i++)
        leave_late(&cond.first, &far_away[i].queued);
    watch_condition(&far_away[0]);
    watch_condition(&far_away[32]);
}

/* A waiter in the first chunk, and another chunk. */
static void in_old_chunk(void)
{
    set_up();
    call_join_for(0, &far_away[0], &mutex);
    for (unsigned i = 0; i < CHUNK_GROUPS; i++)
        leave_late(&cond.first, &far_away[i].queued);
    watch_condition(&far_away[0]);
}

/* ---- waiters ------------------------------------------------------------------------- */

static void wait_with(struct fs_condition *c, struct fs_mutex *m)
{
    call_lock(m);
    explore_require(call_wait(c, m) == 0, "a wait failed");
    got |= BIT(explore_self());
    call_unlock(m);
}

static void wait(void)
{
    wait_with(&cond.first, &mutex);
}

static void wait_for_second(void)
{
    wait_with(&cond.second, &second);
}

static void wait_far_away(void)
{
    wait_with(&far_away[0], &mutex);
}

static void wait_elsewhere(void)
{
    wait_with(&far_away[32], &second);
}

static void wait_on_with(struct fs_mutex *m)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    got |= BIT(explore_self());
    call_unlock(m);
}

static void wait_on(void)
{
    wait_on_with(&mutex);
}

static void wait_on_for_second(void)
{
    wait_on_with(&second);
}

static void wait_to_be_cancelled(void)
{
    call_lock(&mutex);
    explore_require(call_wait(&far_away[0], &mutex) == CALL_CANCELLED,
                    "a wait ended, and only a cancellation could");
    call_unlock(&mutex);
}

static void wait_on_to_be_cancelled(void)
{
    explore_require(call_wait_on(NULL) == CALL_CANCELLED,
                    "a wait ended, and only a cancellation could");
    call_unlock(&mutex);
}

static void cancel(void)
{
    call_cancel(0);
}

/* ---- those who wake them --------------------------------------------------------------- */

static void require_got(uint8_t expected)
{
    explore_wait_until_quiet();
    explore_require(got == expected, "%#x went on, and not %#x", got, expected);
}

static void signal_in_turn(void)
{
    call_signal(&cond.second);
    require_got(BIT(1));
    call_signal(&cond.first);
}

static void signal_each(void)
{
    call_signal(&cond.first);
    require_got(BIT(0));
    call_signal(&cond.second);
}

static void broadcast_each(void)
{
    call_broadcast(&cond.first);
    require_got(BIT(0));
    call_broadcast(&cond.second);
}

static void broadcast_both(void)
{
    call_broadcast(&cond.first);
    require_got(BIT(0) | BIT(1));
    call_broadcast(&cond.second);
}

/* Waiters of both groups, one of which has come first. */
static void signal_both(void)
{
    explore_wait_until_quiet();
    call_lock(&mutex);
    call_signal(&cond.first);
    call_signal(&cond.first);
    call_unlock(&mutex);
}

static void broadcast_to_both(void)
{
    call_lock(&mutex);
    call_broadcast(&cond.first);
    call_unlock(&mutex);
}

static void signal_far_away(void)
{
    explore_wait_until_quiet();
    call_signal(&far_away[0]);
    call_signal(&far_away[32]);
}

static void broadcast(void)
{
    call_broadcast(&cond.first);
}

static void broadcast_second_holding(void)
{
    explore_wait_until_asleep(1);
    call_lock(&second);
    call_broadcast(&cond.second);
    call_unlock(&second);
}

/* ---- what one user of a group leaves to the next ---------------------------------------------

   Nothing else orders the two: they have different mutexes, and whoever was signalled does not take
   the bucket's lock again. */

static void broadcast_and_join_with_second(void)
{
    struct fs_wait wait;

    broadcast_to_both();
    call_lock(&second);
    explore_require(fs_condition_join(&cond.second, &second.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                      call_name_of(explore_self()), &wait),
                    "no memory for a waiter");
    fs_condition_retract(&wait);
    fs_condition_finish(&wait, false);
    call_unlock(&second);
}

static void wait_on_and_broadcast_second(void)
{
    wait_on();
    broadcast_second_holding();
}

/* ---- the first wait of a process ------------------------------------------------------------ */

static void finish_unwatched(void)
{
    watch_condition(&far_away[0]);
    watch_condition(&far_away[32]);
    watch_group_finish();
}

/* clang-format off */
const struct explore_scenario group_scenarios[] = {
    {.name = "group/full", .about = "one slot for two waiters",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = nearly_full, .thread = {wait, wait, signal_both}, WATCH},
    {.name = "group/full-broadcast", .about = "one condition variable, two groups",
     .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = nearly_full_and_two,
     .thread = {wait_on, wait_on, broadcast_to_both}, WATCH},
    {.name = "group/one-bucket", .about = "two condition variables in a bucket, signals",
     .bound = EXPLORE_EXHAUSTIVE, .start = one_of_each,
     .thread = {wait_on, wait_on_for_second, signal_in_turn}, WATCH},
    {.name = "group/one-bucket-broadcast", .about = "as above, broadcasts",
     .bound = EXPLORE_EXHAUSTIVE, .start = one_of_each,
     .thread = {wait_on, wait_on_for_second, broadcast_each}, WATCH},
    {.name = "group/late-wake", .about = "a signal's wake finds the group another's",
     .world = {.spurious = 1}, .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = one,
     .thread = {wait_on, wait_for_second, signal_each}, WATCH},
    {.name = "group/late-wake-of-all", .about = "the same with a broadcast's",
     .world = {.spurious = 1}, .bound = 2, .full_bound = EXPLORE_EXHAUSTIVE, .start = one,
     .thread = {wait_on, wait_for_second, broadcast_each}, WATCH},
    {.name = "group/late-lead", .about = "the same while members are led",
     .bound = 1, .full_bound = 3, .start = two_on_one_processor,
     .thread = {wait_on, wait_on, wait_for_second, broadcast_both}, WATCH},
    {.name = "group/crossing-broadcasts", .about = "a broadcaster is late, and another comes",
     .bound = 1, .full_bound = EXPLORE_EXHAUSTIVE, .start = one,
     .thread = {wait_on, wait_for_second, broadcast, broadcast_second_holding}, WATCH},
    {.name = "group/crossing-ordered", .about = "... under the C11 orders alone, a waiter up by itself",
     .world = {.spurious = 1}, .bound = 1, .full_bound = 3, .modes = MODE_WEAK, .start = one,
     .thread = {wait_on_and_broadcast_second, wait_for_second, broadcast}, WATCH},
    {.name = "group/changes-hands", .about = "the next user finds it left, under the C11 orders alone",
     .bound = 1, .full_bound = EXPLORE_EXHAUSTIVE, .modes = MODE_WEAK, .start = one,
     .thread = {wait_on, broadcast_and_join_with_second}, WATCH},
    {.name = "group/first-waits", .about = "two threads map the tables",
     .bound = EXPLORE_EXHAUSTIVE, .start = set_up,
     .thread = {wait_far_away, wait_elsewhere, signal_far_away}, .finish = finish_unwatched},
    {.name = "group/next-chunk", .about = "two threads need the next chunk",
     .bound = EXPLORE_EXHAUSTIVE, .start = chunk_is_full,
     .thread = {wait_far_away, wait_elsewhere, signal_far_away}, WATCH},
    {.name = "group/cancel-in-next-chunk", .about = "a cancellation looks into a new chunk",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = chunk_is_full, .thread = {wait_to_be_cancelled, cancel}, WATCH},
    {.name = "group/cancel-in-old-chunk", .about = "a cancellation looks into all chunks",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = in_old_chunk, .thread = {wait_on_to_be_cancelled, cancel}, WATCH},
    {0},
};
/* clang-format on */
