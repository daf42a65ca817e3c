/* SPDX-License-Identifier: MIT */
/* The checks of watch_group.h. Lists are looked at only while their bucket is not locked; single
   words at every write. */
#include "scenarios/watch_group.h"

#include "scenarios/calls.h"
#include "scenarios/watch_word.h"

#define BUCKETS 4
#define GROUPS 5
#define MUTEXES 2

struct watched_bucket {
    struct fs_bucket *bucket;
    enum fs_table_kind table;
    uint8_t holder; /* index + 1, as its lock's writes tell; plain table only */
};

/* What is remembered of a group, to notice changes. */
struct watched_group {
    const struct fs_group *group;
    const void *condition;
    const fs_word *mutex;
    enum fs_move move;
    bool is_rekeyed;  /* and its word has not changed since */
    uint8_t stale_by; /* index + 1 of who has settled a sleeper and not changed the word since */
};

static struct watched_bucket buckets[BUCKETS];
static struct watched_group groups[GROUPS];
static struct fs_mutex *mutexes[MUTEXES];

/* Where a thread that was moved, or whose wake-up was owed, has to acquire as a woken sleeper. */
static const fs_word *comes_to[EXPLORE_THREADS];

/* ---- what is watched --------------------------------------------------------------- */

static bool is_watched_mutex(const fs_word *word)
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
    if (is_watched_mutex(group->mutex))
        watch_word_counts(group->mutex, &group->awake);
}

static struct watched_group *watched_of(const struct fs_group *group)
{
    unsigned i = 0;

    while (i < GROUPS && groups[i].group && groups[i].group != group)
        i++;
    explore_require(i < GROUPS, "the scenario has too many groups");
    if (!groups[i].group)
        remember_key(&groups[i], group);
    return &groups[i];
}

/* What is there when the scenario begins has had its key since ever. */
static void know_groups(void)
{
    for (unsigned i = 0; i < BUCKETS && buckets[i].bucket; i++)
        for (struct fs_group *group = buckets[i].bucket->groups; group; group = group->next) {
            struct watched_group *watch = watched_of(group);

            remember_key(watch, group);
            watch->is_rekeyed = false;
        }
}

