/* SPDX-License-Identifier: MIT */
/* Several sleepers moved to the lock word that are awake at once and rely on each other
   (fs_word_lock_acquire_among, fs_word_lock_rely_on), as lock/broadcast.c has them: while another
   member is awake, a release wakes nobody; the last of a batch wakes the next batch. Here without
   a condition variable or a mutex around. */
#include "word_parts.h"

#define BATCH 2

static fs_word awake; /* as in struct fs_group */
static fs_word crowded;
static unsigned users; /* who have still to acquire the lock; counted only if the lock goes */
static unsigned batch; /* how many the last of a batch wakes */

static void start_with(unsigned spin, unsigned size)
{
    batch = size;
    word_start(FS_SCOPE_PRIVATE, spin);
    watch_word_counts(&word_object.word, &awake);
    word_gate_start();
    explore_name(&awake, sizeof awake, "awake");
    explore_name(&crowded, sizeof crowded, "crowded");
}

static void start(void)
{
    start_with(0, BATCH);
}

static void start_spinning(void)
{
    start_with(1, BATCH);
}

static void start_one_by_one(void)
{
    start_with(0, 1);
}

static void start_three_users(void)
{
    start();
    users = 3;
}

/* ---- threads --------------------------------------------------------------------- */

/* Holds the word when the members come: some of them have to sleep again. */
static void lock_for_long(void)
{
    word_lock();
    for (unsigned i = 0; i < 2; i++) {
        watch_word_inside(&word_object.word);
        explore_pause();
    }
    fs_word_lock_release(&word_object.word);
}

/* Wakes a batch with one call, as the payment of a debt on the word would. */
static void release_with_batch(void)
{
    uint32_t released = fs_word_lock_release_quietly(&word_object.word, true);
    int woken = 0;

    if (released != FS_LOCK_LOCKED)
        woken = fs_futex_wake_bitset(&word_object.word, (int)batch, FS_LOCK_BITS_ORDINARY,
                                     FS_SCOPE_PRIVATE);
    if (woken == 0 || released == FS_LOCK_HUNGRY)
        fs_word_lock_wake_after(&word_object.word, released, FS_SCOPE_PRIVATE);
}

static void send_off(void)
{
    word_gate_move_all();
    release_with_batch();
}

static void send_off_sleeping(void)
{
    explore_wait_until_asleep(1);
    explore_wait_until_asleep(2);
    send_off();
}

static void send_off_three_sleeping(void)
{
    explore_wait_until_asleep(1);
    explore_wait_until_asleep(2);
    explore_wait_until_asleep(3);
    send_off();
}

static void join(void)
{
    word_gate_wait();
    if (fs_word_lock_acquire_among(&word_object.word, &awake))
        fs_store_relaxed(&crowded, 1);
    watch_word_inside(&word_object.word);
}

/* Sees to it that the others follow. */
static void leave(void)
{
    if (fs_load_relaxed(&crowded) != 0 || fs_word_lock_rely_on(&word_object.word, &awake))
        fs_word_lock_release(&word_object.word);
    else
        release_with_batch();
}

static void be_member(void)
{
    join();
    leave();
}

static void be_member_then_lock(void)
{
    be_member();
    word_lock_once();
}

/* ---- the memory goes with the last of them --------------------------------------- */

static void free_object_if(bool last)
{
    if (!last)
        return;
    watch_word_end(&word_object.word);
    explore_kill_memory(&word_object, sizeof word_object);
}

static void send_off_and_free(void)
{
    bool last;

    explore_wait_until_asleep(1);
    explore_wait_until_asleep(2);
    word_gate_move_all();
    last = --users == 0;
    release_with_batch();
    free_object_if(last);
}

static void be_member_and_free(void)
{
    bool last;

    join();
    last = --users == 0;
    leave();
    free_object_if(last);
}

/* ---- checks ---------------------------------------------------------------------- */

static void finish(void)
{
    watch_word_finish(false);
    explore_require(fs_load_relaxed(&awake) == 0, "the count of those awake is %u in the end",
                    fs_load_relaxed(&awake));
}

#define WATCHED .check = watch_word_check, .observe = watch_word_observe, .finish = finish

/* Controls: that the states which these scenarios are about are reached at all. */
static void observe_reliance(const struct explore_event *event)
{
    watch_word_observe(event);
    explore_require(event->word != &word_object.word || event->kind != EVENT_WRITE ||
                        event->old != FS_LOCK_CONTENDED || event->new != FS_LOCK_LOCKED,
                    "reached: a holder relies on another");
}

