/* SPDX-License-Identifier: MIT */
/* The slots of windows_pool.h, whose invariants P1 to P3 it keeps: a list of free ones per kind,
   under a word lock, filled by whole slabs from the system. Slots are a cache line apart, so that
   two locks never share one. */
#include "interpose/windows_pool.h"

#include "futex/futex.h"
#include "interpose/windows_start.h"
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

/* Returns false when the lock was left by a thread that the end of the process has killed. The list
   may be half changed then, and stays as it is. */
static bool lock(struct pool *pool)
{
    if (FS_LIKELY(fs_word_lock_try_free(&pool->lock)))
        return true;
    if (fs_process_is_ending())
        return false;
    fs_word_lock_acquire(&pool->lock, NULL, FS_SCOPE_PRIVATE);
    return true;
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

/* A slot from nobody's list. */
static FS_COLD union fs_pool_object *take_last(void)
{
    bool wiped;
    struct slot *slot = fs_system_map_wiped(SLAB_SIZE, &wiped);

    if (!slot)
        return NULL;
    slot->used = true;
    return &slot->object;
}

union fs_pool_object *fs_pool_take(enum fs_pool_kind kind)
{
    struct pool *pool = &pools[kind];
    struct slot *slot;

    if (!lock(pool))
        return take_last();
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

    if (!lock(pool))
        return true; /* the handle is gone, the slot is nobody's */
    used = slot->used;
    if (used) { /* P2 */
        slot->used = false;
        slot->next = pool->free;
        pool->free = slot;
    }
    fs_word_lock_release(&pool->lock);
    return used;
}
