/* SPDX-License-Identifier: MIT */
/* The condition variable: little more than a hint that somebody waits. Its waiters are in
   waiter_group.h, with the invariants C1 to C6.

   A wait is made of steps, since between them stand giving up and taking back the mutex (wait.h).

       fs_condition_join      queued from here on: no later signal is missed
       (release the mutex)
       fs_condition_block     until signalled, interrupted or timed out
       (acquire the mutex: by fs_wait_take_back_moved, or as a woken sleeper of its word if
        fs_wait_is_carrier, or as always)
       fs_condition_finish

   With a PI mutex: fs_condition_join, release, fs_condition_block_pi, which may come back
   with the mutex held, fs_condition_finish.

   queued: bit 0, somebody may wait with an ordinary mutex; bit 1, with a PI mutex. Set under
   the bucket's lock by joining; cleared under it by a signal that finds nobody. A wrong 1
   costs a look into the bucket; a missing one is a lost signal. */
#ifndef FS_LOCK_CONDITION_H
#define FS_LOCK_CONDITION_H

#include "lock/mutex.h"
#include "lock/waiter_group.h"

#define FS_CONDITION_QUEUED_PLAIN 1u
#define FS_CONDITION_QUEUED_PI 2u

struct fs_condition {
    fs_word queued;
};

FS_ALWAYS_INLINE uint32_t fs_queued_bit(enum fs_table_kind table)
{
    return table == FS_TABLE_PI ? FS_CONDITION_QUEUED_PI : FS_CONDITION_QUEUED_PLAIN;
}

/* A wait under way, in the waiter's own frame. */
struct fs_wait {
    struct fs_slot *slot;
    struct fs_bucket *bucket;
    enum fs_table_kind table;
    bool counts; /* in the mutex's nusers (wait.c) */
};

/* Queues the calling thread, which holds the mutex whose word is given. `thread` names it to
   fs_condition_interrupt. Returns false when there is no memory for it: the caller then gives
   up the mutex for a moment and reports a spurious wake-up. */
bool fs_condition_join(struct fs_condition *c, fs_word *mutex, enum fs_move move,
                       enum fs_table_kind table, const void *thread, struct fs_wait *wait);

/* Waits. Returns 0 (signalled, or spurious), ETIMEDOUT, or ECANCELED (interrupted; no
   signal was used up). The deadline is valid. */
int fs_condition_block(struct fs_wait *wait, const struct fs_deadline *deadline);

/* As above with a PI mutex. *held tells whether the caller came back with the mutex, and
   then *adopted what fs_mutex_acquire would have returned. */
int fs_condition_block_pi(struct fs_wait *wait, struct fs_mutex *m, uint32_t kind,
                          const struct fs_deadline *deadline, bool *held, int *adopted);

/* Whether the waiter's wake-up was owed by the mutex's holder: it acquires the mutex as a woken
   sleeper of its word (C6). */
bool fs_wait_is_carrier(const struct fs_wait *wait);

/* Acquires the mutex's word for a waiter that may have been moved to it (C6). Returns false, and
   does nothing, for one that surely was not. */
bool fs_wait_take_back_moved(const struct fs_wait *wait, fs_word *mutex);

/* Leaves the queue before any sleep, the mutex still held. Returns whether a signal had
   come already. */
bool fs_condition_retract(struct fs_wait *wait);

/* Ends a wait; `holds`: the caller holds the mutex, and moves there whom a broadcast left. */
void fs_condition_finish(struct fs_wait *wait, bool holds);

/* Wakes one waiter, if any waits. */
void fs_condition_signal_slow(struct fs_condition *c);

FS_ALWAYS_INLINE void fs_condition_signal(struct fs_condition *c)
{
    /* Acquire: whoever waits joined before giving up the mutex under which the caller
       changed what is waited for. */
    if (fs_load_acquire(&c->queued) != 0)
        fs_condition_signal_slow(c);
}

/* Wakes all waiters; moves those of a mutex that the caller holds to the mutex. */
void fs_condition_broadcast_slow(struct fs_condition *c);

FS_ALWAYS_INLINE void fs_condition_broadcast(struct fs_condition *c)
{
    if (fs_load_acquire(&c->queued) != 0)
        fs_condition_broadcast_slow(c);
}

/* Makes a thread that waits, on whatever condition variable, look up (ECANCELED). */
void fs_condition_interrupt(const void *thread);

/* ---- broadcast.c ------------------------------------------------------------ */

/* By the first member that holds the mutex after a broadcast by somebody who did not: moves the
   others. */
void fs_broadcast_lead(struct fs_group *group);

/* By every moved member once it holds the mutex: sees to it that others follow. */
void fs_broadcast_continue(struct fs_group *group);

/* ---- condition_pi.c --------------------------------------------------------- */

/* Lets a PI waiter that has just been unlinked go on, under the bucket's lock: hands it the
   mutex or queues it there. */
void fs_condition_release_pi(struct fs_slot *slot, enum fs_slot_state state);

#endif
