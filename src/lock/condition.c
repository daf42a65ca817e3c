/* SPDX-License-Identifier: MIT */
/* Waiting, signalling and broadcasting over waiter_group.h. What the kernel does for PI
   mutexes is in condition_pi.c. */
#include "lock/condition.h"

#include <errno.h>
#include <stddef.h>

#include "base/spin.h"
#include "lock/settings.h"

/* Pauses of a waiter between two of its looks: about five microseconds in all. */
#define FS_CONDITION_SPIN_FACTOR 6u

/* A bucket's luck: the low byte counts spins in vain in a row; from FS_LUCK_OUT on only every
   FS_LUCK_PROBE-th wait tries again, counted in the bits above. */
#define FS_LUCK_MISSES 0xffu
#define FS_LUCK_OUT 4u
#define FS_LUCK_PROBE 32u
#define FS_LUCK_WAIT 0x100u

/* The calling thread's real-time priority as last asked of the system, plus 1. */
static FS_THREAD_LOCAL uint32_t known_priority;

static uint32_t priority_to_queue_with(enum fs_table_kind table)
{
    if (known_priority == 0 || table == FS_TABLE_PI)
        known_priority = fs_system_thread_priority() + 1;
    return known_priority - 1;
}

bool fs_condition_join(struct fs_condition *c, fs_word *mutex, enum fs_move move,
                       enum fs_table_kind table, const void *thread, struct fs_wait *wait)
{
    uint32_t priority = priority_to_queue_with(table);
    uint32_t bit = fs_queued_bit(table);

    wait->table = table;
    wait->bucket = fs_bucket_of(c, table);
    if (!wait->bucket)
        return false;
    fs_bucket_lock(wait->bucket, table);
    wait->slot = fs_bucket_join(wait->bucket, c, mutex, move, thread);
    if (wait->slot && priority != 0)
        fs_slot_set_priority(wait->slot, priority);
    if (wait->slot && !(fs_load_relaxed(&c->queued) & bit))
        fs_or_relaxed(&c->queued, bit); /* published by whichever lock orders the signal after us */
    fs_bucket_unlock(wait->bucket, table);
    return wait->slot != NULL;
}

static bool is_queued(const struct fs_slot *slot)
{
    uint32_t state = fs_load_relaxed(&slot->state);

    return state == FS_SLOT_WAITING || state == FS_SLOT_SLEEPING;
}

/* Takes the caller out of the queue if nobody has (C1). Returns the state that was settled:
   FREE when the caller quit. */
static enum fs_slot_state quit(struct fs_wait *wait)
{
    struct fs_slot *slot = wait->slot;
    enum fs_slot_state settled;

    fs_bucket_lock(wait->bucket, wait->table);
    if (is_queued(slot)) {
        fs_slot_unlink(slot);
        fs_store_relaxed(&slot->state, FS_SLOT_FREE);
    }
    settled = (enum fs_slot_state)fs_load_relaxed(&slot->state);
    fs_bucket_unlock(wait->bucket, wait->table);
    return settled;
}

bool fs_condition_retract(struct fs_wait *wait)
{
    return quit(wait) == FS_SLOT_SIGNALLED;
}

static unsigned spin_allowance(const struct fs_bucket *bucket)
{
    uint32_t luck = fs_load_relaxed(&bucket->luck);

    if ((luck & FS_LUCK_MISSES) >= FS_LUCK_OUT && (luck / FS_LUCK_WAIT) % FS_LUCK_PROBE != 0)
        return 0;
    return fs_spin_budget() * FS_CONDITION_SPIN_FACTOR;
}

/* A lost update between two waiters only makes the lesson slower. */
static void learn(struct fs_bucket *bucket, unsigned allowance, bool paid)
{
    uint32_t luck = fs_load_relaxed(&bucket->luck);
    uint32_t misses = luck & FS_LUCK_MISSES;

    if (allowance != 0)
        misses = paid ? 0 : misses + (misses < FS_LUCK_MISSES);
    fs_store_relaxed(&bucket->luck, ((luck & ~FS_LUCK_MISSES) + FS_LUCK_WAIT) | misses);
}

/* True when somebody settled the slot while its owner spun. */
static bool spin(struct fs_wait *wait)
{
    unsigned allowance = wait->slot->priority == 0 ? spin_allowance(wait->bucket) : 0;
    bool paid = false;

    for (unsigned i = 0; i < allowance && !paid; i++) {
        paid = fs_load_acquire(&wait->slot->state) != FS_SLOT_WAITING;
        fs_spin_pause();
    }
    learn(wait->bucket, allowance, paid);
    return paid;
}

/* A thread that is going to sleep looks whether its priority is still the one it is queued with. */
static void confirm_priority(struct fs_wait *wait)
{
    uint32_t priority = fs_system_thread_priority();

    if (priority + 1 == known_priority)
        return;
    known_priority = priority + 1;
    fs_bucket_lock(wait->bucket, wait->table);
    if (is_queued(wait->slot))
        fs_slot_set_priority(wait->slot, priority);
    fs_bucket_unlock(wait->bucket, wait->table);
}

static int outcome(enum fs_slot_state state)
{
    return state == FS_SLOT_INTERRUPTED ? ECANCELED : 0;
}

