/* SPDX-License-Identifier: MIT */
/* The slots of windows_pool.h, whose invariants P1 to P3 it keeps: a list of free ones per kind,
   under a word lock, filled by whole slabs from the system. Slots are a cache line apart, so that
   two locks never share one. */
#include "interpose/windows_pool.h"

#include "futex/futex.h"
#include "lock/word_lock.h"

#define SLAB_SIZE ((size_t)65536) /* what the system hands out at least */

struct slot {
    struct slot *next; /* on the list */
    bool used;
    union fs_pool_object object;
} FS_ALIGNED(FS_CACHE_LINE);

_Static_assert(sizeof(struct slot) == FS_CACHE_LINE, "a slot is one cache line");
_Static_assert(offsetof(struct slot, object) % 2 == 0, "the lowest bit is the handle's");

struct pool {
    fs_word lock;
    struct slot *free;
} FS_ALIGNED(FS_CACHE_LINE);

static struct pool pools[FS_POOL_KINDS];

static struct slot *slot_of(union fs_pool_object *object)
{
    return (struct slot *)(void *)((char *)object - offsetof(struct slot, object));
}

/* Fresh slots for an empty list, the one of lowest address first. */
static FS_COLD void fill(struct pool *pool)
{
    bool wiped;
    struct slot *slab = fs_system_map_wiped(SLAB_SIZE, &wiped);

    if (!slab)
        return;
    for (size_t i = SLAB_SIZE / sizeof *slab; i-- > 0;) {
        slab[i].next = pool->free;
        pool->free = &slab[i];
    }
}

union fs_pool_object *fs_pool_take(enum fs_pool_kind kind)
{
    struct pool *pool = &pools[kind];
    struct slot *slot;

    fs_word_lock_acquire(&pool->lock, NULL, FS_SCOPE_PRIVATE);
    if (!pool->free)
        fill(pool);
    slot = pool->free;
    if (slot) {
        pool->free = slot->next;
        slot->used = true; /* P2 */
    }
    fs_word_lock_release(&pool->lock);
    if (!slot)
        return NULL;
    slot->object = (union fs_pool_object){0}; /* P3 */
    return &slot->object;
}

bool fs_pool_give(enum fs_pool_kind kind, union fs_pool_object *object)
{
    struct pool *pool = &pools[kind];
    struct slot *slot = slot_of(object);
    bool used;

    fs_word_lock_acquire(&pool->lock, NULL, FS_SCOPE_PRIVATE);
    used = slot->used;
    if (used) { /* P2 */
        slot->used = false;
        slot->next = pool->free;
        pool->free = slot;
    }
    fs_word_lock_release(&pool->lock);
    return used;
}
