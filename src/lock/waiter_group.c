/* SPDX-License-Identifier: MIT */
/* The memory and the queues of waiter_group.h; who is woken when and how is
   condition.c's business. */
#include "lock/waiter_group.h"

#include <stddef.h>
#include <string.h>

#include "lock/pi_mutex.h"

#define BUCKETS 512u
#define BUCKET_BITS 9
#define CHUNK_GROUPS 32u

/* Groups are taken from chunks, each mapped at once. */
struct chunk {
    struct chunk *next;
    fs_word taken; /* how many groups are, under the table's lock */
    struct fs_group groups[CHUNK_GROUPS];
};

/* Everything that a fork child must find empty. */
struct table {
    fs_word lock; /* guards the chunks; held for a few instructions or one mapping */
    fs_pointer chunks;
    struct fs_bucket buckets[2][BUCKETS];
};

static fs_pointer the_table;
static fs_word is_wiped_by_system;

/* Maps the tables at the first wait. Two threads may both map: one is used. */
static struct table *make_table(void)
{
    bool wiped = false;
    void *expected = NULL;
    struct table *table = fs_system_map_wiped(sizeof *table, &wiped);

    if (!table)
        return fs_load_pointer_acquire(&the_table);
    if (fs_cas_pointer_acq_rel(&the_table, &expected, table)) {
        fs_store_release(&is_wiped_by_system, wiped);
        return table;
    }
    return expected;
}

static struct table *get_table(void)
{
    struct table *table = fs_load_pointer_acquire(&the_table);

    return FS_LIKELY(table != NULL) ? table : make_table();
}

/* As the system does it elsewhere. The fork may be a signal handler's that interrupted a wait, so
   the memory stays where the waiter below will look. */
void fs_groups_reset(void)
{
    struct table *table = fs_load_pointer_acquire(&the_table);
    struct chunk *next;

    if (!table || fs_load_acquire(&is_wiped_by_system))
        return;
    for (struct chunk *chunk = fs_load_pointer_acquire(&table->chunks); chunk; chunk = next) {
        next = chunk->next;
        memset(chunk, 0, sizeof *chunk);
    }
    memset(table, 0, sizeof *table);
}

struct fs_bucket *fs_bucket_of(const void *condition, enum fs_table_kind kind)
{
    struct table *table = get_table();
    uint64_t hash = ((uintptr_t)condition >> 3) * UINT64_C(0x9e3779b97f4a7c15);

    return table ? &table->buckets[kind][hash >> (64 - BUCKET_BITS)] : NULL;
}

void fs_bucket_lock(struct fs_bucket *bucket, enum fs_table_kind kind)
{
    if (kind == FS_TABLE_PI)
        fs_pi_word_acquire(&bucket->lock);
    else
        fs_word_lock_acquire(&bucket->lock, NULL, FS_SCOPE_PRIVATE);
}

void fs_bucket_unlock(struct fs_bucket *bucket, enum fs_table_kind kind)
{
    if (kind == FS_TABLE_PI)
        fs_pi_word_release(&bucket->lock);
    else
        fs_word_lock_release(&bucket->lock);
}

static struct chunk *add_chunk(struct table *table)
{
    bool wiped;
    struct chunk *chunk = fs_system_map_wiped(sizeof *chunk, &wiped);

    if (chunk) {
        chunk->next = fs_load_pointer_relaxed(&table->chunks);
        fs_store_pointer_release(&table->chunks, chunk); /* pairs with the visitor's load */
    }
    return chunk;
}

/* A fresh group for the bucket; null when there is no memory. */
static struct fs_group *add_group(struct fs_bucket *bucket)
{
    struct table *table = get_table();
    struct fs_group *group = NULL;
    struct chunk *chunk;

    fs_word_lock_acquire(&table->lock, NULL, FS_SCOPE_PRIVATE);
    chunk = fs_load_pointer_relaxed(&table->chunks);
    if (!chunk || fs_load_relaxed(&chunk->taken) == CHUNK_GROUPS)
        chunk = add_chunk(table);
    if (chunk) {
        uint32_t taken = fs_load_relaxed(&chunk->taken);

        group = &chunk->groups[taken];
        group->bucket = bucket;
        fs_store_release(&chunk->taken, taken + 1); /* pairs with the visitor's load */
    }
    fs_word_lock_release(&table->lock);
    if (group) {
        group->next = bucket->groups;
        bucket->groups = group;
    }
    return group;
}

static bool is_joinable(const struct fs_group *group, const void *condition, const fs_word *mutex,
                        enum fs_move move)
{
    return group->condition == condition && group->mutex == mutex && group->move == move &&
           !group->closed && fs_load_relaxed(&group->used) != FS_GROUP_ALL_SLOTS;
}

/* C5: nobody is left in the group. Pairs (acquire) with fs_slot_leave and the broadcaster's
   release of FS_GROUP_HELD. */
static bool is_reusable(const struct fs_group *group)
{
    return fs_load_acquire(&group->used) == 0;
}

