/* SPDX-License-Identifier: MIT */
/* What watch_group.h checks at every write, wake and move: who may do it, and in which order. */
#include "scenarios/calls.h"
#include "scenarios/watch_group_state.h"
#include "scenarios/watch_word.h"

/* Where a thread that was moved, or whose wake-up was owed, has to acquire as a woken sleeper. */
static const fs_word *comes_to[EXPLORE_THREADS];

/* ---- what is where ------------------------------------------------------------------------ */

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
    for (unsigned i = 0; i < WATCH_BUCKETS && watched_buckets[i].bucket; i++)
        for (struct fs_group *group = watched_buckets[i].bucket->groups; group; group = group->next)
            if ((const char *)word >= (const char *)group &&
                (const char *)word < (const char *)(group + 1)) {
                *bucket = &watched_buckets[i];
                return group;
            }
    return NULL;
}

static struct fs_slot *slot_of(struct fs_group *group, unsigned thread)
{
    for (unsigned i = 0; i < FS_GROUP_SLOTS; i++)
        if (fs_load_relaxed(&group->used) & (1u << i) &&
            fs_load_pointer_relaxed(&group->slots[i].thread) == call_name_of(thread))
            return &group->slots[i];
    return NULL;
}

/* ---- who may do what -------------------------------------------------------------------- */

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
    for (unsigned i = 0; i < WATCH_GROUPS; i++)
        explore_require(!watched_groups[i].group || watched_groups[i].stale_by != event->thread + 1,
                        "a bucket is unlocked, and a group's word has not changed");
}

/* C1: who may settle what. */
static void state_written(struct fs_group *group, const struct watched_bucket *bucket,
                          struct fs_slot *slot, const struct explore_event *event)
{
    bool locked = is_locked_by(bucket, event->thread);
    bool own = fs_load_pointer_relaxed(&slot->thread) == call_name_of(event->thread);
    bool was_queued = watch_is_queued((uint32_t)event->old);
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
            watched_group_of(group)->stale_by = (uint8_t)(event->thread + 1);
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
    explore_require(!(set & FS_GROUP_ALL_SLOTS) || !watched_group_of(group)->is_rekeyed,
                    "C5: a group got a new key and its word has not changed");
    for (unsigned i = 0; i < FS_GROUP_SLOTS; i++)
        explore_require(!(cleared & (1u << i)) ||
                            !watch_is_queued(fs_load_relaxed(&group->slots[i].state)),
                        "C1: slot %u is left and still queued", i);
}

static void group_written(struct fs_group *group, struct watched_bucket *bucket,
                          const struct explore_event *event)
{
    struct watched_group *watch = watched_group_of(group);
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
    explore_require(slot && !watch_is_queued(fs_load_relaxed(&slot->state)),
                    "C4: a member that waits for a signal is moved");
    explore_require(
        fs_lock_is_held(fs_load_relaxed(group->mutex)) &&
            (!watch_is_mutex(group->mutex) || watch_word_holder(group->mutex) == event->new),
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
                            watched_group_of(group)->stale_by != event->thread + 1,
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
    for (unsigned i = 0; i < WATCH_BUCKETS && watched_buckets[i].bucket; i++)
        if (event->word == &watched_buckets[i].bucket->lock && event->kind == EVENT_WRITE)
            lock_written(&watched_buckets[i], event);
    if (group)
        group_event(group, bucket, event);
    watch_word_observe(event);
}