static void observe_crowd(const struct explore_event *event)
{
    watch_word_observe(event);
    explore_require(event->word != &crowded || event->kind != EVENT_WRITE,
                    "reached: a member sleeps again");
}

const struct explore_scenario members_scenarios[] = {
    {.name = "members/two",
     .about = "two members, asleep or on their way there when they are sent off",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {send_off, be_member, be_member},
     WATCHED},
    {.name = "members/two-spin",
     .about = "the same; they look several times while they are counted",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_spinning,
     .thread = {send_off, be_member, be_member},
     WATCHED},
    {.name = "members/two-and-locker",
     .about = "two members and a locker that is none, and may make a member sleep again",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {send_off_sleeping, be_member, be_member, word_lock_once},
     WATCHED},
    {.name = "members/two-ordered",
     .about = "two members under the C11 orders alone",
     .bound = 2,
     .full_bound = 3,
     .modes = MODE_WEAK,
     .start = start,
     .thread = {send_off, be_member, be_member},
     WATCHED},
    {.name = "members/two-and-locker-ordered",
     .about = "two members and a locker under the C11 orders alone",
     .bound = 1,
     .full_bound = 3,
     .modes = MODE_WEAK,
     .start = start,
     .thread = {send_off_sleeping, be_member, be_member, word_lock_once},
     WATCHED},
    {.name = "members/two-and-holder",
     .about = "a locker that is no member holds the word for long",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {send_off_sleeping, be_member, be_member, lock_for_long},
     WATCHED},
    {.name = "members/two-and-locker-spin",
     .about = "members that look several times, and a locker that is none",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_spinning,
     .thread = {send_off_sleeping, be_member, be_member, word_lock_once},
     WATCHED},
    {.name = "members/then-lockers",
     .about = "members come back as ordinary lockers at once",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {send_off, be_member_then_lock, be_member_then_lock},
     WATCHED},
    {.name = "members/sender-locks-again",
     .about = "a locker comes twice while the members follow each other",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {send_off_sleeping, be_member, be_member, word_lock_twice},
     WATCHED},
    {.name = "members/three",
     .about = "three members in batches of two",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {send_off_three_sleeping, be_member, be_member, be_member},
     WATCHED},
    {.name = "members/three-one-by-one",
     .about = "three members, woken one by one",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_one_by_one,
     .thread = {send_off_three_sleeping, be_member, be_member, be_member},
     WATCHED},
    {.name = "members/three-and-locker",
     .about = "three members and a locker that is none",
     .bound = 2,
     .full_bound = 4,
     .start = start,
     .thread = {send_off_three_sleeping, be_member, be_member, be_member, word_lock_once},
     WATCHED},
    {.name = "members/disturbed",
     .about = "members come back for nothing, or by a handler",
     .world = {.spurious = 1, .interrupts = 1},
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {send_off, be_member, be_member},
     WATCHED},
    {.name = "members/hungry-locker",
     .about = "a locker that is no member gets hungry among them",
     .world = {.jumps = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {send_off_sleeping, be_member, be_member, word_lock_once},
     WATCHED},
    {.name = "members/freed",
     .about = "W4: the last of them frees the word while others are still in their releases",
     .bound = EXPLORE_EXHAUSTIVE,
     .modes = MODE_TSO | MODE_WEAK,
     .start = start_three_users,
     .thread = {send_off_and_free, be_member_and_free, be_member_and_free},
     WATCHED},
    {.name = "members/they-rely",
     .about = "control: a holder does rely on another member",
     .bound = EXPLORE_EXHAUSTIVE,
     .must_fail = true,
     .finds = "reached: a holder relies on another",
     .start = start,
     .thread = {send_off, be_member, be_member},
     .check = watch_word_check,
     .observe = observe_reliance,
     .finish = finish},
    {.name = "members/they-sleep-again",
     .about = "control: a member does sleep again",
     .bound = EXPLORE_EXHAUSTIVE,
     .must_fail = true,
     .finds = "reached: a member sleeps again",
     .start = start,
     .thread = {send_off_sleeping, be_member, be_member, word_lock_once},
     .check = watch_word_check,
     .observe = observe_crowd,
     .finish = finish},
    {0},
};