int fs_condition_block(struct fs_wait *wait, const struct fs_deadline *deadline)
{
    struct fs_slot *slot = wait->slot;
    struct fs_group *group = slot->group;
    uint32_t state = FS_SLOT_WAITING;

    if (spin(wait) || !fs_cas_seq_cst(&slot->state, &state, FS_SLOT_SLEEPING))
        return outcome((enum fs_slot_state)fs_load_acquire(&slot->state));
    confirm_priority(wait);
    for (;;) {
        /* Word before state: the word changes after the state, so a stale word means a
           sleep that fails. Pairs with fs_slot_choose(). */
        uint32_t word = fs_load_acquire(&group->word);

        state = fs_load_acquire(&slot->state);
        if (state != FS_SLOT_SLEEPING)
            return outcome((enum fs_slot_state)state);
        if (fs_futex_wait_bitset(&group->word, word, slot->bit, deadline, FS_SCOPE_PRIVATE) ==
            ETIMEDOUT) {
            state = quit(wait);
            return state == FS_SLOT_FREE ? ETIMEDOUT : outcome((enum fs_slot_state)state);
        }
    }
}

/* In the child of a fork in a signal handler that interrupted the wait: the slot is gone. */
static bool was_wiped(const struct fs_wait *wait)
{
    return wait->slot->group == NULL;
}

bool fs_wait_is_carrier(const struct fs_wait *wait)
{
    return !was_wiped(wait) && wait->slot->carrier;
}

bool fs_wait_take_back_moved(const struct fs_wait *wait, fs_word *mutex)
{
    struct fs_group *group = wait->slot->group;

    if (was_wiped(wait) || fs_load_acquire(&group->moved) == 0)
        return false;
    if (fs_word_lock_acquire_among(mutex, &group->awake))
        fs_store_relaxed(&group->crowded, 1); /* a hint */
    return true;
}

/* Lets a chosen waiter sleep until the caller gives up the mutex that the waiter needs, if the
   caller owns it and may owe the wake-up. Only one that is surely asleep: it learns that it is a
   carrier before it learns that it was signalled, and it will come to the mutex, which one whose
   wait fails does not. Requires the bucket's lock. */
static bool defer(struct fs_slot *slot)
{
    struct fs_group *group = slot->group;

    if (!fs_settings.requeue || fs_load_relaxed(&slot->state) != FS_SLOT_SLEEPING ||
        !fs_group_mutex_is_mine(group) ||
        !fs_mutex_owe(fs_mutex_of_word(group->mutex), &group->word, slot->bit, 1))
        return false;
    slot->carrier = true;
    fs_slot_choose(slot, FS_SLOT_SIGNALLED);
    fs_add_release(&group->word, 1);
    return true;
}

/* Chooses the first waiter of a table. Returns false when there is none. */
static bool signal_table(struct fs_condition *c, enum fs_table_kind table)
{
    struct fs_bucket *bucket = fs_bucket_of(c, table);
    struct fs_slot *slot;
    fs_word *word = NULL;
    uint32_t bit = 0;

    if (!bucket)
        return false;
    fs_bucket_lock(bucket, table);
    slot = fs_bucket_first(bucket, c);
    if (!slot) {
        fs_and_release(&c->queued, ~fs_queued_bit(table));
    } else if (table == FS_TABLE_PI) {
        fs_slot_unlink(slot);
        fs_condition_release_pi(slot, FS_SLOT_SIGNALLED);
    } else if (!defer(slot) && fs_slot_choose(slot, FS_SLOT_SIGNALLED)) {
        word = &slot->group->word;
        bit = slot->bit;
        fs_add_release(word, 1);
    }
    fs_bucket_unlock(bucket, table);
    /* The slot may be another's by now: a wake too many only makes that one look. */
    if (word)
        fs_futex_wake_bitset(word, 1, bit, FS_SCOPE_PRIVATE);
    return slot != NULL;
}

void fs_condition_signal_slow(struct fs_condition *c)
{
    uint32_t queued = fs_load_acquire(&c->queued);

    if (queued & FS_CONDITION_QUEUED_PLAIN && signal_table(c, FS_TABLE_PLAIN))
        return;
    if (queued & FS_CONDITION_QUEUED_PI)
        signal_table(c, FS_TABLE_PI);
}

void fs_condition_finish(struct fs_wait *wait, bool holds)
{
    struct fs_slot *slot = wait->slot;
    struct fs_group *group = slot->group;

    if (!group) /* as was_wiped */
        return;
    if (holds && fs_load_relaxed(&group->pending) != 0 &&
        fs_exchange_acquire(&group->pending, 0) != 0)
        fs_broadcast_lead(group);
    if (holds && fs_load_acquire(&group->moved) != 0)
        fs_broadcast_continue(group);
    fs_slot_leave(slot);
}

/* The slot belonged to `thread` a moment ago; whether it still does, and waits, is settled
   under the lock. */
static void interrupt_slot(struct fs_slot *slot, const void *thread, enum fs_table_kind table)
{
    struct fs_group *group = slot->group;
    struct fs_bucket *bucket = group->bucket;
    uint32_t bit = 0;

    fs_bucket_lock(bucket, table);
    if (is_queued(slot) && fs_load_pointer_relaxed(&slot->thread) == thread) {
        if (table == FS_TABLE_PI) {
            fs_slot_unlink(slot);
            fs_condition_release_pi(slot, FS_SLOT_INTERRUPTED);
        } else if (fs_slot_choose(slot, FS_SLOT_INTERRUPTED)) {
            bit = slot->bit;
            fs_add_release(&group->word, 1);
        }
    }
    fs_bucket_unlock(bucket, table);
    if (bit != 0)
        fs_futex_wake_bitset(&group->word, 1, bit, FS_SCOPE_PRIVATE);
}

void fs_condition_interrupt(const void *thread)
{
    fs_groups_visit_thread(thread, interrupt_slot);
}