static void watch_bucket(struct fs_bucket *bucket, enum fs_table_kind table)
{
    unsigned i = 0;

    explore_require(bucket, "no memory for the tables");
    while (i < BUCKETS && buckets[i].bucket && buckets[i].bucket != bucket)
        i++;
    explore_require(i < BUCKETS, "the scenario watches too many buckets");
    buckets[i].bucket = bucket;
    buckets[i].table = table;
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

static bool is_locked_by(const struct watched_bucket *watch, unsigned thread)
{
    uint32_t word = fs_load_relaxed(&watch->bucket->lock);

    if (watch->table == FS_TABLE_PI)
        return (word & FS_PI_TID_MASK) == explore_id_of(thread);
    return fs_lock_is_held(word) && watch->holder == thread + 1;
}

/* The group that the word lies in, and its bucket. */
static struct fs_group *group_around(const void *word, struct watched_bucket **bucket)
{
    for (unsigned i = 0; i < BUCKETS && buckets[i].bucket; i++)
        for (struct fs_group *group = buckets[i].bucket->groups; group; group = group->next)
            if ((const char *)word >= (const char *)group &&
                (const char *)word < (const char *)(group + 1)) {
                *bucket = &buckets[i];
                return group;
            }
    return NULL;
}

static bool is_queued_state(uint32_t state)
{
    return state == FS_SLOT_WAITING || state == FS_SLOT_SLEEPING;
}

static struct fs_slot *slot_of(struct fs_group *group, unsigned thread)
{
    for (unsigned i = 0; i < FS_GROUP_SLOTS; i++)
        if (fs_load_relaxed(&group->used) & (1u << i) &&
            fs_load_pointer_relaxed(&group->slots[i].thread) == call_name_of(thread))
            return &group->slots[i];
    return NULL;
}

/* ---- after every step --------------------------------------------------------------- */

/* C5. A new key is written in one go: no atomic access stands in between. */
static void check_key(struct fs_group *group)
{
    struct watched_group *watch = watched_of(group);

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
            explore_require(is_queued_state(fs_load_relaxed(&slot->state)) ==
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
    for (unsigned i = 0; i < GROUPS; i++)
        if (groups[i].group && !groups[i].group->bucket)
            groups[i] = (struct watched_group){0};
}

void watch_group_check(void)
{
    forget_wiped();
    for (unsigned i = 0; i < BUCKETS && buckets[i].bucket; i++)
        check_bucket(&buckets[i]);
    watch_word_check();
}

/* ---- at an event ----------------------------------------------------------------------- */

static void lock_written(struct watched_bucket *watch, const struct explore_event *event)
{
    bool was = fs_lock_is_held((uint32_t)event->old);
    bool is = fs_lock_is_held((uint32_t)event->new);

    if (watch->table == FS_TABLE_PI)
        return;
    if (is && !was)
        watch->holder = (uint8_t)(event->thread + 1);
    if (is || !was)
        return;
    explore_require(watch->holder == event->thread + 1, "a bucket is unlocked by thread %u",
                    event->thread);
    watch->holder = 0;
    for (unsigned i = 0; i < GROUPS; i++)
        explore_require(!groups[i].group || groups[i].stale_by != event->thread + 1,
                        "a bucket is unlocked, and a group's word has not changed");
}

/* C1: who may settle what. */
static void state_written(struct fs_group *group, const struct watched_bucket *bucket,
                          struct fs_slot *slot, const struct explore_event *event)
{
    bool locked = is_locked_by(bucket, event->thread);
    bool own = fs_load_pointer_relaxed(&slot->thread) == call_name_of(event->thread);
    bool was_queued = is_queued_state((uint32_t)event->old);
    const struct fs_slot *first = group->first;

    switch ((enum fs_slot_state)event->new) {
    case FS_SLOT_WAITING:
        explore_require(locked && !was_queued && !(fs_load_relaxed(&group->used) & slot->bit),
                        "C1: thread %u queues a slot that is not its own", event->thread);
        break;
    case FS_SLOT_SLEEPING:
        explore_require(own && event->old == FS_SLOT_WAITING, "C1: a slot of state %u sleeps",
                        (unsigned)event->old);
        break;
    case FS_SLOT_FREE:
        explore_require(locked && own && was_queued, "C1: a waiter quits from state %u",
                        (unsigned)event->old);
        break;
    case FS_SLOT_SIGNALLED:
        explore_require(!first || first->priority < slot->priority ||
                            (first->priority == slot->priority &&
                             (first->ticket > slot->ticket || first->priority != 0)),
                        "C3: a signal passes over a waiter that came first");
        /* fall through */
    case FS_SLOT_INTERRUPTED:
        explore_require(locked && was_queued, "C1: a slot of state %u is chosen",
                        (unsigned)event->old);
        if (event->old == FS_SLOT_SLEEPING)
            watched_of(group)->stale_by = (uint8_t)(event->thread + 1);
        break;
    }
}

static void used_written(struct fs_group *group, const struct watched_bucket *bucket,
                         const struct explore_event *event)
{
    uint32_t set = (uint32_t)(event->new & ~event->old);
    uint32_t cleared = (uint32_t)(event->old & ~event->new);

    explore_require((set == 0) != (cleared == 0), "C5: used was %#x and is %#x",
                    (unsigned)event->old, (unsigned)event->new);
    explore_require(set == 0 || is_locked_by(bucket, event->thread),
                    "C5: thread %u takes a slot without the lock", event->thread);
    explore_require(!(set & FS_GROUP_ALL_SLOTS) ||
                        (!group->closed && !(event->old & FS_GROUP_HELD)),
                    "C4: a waiter joins a closed group");
    explore_require(!(set & FS_GROUP_ALL_SLOTS) || !watched_of(group)->is_rekeyed,
                    "C5: a group got a new key and its word has not changed");
    for (unsigned i = 0; i < FS_GROUP_SLOTS; i++)
        explore_require(!(cleared & (1u << i)) ||
                            !is_queued_state(fs_load_relaxed(&group->slots[i].state)),
                        "C1: slot %u is left and still queued", i);
}

static void group_written(struct fs_group *group, struct watched_bucket *bucket,
                          const struct explore_event *event)
{
    struct watched_group *watch = watched_of(group);
    unsigned by = event->thread + 1;

    if (event->word == &group->word) {
        explore_require(is_locked_by(bucket, event->thread),
                        "thread %u changes a group's word without the lock", event->thread);
        watch->is_rekeyed = false;
        watch->stale_by = 0;
    } else if (event->word == &group->used) {
        used_written(group, bucket, event);
    } else if (event->word == &group->moved) {
        explore_require(event->new == 0 || group->closed, "C4: an open group is to be moved");
    } else if (event->word == &group->pending) {
        explore_require(event->new == 0 || (group->closed && watch->stale_by != by),
                        "C4: a group is to be led, and its word has not changed");
    }
    for (unsigned i = 0; i < FS_GROUP_SLOTS; i++)
        if (event->word == &group->slots[i].state)
            state_written(group, bucket, &group->slots[i], event);
}

/* C4: a thread asleep in the group is moved. */
static void member_moved(struct fs_group *group, const struct explore_event *event)
{
    struct fs_slot *slot = slot_of(group, event->thread);

    explore_require(group->closed, "C4: a member of an open group is moved");
    explore_require(event->other == group->mutex, "C4: a member is moved to another mutex");
    explore_require(slot && !is_queued_state(fs_load_relaxed(&slot->state)),
                    "C4: a member that waits for a signal is moved");
    explore_require(
        fs_lock_is_held(fs_load_relaxed(group->mutex)) &&
            (!is_watched_mutex(group->mutex) || watch_word_holder(group->mutex) == event->new),
        "C4: a member is moved to a mutex that the mover does not hold");
    comes_to[event->thread] = group->mutex;
}

static void group_event(struct fs_group *group, struct watched_bucket *bucket,
                        const struct explore_event *event)
{
    const struct fs_slot *slot;

    switch (event->kind) {
    case EVENT_WRITE:
        group_written(group, bucket, event);
        break;
    case EVENT_WAKE:
        explore_require(event->word != &group->word ||
                            watched_of(group)->stale_by != event->thread + 1,
                        "thread %u wakes before it changes the word", event->thread);
        break;
    case EVENT_MOVE:
        if (event->other != event->word) /* a call that begins anew stays where it was */
            member_moved(group, event);
        break;
    case EVENT_AWAKE:
        slot = slot_of(group, event->thread);
        if (slot && slot->carrier)
            comes_to[event->thread] = group->mutex;
        break;
    default:
        break;
    }
}

/* C6: on its way to the mutex the thread makes it contended, when it acquires or sleeps again. */
static void check_return(const struct explore_event *event)
{
    const fs_word **to = &comes_to[event->thread];

    if (*to != event->word || event->kind == EVENT_LOAD || event->kind == EVENT_FAILED)
        return;
    if (event->kind == EVENT_WRITE)
        explore_require(event->new == FS_LOCK_CONTENDED || event->new == FS_LOCK_HUNGRY,
                        "C6: a woken sleeper acquires by %u -> %u", (unsigned)event->old,
                        (unsigned)event->new);
    if (event->kind == EVENT_WRITE || event->kind == EVENT_SLEEP)
        *to = NULL;
}

void watch_group_observe(const struct explore_event *event)
{
    struct watched_bucket *bucket = NULL;
    struct fs_group *group = group_around(event->word, &bucket);

    if (event->thread < EXPLORE_THREADS)
        check_return(event);
    for (unsigned i = 0; i < BUCKETS && buckets[i].bucket; i++)
        if (event->word == &buckets[i].bucket->lock && event->kind == EVENT_WRITE)
            lock_written(&buckets[i], event);
    if (group)
        group_event(group, bucket, event);
    watch_word_observe(event);
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
    for (unsigned i = 0; i < BUCKETS && buckets[i].bucket; i++) {
        explore_require(!is_locked(&buckets[i]), "a bucket is locked in the end");
        for (struct fs_group *group = buckets[i].bucket->groups; group; group = group->next)
            finish_group(group);
    }
    watch_word_finish(false);
}