static void set_key(struct fs_group *group, const void *condition, fs_word *mutex,
                    enum fs_move move)
{
    group->condition = condition;
    group->mutex = mutex;
    group->move = move;
    group->closed = false;
    fs_store_relaxed(&group->moved, 0); /* published by the bucket's lock */
    fs_store_relaxed(&group->pending, 0);
    fs_store_relaxed(&group->crowded, 0);
    fs_add_release(&group->word, 1); /* a late requeue of the last key's members fails */
}

static struct fs_group *find_group(struct fs_bucket *bucket, const void *condition, fs_word *mutex,
                                   enum fs_move move)
{
    struct fs_group *reusable = NULL;

    for (struct fs_group *group = bucket->groups; group; group = group->next) {
        if (is_joinable(group, condition, mutex, move))
            return group;
        if (!reusable && is_reusable(group))
            reusable = group;
    }
    if (!reusable)
        reusable = add_group(bucket);
    if (reusable)
        set_key(reusable, condition, mutex, move);
    return reusable;
}

static void enqueue(struct fs_slot *slot)
{
    struct fs_group *group = slot->group;
    struct fs_slot *before = group->last;

    while (before && before->priority < slot->priority)
        before = before->previous;
    slot->previous = before;
    slot->next = before ? before->next : group->first;
    if (slot->next)
        slot->next->previous = slot;
    else
        group->last = slot;
    if (before)
        before->next = slot;
    else
        group->first = slot;
}

struct fs_slot *fs_bucket_join(struct fs_bucket *bucket, const void *condition, fs_word *mutex,
                               enum fs_move move, const void *thread)
{
    struct fs_group *group = find_group(bucket, condition, mutex, move);
    struct fs_slot *slot;
    uint32_t index;

    if (!group)
        return NULL;
    index = (uint32_t)__builtin_ctz(~fs_load_acquire(&group->used));
    slot = &group->slots[index];
    slot->group = group;
    slot->bit = UINT32_C(1) << index;
    slot->priority = 0;
    slot->carrier = false;
    slot->ticket = bucket->tickets++;
    fs_store_relaxed(&slot->state, FS_SLOT_WAITING); /* published by the bucket's lock */
    fs_store_pointer_relaxed(&slot->thread, (void *)(uintptr_t)thread);
    fs_or_release(&group->used, slot->bit); /* pairs with the visitor's load */
    enqueue(slot);
    return slot;
}

void fs_slot_unlink(struct fs_slot *slot)
{
    struct fs_group *group = slot->group;

    if (slot->previous)
        slot->previous->next = slot->next;
    else
        group->first = slot->next;
    if (slot->next)
        slot->next->previous = slot->previous;
    else
        group->last = slot->previous;
    slot->next = NULL;
    slot->previous = NULL;
}

void fs_slot_set_priority(struct fs_slot *slot, uint32_t priority)
{
    fs_slot_unlink(slot);
    slot->priority = priority;
    enqueue(slot);
}

struct fs_slot *fs_bucket_first(struct fs_bucket *bucket, const void *condition)
{
    struct fs_slot *best = NULL;

    for (struct fs_group *group = bucket->groups; group; group = group->next) {
        struct fs_slot *head = group->first;

        if (group->condition != condition || !head)
            continue;
        if (!best || head->priority > best->priority ||
            (head->priority == best->priority && head->ticket < best->ticket))
            best = head;
    }
    return best;
}

bool fs_slot_choose(struct fs_slot *slot, enum fs_slot_state state)
{
    fs_slot_unlink(slot);
    return fs_exchange_acq_rel(&slot->state, state) == FS_SLOT_SLEEPING;
}

void fs_slot_leave(struct fs_slot *slot)
{
    struct fs_group *group = slot->group;

    if (!group) /* in the child of a fork in a signal handler just now */
        return;
    fs_store_pointer_relaxed(&slot->thread, NULL);
    /* Pairs with is_reusable: whoever takes the slot next sees it left. */
    fs_and_release(&group->used, ~slot->bit);
}

static void visit_group(struct fs_group *group, const void *thread, enum fs_table_kind kind,
                        void (*visit)(struct fs_slot *slot, const void *thread,
                                      enum fs_table_kind kind))
{
    uint32_t used = fs_load_acquire(&group->used) & FS_GROUP_ALL_SLOTS;

    for (; used != 0; used &= used - 1) {
        struct fs_slot *slot = &group->slots[__builtin_ctz(used)];

        if (fs_load_pointer_relaxed(&slot->thread) == thread)
            visit(slot, thread, kind);
    }
}

void fs_groups_visit_thread(const void *thread,
                            void (*visit)(struct fs_slot *slot, const void *thread,
                                          enum fs_table_kind kind))
{
    struct table *table = fs_load_pointer_acquire(&the_table);

    if (!table)
        return;
    for (struct chunk *chunk = fs_load_pointer_acquire(&table->chunks); chunk;
         chunk = chunk->next) {
        uint32_t taken = fs_load_acquire(&chunk->taken);

        for (uint32_t i = 0; i < taken; i++) {
            struct fs_group *group = &chunk->groups[i];
            bool pi = group->bucket >= table->buckets[FS_TABLE_PI];

            visit_group(group, thread, pi ? FS_TABLE_PI : FS_TABLE_PLAIN, visit);
        }
    }
}
