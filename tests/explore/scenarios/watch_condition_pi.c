/* SPDX-License-Identifier: MIT */
/* See watch_condition_pi.h. */
#include "scenarios/watch_condition_pi.h"

#include "lock/settings.h"

static const struct fs_bucket *bucket;
static uint32_t stale; /* slots, by their bits, that are settled and whose word has not changed */

void watch_condition_pi_start(const struct fs_bucket *of)
{
    bucket = of;
}

/* The slot that the word lies in; null: none. */
static const struct fs_slot *slot_at(const void *word)
{
    for (const struct fs_group *group = bucket->groups; group; group = group->next)
        if ((const char *)word >= (const char *)group->slots &&
            (const char *)word < (const char *)(group->slots + FS_GROUP_SLOTS))
            return &group->slots[(size_t)((const char *)word - (const char *)group->slots) /
                                 sizeof group->slots[0]];
    return NULL;
}

/* D2, and D3 where the one who lets the waiter go on is known. */
static void check_release(const struct fs_slot *slot, unsigned by)
{
    explore_require(!(stale & slot->bit) && fs_load_relaxed(&slot->state) != FS_SLOT_WAITING,
                    "D2: a waiter goes on, and its word has not changed");
    explore_require(by == EXPLORE_NOBODY ||
                        (fs_load_relaxed(&bucket->lock) & FS_PI_TID_MASK) == explore_id_of(by),
                    "D3: thread %u lets a waiter go on without the bucket's lock", by);
}

static void observe_word(const struct fs_slot *slot, const struct explore_event *event)
{
    switch (event->kind) {
    case EVENT_WRITE:
        stale &= ~slot->bit;
        break;
    case EVENT_SLEEP:
        explore_require(explore_sleepers(&slot->pi_word) == UINT32_C(1) << event->thread,
                        "D1: two threads sleep on one waiter's word");
        break;
    case EVENT_MOVE:
        if (event->other == event->word)
            break; /* a call that begins anew */
        explore_require(event->other == slot->group->mutex, "D1: moved to another's mutex");
        check_release(slot, (unsigned)event->new);
        break;
    case EVENT_AWAKE:
        if (event->old == 0 && fs_settings.requeue_pi)
            check_release(slot, EXPLORE_NOBODY);
        break;
    case EVENT_WAKE:
        explore_require(!fs_settings.requeue_pi, "a waiter in FUTEX_WAIT_REQUEUE_PI is woken");
        check_release(slot, event->thread);
        break;
    default:
        break;
    }
}

bool watch_condition_pi_observe(const struct explore_event *event)
{
    const struct fs_slot *slot = slot_at(event->word);

    if (!slot)
        return false;
    if (event->word == &slot->pi_word) {
        observe_word(slot, event);
        return true;
    }
    if (event->kind == EVENT_WRITE && event->word == &slot->state &&
        event->new >= FS_SLOT_SIGNALLED)
        stale |= slot->bit;
    return false;
}
