/* SPDX-License-Identifier: MIT */
/* What watch_group.h checks after every step and in the end: the lists of a bucket while it is not
   locked, and the keys of its groups. */
#include "scenarios/watch_group_state.h"

#include "scenarios/watch_word.h"

#define MUTEXES 2

struct watched_bucket watched_buckets[WATCH_BUCKETS];
struct watched_group watched_groups[WATCH_GROUPS];
static struct fs_mutex *mutexes[MUTEXES];

/* ---- what is watched --------------------------------------------------------------- */

bool watch_is_mutex(const fs_word *word)
{
    for (unsigned i = 0; i < MUTEXES; i++)
        if (mutexes[i] && &mutexes[i]->word == word)
            return true;
    return false;
}

static void remember_key(struct watched_group *watch, const struct fs_group *group)
{
    watch->group = group;
    watch->condition = group->condition;
    watch->mutex = group->mutex;
    watch->move = group->move;
    watch->is_rekeyed = fs_load_relaxed(&group->used) == 0;
    if (watch_is_mutex(group->mutex))
        watch_word_counts(group->mutex, &group->awake);
}

struct watched_group *watched_group_of(const struct fs_group *group)
{
    unsigned i = 0;

    while (i < WATCH_GROUPS && watched_groups[i].group && watched_groups[i].group != group)
        i++;
    explore_require(i < WATCH_GROUPS, "the scenario has too many groups");
    if (!watched_groups[i].group)
        remember_key(&watched_groups[i], group);
    return &watched_groups[i];
}

/* What is there when the scenario begins has had its key since ever. */
static void know_groups(void)
{
    for (unsigned i = 0; i < WATCH_BUCKETS && watched_buckets[i].bucket; i++)
        for (struct fs_group *group = watched_buckets[i].bucket->groups; group;
             group = group->next) {
            struct watched_group *watch = watched_group_of(group);

            remember_key(watch, group);
            watch->is_rekeyed = false;
        }
}

static void watch_bucket(struct fs_bucket *bucket, enum fs_table_kind table)
{
    unsigned i = 0;

    explore_require(bucket, "no memory for the tables");
    while (i < WATCH_BUCKETS && watched_buckets[i].bucket && watched_buckets[i].bucket != bucket)
        i++;
    explore_require(i < WATCH_BUCKETS, "the scenario watches too many buckets");
    watched_buckets[i].bucket = bucket;
    watched_buckets[i].table = table;
}

void watch_condition(const struct fs_condition *c)
{
    watch_bucket(fs_bucket_of(c, FS_TABLE_PLAIN), FS_TABLE_PLAIN);
    watch_bucket(fs_bucket_of(c, FS_TABLE_PI), FS_TABLE_PI);
    know_groups();
}

void watch_condition_mutex(struct fs_mutex *m)
{
    unsigned i = 0;

    while (i < MUTEXES && mutexes[i])
        i++;
    explore_require(i < MUTEXES, "the scenario watches too many mutexes");
    mutexes[i] = m;
    watch_mutex_begin(m);
    know_groups();
}

void watch_mutex_of_strangers(struct fs_mutex *m)
{
    watch_condition_mutex(m);
    watch_word_allow_strangers(&m->word);
}

void watch_mutex_end(struct fs_mutex *m)
{
    for (unsigned i = 0; i < MUTEXES; i++)
        if (mutexes[i] == m)
            mutexes[i] = NULL;
    watch_word_end(&m->word);
}

static bool is_locked(const struct watched_bucket *watch)
{
    uint32_t word = fs_load_relaxed(&watch->bucket->lock);

    return watch->table == FS_TABLE_PI ? word != 0 : fs_lock_is_held(word);
}

/* ---- after every step --------------------------------------------------------------- */

