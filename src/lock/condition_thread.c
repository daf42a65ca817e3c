/* SPDX-License-Identifier: MIT */
/* Signalling a thread by its name. The rules are those of any signal: invariants C1 to C3 of
   waiter_group.h. */
#include "lock/condition_thread.h"

#include <stddef.h>

static struct fs_slot *find(struct fs_bucket *bucket, const void *condition, const void *thread)
{
    for (struct fs_group *group = bucket->groups; group; group = group->next) {
        if (group->condition != condition)
            continue;
        for (struct fs_slot *slot = group->first; slot; slot = slot->next)
            if (fs_load_pointer_relaxed(&slot->thread) == thread)
                return slot;
    }
    return NULL;
}

void fs_condition_signal_thread(struct fs_condition *c, const void *thread)
{
    struct fs_bucket *bucket = fs_bucket_of(c, FS_TABLE_PLAIN);
    struct fs_slot *slot;
    fs_word *word = NULL;
    uint32_t bit = 0;

    if (!bucket)
        return;
    fs_bucket_lock(bucket, FS_TABLE_PLAIN);
    slot = find(bucket, c, thread);
    if (slot && fs_slot_choose(slot, FS_SLOT_SIGNALLED)) {
        word = &slot->group->word;
        bit = slot->bit;
        fs_add_release(word, 1);
    }
    fs_bucket_unlock(bucket, FS_TABLE_PLAIN);
    /* The slot may be another's by now: a wake too many only makes that one look. */
    if (word)
        fs_futex_wake_bitset(word, 1, bit, FS_SCOPE_PRIVATE);
}
