/* SPDX-License-Identifier: MIT */
/* Where the waiters of condition variables live: in memory of ours, so that a
   condition variable may vanish while its waiters are still on their way out.

   A *slot* is one waiter. A *group* holds the slots of up to 31 waiters of one condition
   variable and one mutex; they sleep on the group's word, each with a bit of its own, so
   that one call wakes exactly one of them and one call moves them all. Groups hang
   in a *bucket* chosen by the condition variable's address; the bucket's lock guards everything in
   it but the words named below. There are two tables of buckets: one for ordinary mutexes,
   one for mutexes with priority inheritance, whose bucket locks inherit priority too.

   Memory is never given back, so a late wake or requeue finds a group, if perhaps of
   others. It is wiped in a fork child, where these waiters do not exist.

   slot.state:
       FREE       nobody, or: wiped by a fork below the waiter, who takes it as spurious
       WAITING    queued; the waiter spins or is about to sleep
       SLEEPING   queued; the waiter sleeps on the word, or is about to
       SIGNALLED  not queued: a signal or a broadcast has chosen it
       INTERRUPTED  not queued: a cancellation has; no signal is used up
   Moves: FREE -> WAITING -> SLEEPING by the waiter; from WAITING or SLEEPING to the last two, or
   to FREE by a waiter that quits, under the bucket's lock.

   group.word   what members sleep on. Changed, after the state of whom it concerns, before
                every wake and every move, and when a group gets a new key; never by joining.
   group.used   bit i: slot i is somebody's. Set under the bucket's lock; cleared by the slot's
                owner, without it, as the last thing it does. FS_GROUP_HELD: a broadcaster is
                still busy with the group.
   group.closed a broadcast has signalled all members; nobody joins any more.
   group.move   who may move members to the mutex (enum fs_move).
   group.moved  members may have been moved to the mutex: whoever sleeps may be woken by
                the mutex's release.
   group.awake  how many moved members are awake and do not hold the mutex yet.
   group.crowded  one of them had to sleep again: the mutex is held for long, so one at a time.
   group.pending  the next member that holds the mutex moves the others there.

   Invariants:
   C1  Each waiter leaves its queue exactly once, signalled or quitting, decided under the
       bucket's lock.
   C2  The condition variable is touched only inside its calls, or by a thread whose slot
       is still queued.
   C3  A signal names its waiter: nobody else can take it.
   C4  Only a closed group is moved, so only signalled members are (nobody waits on a mutex's
       word for a signal); and only to a mutex that the mover holds.
   C5  A group gets a new key only when no slot is used and no broadcaster holds it.
   C6  A waiter that may have been moved, or whose wake-up the holder of the mutex owed, acquires
       the mutex as a woken sleeper of its word.
 */
#ifndef FS_LOCK_WAITER_GROUP_H
#define FS_LOCK_WAITER_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "futex/futex.h"
#include "lock/mutex.h"

/* A wake that cannot choose among the sleepers of a word would wake a whole group for every signal:
   there each waiter is a group of its own. */
#ifdef FS_WITHOUT_WAKE_BITS
#define FS_GROUP_SLOTS 1u
#else
#define FS_GROUP_SLOTS 31u
#endif
#define FS_GROUP_ALL_SLOTS ((UINT32_C(1) << FS_GROUP_SLOTS) - 1)
#define FS_GROUP_HELD 0x80000000u

enum fs_slot_state {
    FS_SLOT_FREE = 0,
    FS_SLOT_WAITING = 1,
    FS_SLOT_SLEEPING = 2,
    FS_SLOT_SIGNALLED = 3,
    FS_SLOT_INTERRUPTED = 4,
};

/* How sleepers get from the group's word to the mutex's. */
enum fs_move {
    FS_MOVE_NEVER = 0, /* they do not: all are woken */
    FS_MOVE_BY_MEMBER, /* whose holder the word does not tell: the first member that holds it moves
                          the others */
    FS_MOVE_BY_OWNER,  /* the word is a struct fs_mutex's: a broadcaster that owns it moves them */
};

