/* SPDX-License-Identifier: MIT */
/* The ghosts of watch_group.h, shared by watch_group.c (what lies in memory) and
   watch_group_events.c (who changes it). */
#ifndef FS_EXPLORE_WATCH_GROUP_STATE_H
#define FS_EXPLORE_WATCH_GROUP_STATE_H

#include "scenarios/watch_group.h"

#define WATCH_BUCKETS 4
#define WATCH_GROUPS 5

struct watched_bucket {
    struct fs_bucket *bucket; /* null: no more */
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

extern struct watched_bucket watched_buckets[WATCH_BUCKETS];
extern struct watched_group watched_groups[WATCH_GROUPS];

struct watched_group *watched_group_of(const struct fs_group *group);
bool watch_is_mutex(const fs_word *word);

static inline bool watch_is_queued(uint32_t state)
{
    return state == FS_SLOT_WAITING || state == FS_SLOT_SLEEPING;
}

#endif
