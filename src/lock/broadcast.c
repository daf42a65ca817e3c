/* SPDX-License-Identifier: MIT */
/* Broadcasting over waiter_group.h: who is woken at once, who is moved to the mutex, and by whom.
   Waiting and signalling are condition.c's. */
#include <stddef.h>

#include "lock/condition.h"
#include "lock/settings.h"

/* A group whose members have all been signalled, held until they are on their way. */
struct herd {
    struct fs_group *groups; /* linked by next_herd */
};

/* How a broadcaster gets a group going. Whether it owns the mutex is asked while members are queued
   and so keep the mutex alive; if it does, the mutex stays alive until it gives it up. */
enum departure {
    DEPART_AWAKE = 0, /* wake all */
    DEPART_MOVED,     /* move to the mutex, which the caller holds */
    DEPART_LED,       /* wake some; the first of them to hold the mutex moves the rest */
};

static enum departure plan(const struct fs_group *group, bool owned, unsigned asleep)
{
    if (group->move == FS_MOVE_NEVER || !fs_settings.requeue)
        return DEPART_AWAKE;
    if (owned)
        return DEPART_MOVED;
    return asleep > fs_settings.processors ? DEPART_LED : DEPART_AWAKE;
}

/* Signals every queued member. Returns how many may be asleep. */
static unsigned empty_queue(struct fs_group *group)
{
    unsigned asleep = 0;

    while (group->first)
        asleep += fs_slot_choose(group->first, FS_SLOT_SIGNALLED);
    return asleep;
}

/* Closes a group of this condition variable and, if members sleep, adds it to the herd. */
static void close_group(struct fs_group *group, struct herd *herd)
{
    bool owned =
        fs_group_mutex_is_mine(group); /* first: once signalled, members may free the mutex */
    unsigned asleep = empty_queue(group);

    group->closed = true;
    if (asleep == 0)
        return;
    group->departure = plan(group, owned, asleep);
    fs_or_relaxed(&group->used, FS_GROUP_HELD); /* C5 */
    fs_store_relaxed(&group->moved, group->departure != DEPART_AWAKE);
    /* First the word: a leader that moves sleepers by the old one would leave those behind who
       are about to sleep on it. */
    fs_add_release(&group->word, 1);
    /* Pairs with fs_condition_finish. A member that slips through before this store does not
       sleep, so it need not lead: one that send_off wakes does. */
    fs_store_release(&group->pending, group->departure == DEPART_LED);
    group->next_herd = herd->groups;
    herd->groups = group;
}

/* Moves what sleeps on the group's word to the mutex, which the caller holds (C4). Nobody is woken:
   he would only wait for the caller. */
static void move_members(struct fs_group *group)
{
    uint32_t word = fs_load_relaxed(&group->word); /* closed: nobody changes it any more */

    fs_word_lock_mark_contended(group->mutex);
    if (fs_futex_cmp_requeue(&group->word, group->mutex, word, 0, FS_WAKE_ALL, FS_SCOPE_PRIVATE,
                             NULL) != 0)
        fs_futex_wake(&group->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

static void send_off(struct fs_group *group, int ahead)
{
    switch ((enum departure)group->departure) {
    case DEPART_MOVED:
        move_members(group);
        break;
    case DEPART_LED:
        fs_futex_wake(&group->word, ahead > 1 ? ahead : 1, FS_SCOPE_PRIVATE);
        break;
    case DEPART_AWAKE:
        fs_futex_wake(&group->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
        break;
    }
}

/* Both return whether they signalled anybody. If nobody was, and only then, the condition variable
   may still be touched: one of those signalled may destroy it at once (C2). */
static bool broadcast_plain(struct fs_condition *c, bool may_touch)
{
    struct fs_bucket *bucket = fs_bucket_of(c, FS_TABLE_PLAIN);
    struct herd herd = {0};
    int ahead = (int)fs_settings.processors;
    bool found = false;

    if (!bucket)
        return false;
    fs_bucket_lock(bucket, FS_TABLE_PLAIN);
    for (struct fs_group *group = bucket->groups; group; group = group->next)
        if (group->condition == c && group->first) {
            found = true;
            close_group(group, &herd);
        }
    if (!found && may_touch)
        fs_and_release(&c->queued, ~FS_CONDITION_QUEUED_PLAIN);
    fs_bucket_unlock(bucket, FS_TABLE_PLAIN);
    while (herd.groups) {
        struct fs_group *group = herd.groups;

        herd.groups = group->next_herd;
        send_off(group, ahead);
        ahead = 0;
        fs_and_release(&group->used, ~FS_GROUP_HELD);
    }
    return found;
}

static bool broadcast_pi(struct fs_condition *c)
{
    struct fs_bucket *bucket = fs_bucket_of(c, FS_TABLE_PI);
    struct fs_slot *slot;
    bool found = false;

    if (!bucket)
        return false;
    fs_bucket_lock(bucket, FS_TABLE_PI);
    while ((slot = fs_bucket_first(bucket, c)) != NULL) {
        found = true;
        fs_slot_unlink(slot);
        fs_condition_release_pi(slot, FS_SLOT_SIGNALLED);
    }
    if (!found)
        fs_and_release(&c->queued, ~FS_CONDITION_QUEUED_PI);
    fs_bucket_unlock(bucket, FS_TABLE_PI);
    return found;
}

void fs_condition_broadcast_slow(struct fs_condition *c)
{
    uint32_t queued = fs_load_acquire(&c->queued);
    bool found = queued & FS_CONDITION_QUEUED_PI && broadcast_pi(c);

    if (queued & FS_CONDITION_QUEUED_PLAIN)
        broadcast_plain(c, !found);
}

void fs_broadcast_lead(struct fs_group *group)
{
    move_members(group);
}

/* While members are awake, the next of them comes without being woken by us: the release makes no
   call at all. The last of a batch owes the next one, as many as there are processors, which its
   release wakes with one call. Waking one at every release would let the scheduler put many a waker
   aside for the thread it has just woken; waking all at once would make them queue up for the
   mutex. The caller has just acquired the mutex, and owes nothing yet. */
void fs_broadcast_continue(struct fs_group *group)
{
    struct fs_mutex *m = group->move == FS_MOVE_BY_OWNER ? fs_mutex_of_word(group->mutex) : NULL;

    if (fs_settings.processors < 2 || fs_load_relaxed(&group->crowded) != 0)
        return;
    if (!fs_word_lock_rely_on(group->mutex, &group->awake) && m)
        fs_mutex_owe(m, group->mutex, FS_LOCK_BITS_ORDINARY, fs_settings.processors);
}