/* C5. A new key is written in one go: no atomic access stands in between. */
static void check_key(struct fs_group *group)
{
    struct watched_group *watch = watched_group_of(group);

    if (watch->condition == group->condition && watch->mutex == group->mutex &&
        watch->move == group->move)
        return;
    explore_require(fs_load_relaxed(&group->used) == 0,
                    "C5: a group gets a new key and is in use (%#x)",
                    fs_load_relaxed(&group->used));
    explore_require(!group->first, "C5: a group gets a new key and members are queued");
    remember_key(watch, group);
}

/* Returns the slots in the queue, as bits. */
static uint32_t check_queue(const struct fs_group *group)
{
    const struct fs_slot *before = NULL;
    uint32_t queued = 0;

    for (const struct fs_slot *slot = group->first; slot; slot = slot->next) {
        explore_require(slot->previous == before, "a queue's links disagree");
        explore_require(slot->group == group && !(queued & slot->bit), "a queue has a wrong slot");
        explore_require(!before || before->priority >= slot->priority,
                        "a queue is not in the order of priority");
        queued |= slot->bit;
        before = slot;
    }
    explore_require(group->last == before, "a queue's end is wrong");
    return queued;
}

static void check_members(const struct fs_group *group, enum fs_table_kind table)
{
    uint32_t used = fs_load_relaxed(&group->used);
    uint32_t queued = check_queue(group);

    explore_require((queued & ~used) == 0, "C5: a queued slot is not in use");
    explore_require(!group->closed || queued == 0, "C4: a closed group has queued members");
    for (unsigned i = 0; i < FS_GROUP_SLOTS; i++) {
        const struct fs_slot *slot = &group->slots[i];

        if (used & (1u << i))
            explore_require(watch_is_queued(fs_load_relaxed(&slot->state)) ==
                                !!(queued & (1u << i)),
                            "C1: slot %u is %squeued and its state %u", i,
                            queued & (1u << i) ? "" : "not ", fs_load_relaxed(&slot->state));
    }
    if (queued != 0)
        explore_require(fs_load_relaxed(&((const struct fs_condition *)group->condition)->queued) &
                            fs_queued_bit(table),
                        "the condition variable does not say that somebody waits");
}

static void check_bucket(const struct watched_bucket *watch)
{
    for (struct fs_group *group = watch->bucket->groups; group; group = group->next) {
        check_key(group);
        explore_require(fs_load_relaxed(&group->awake) <= EXPLORE_THREADS, "awake is %u",
                        fs_load_relaxed(&group->awake));
        if (!is_locked(watch))
            check_members(group, watch->table);
    }
}

/* A fork child has none of its parent's groups. */
static void forget_wiped(void)
{
    for (unsigned i = 0; i < WATCH_GROUPS; i++)
        if (watched_groups[i].group && !watched_groups[i].group->bucket)
            watched_groups[i] = (struct watched_group){0};
}

void watch_group_check(void)
{
    forget_wiped();
    for (unsigned i = 0; i < WATCH_BUCKETS && watched_buckets[i].bucket; i++)
        check_bucket(&watched_buckets[i]);
    watch_word_check();
}

/* ---- in the end -------------------------------------------------------------------------- */

static void finish_group(const struct fs_group *group)
{
    explore_require(fs_load_relaxed(&group->used) == 0, "a group is in use in the end (%#x)",
                    fs_load_relaxed(&group->used));
    explore_require(!group->first && !group->last, "somebody is queued in the end");
    explore_require(fs_load_relaxed(&group->awake) == 0, "awake is %u in the end",
                    fs_load_relaxed(&group->awake));
    explore_require(explore_sleepers(&group->word) == 0, "somebody sleeps in a group in the end");
}

void watch_group_finish(void)
{
    for (unsigned i = 0; i < WATCH_BUCKETS && watched_buckets[i].bucket; i++) {
        explore_require(!is_locked(&watched_buckets[i]), "a bucket is locked in the end");
        for (struct fs_group *group = watched_buckets[i].bucket->groups; group; group = group->next)
            finish_group(group);
    }
    watch_word_finish(false);
}