struct fs_group;

struct fs_slot {
    fs_word state;
    fs_word pi_word;      /* what this waiter sleeps on, with a PI mutex */
    fs_pointer thread;    /* who waits, as the cancelling side names it */
    struct fs_slot *next; /* in the group's queue: by priority, then by arrival */
    struct fs_slot *previous;
    struct fs_group *group;
    uint64_t ticket; /* arrival, over the whole bucket */
    uint32_t priority;
    uint32_t bit;
    bool carrier; /* its wake-up stands for one of the mutex's: see M4 in mutex.h */
} FS_ALIGNED(FS_CACHE_LINE);

struct fs_group {
    fs_word word;
    fs_word used;
    fs_word moved;
    fs_word pending;
    fs_word awake;
    fs_word crowded;
    bool closed;
    enum fs_move move;
    const void *condition; /* the key: condition variable ... */
    fs_word *mutex;        /* ... and mutex */
    struct fs_slot *first;
    struct fs_slot *last;
    struct fs_group *next;      /* in the bucket */
    struct fs_group *next_herd; /* in a broadcast under way */
    unsigned departure;         /* how that broadcast gets the members going */
    struct fs_bucket *bucket;
    struct fs_slot slots[FS_GROUP_SLOTS];
} FS_ALIGNED(FS_CACHE_LINE);

struct fs_bucket {
    fs_word lock;
    fs_word luck; /* whether spinning has paid here: see condition.c */
    struct fs_group *groups;
    uint64_t tickets;
} FS_ALIGNED(FS_CACHE_LINE);

enum fs_table_kind {
    FS_TABLE_PLAIN = 0,
    FS_TABLE_PI = 1,
};

/* The bucket of a condition variable, or null: there is no memory for the tables. */
struct fs_bucket *fs_bucket_of(const void *condition, enum fs_table_kind kind);

void fs_bucket_lock(struct fs_bucket *bucket, enum fs_table_kind kind);
void fs_bucket_unlock(struct fs_bucket *bucket, enum fs_table_kind kind);

/* The calls below require the bucket's lock. */

/* A slot for a waiter of this condition variable and mutex, queued as WAITING behind its
   equals; null when there is no memory. */
struct fs_slot *fs_bucket_join(struct fs_bucket *bucket, const void *condition, fs_word *mutex,
                               enum fs_move move, const void *thread);

/* Moves a queued slot to where its new priority belongs. */
void fs_slot_set_priority(struct fs_slot *slot, uint32_t priority);

/* Takes a queued slot out of its queue. */
void fs_slot_unlink(struct fs_slot *slot);

/* Takes a queued slot out and settles its state for good. Returns whether its owner may be asleep.
 */
bool fs_slot_choose(struct fs_slot *slot, enum fs_slot_state state);

/* Whether the calling thread holds the mutex of a group whose members are still queued, which
   keeps that mutex alive. */
FS_ALWAYS_INLINE bool fs_group_mutex_is_mine(const struct fs_group *group)
{
    return group->move == FS_MOVE_BY_OWNER && fs_mutex_is_mine(fs_mutex_of_word(group->mutex));
}

/* The waiter of highest priority that came first; null when none is queued. */
struct fs_slot *fs_bucket_first(struct fs_bucket *bucket, const void *condition);

/* Without the lock: the slot's owner is done with it and with the group. */
void fs_slot_leave(struct fs_slot *slot);

/* Calls visit for every slot in use whose thread is this one, without locks: the slot may
   change hands any moment, so visit looks again under its bucket's lock. */
void fs_groups_visit_thread(const void *thread,
                            void (*visit)(struct fs_slot *slot, const void *thread,
                                          enum fs_table_kind kind));

/* In a fork child: wipes the memory if the system does not. */
void fs_groups_reset(void);

#endif
