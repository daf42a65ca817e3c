/* SPDX-License-Identifier: MIT */
/* The moves of a watched word: who may make which (W1, W5), who holds it then, and who has come to
   be on the way to it or is not any more (W2). */
#include "watch_state.h"

void watch_not_a_carrier(struct watched *watch, unsigned thread)
{
    watch->woken &= (uint8_t)~WATCH_BIT(thread);
    watch->counted &= (uint8_t)~WATCH_BIT(thread);
}

void watch_end_release(struct watched *watch, unsigned thread)
{
    if (!(watch->releasing & WATCH_BIT(thread)))
        return;
    watch_mutex_note_end_of_release(watch, thread);
    watch->releasing &= (uint8_t)~WATCH_BIT(thread);
    if (watch->granter != thread + 1)
        return;
    explore_require(watch->meant == 0, "grant: the release of thread %u wakes no hungry sleeper",
                    thread);
    watch->granter = 0;
}

static bool is_acquisition(uint32_t old, uint32_t new)
{
    return (old == FS_LOCK_FREE && (new == FS_LOCK_LOCKED || new == FS_LOCK_CONTENDED)) ||
           (old == FS_LOCK_GRANTED && new == FS_LOCK_CONTENDED);
}

static bool is_release(const struct watched *watch, uint32_t old, uint32_t new)
{
    if (new == FS_LOCK_GRANTED)
        return old == FS_LOCK_HUNGRY && watch->scope == FS_SCOPE_PRIVATE && !watch->turned_over;
    return new == FS_LOCK_FREE;
}

/* Older unlocks of the C library take one from the word first, and then clear it and wake. */
static bool is_older_unlock(const struct watched *watch, uint32_t old, uint32_t new)
{
    return watch->turned_over && old == FS_LOCK_HUNGRY && new == WATCH_OLDER_HUNGRY;
}

/* A change of a word that stays locked. */
static bool is_note(const struct watched *watch, bool by_holder, uint32_t old, uint32_t new)
{
    if (new == FS_LOCK_CONTENDED)
        return old == FS_LOCK_LOCKED || by_holder || watch->turned_over; /* the C library's 2 */
    if (new == FS_LOCK_HUNGRY)
        return (old == FS_LOCK_CONTENDED || old == WATCH_OLDER_HUNGRY) &&
               watch->scope == FS_SCOPE_PRIVATE; /* also by a holder who waits for himself */
    if (by_holder && is_older_unlock(watch, old, new))
        return true;
    return by_holder && old == FS_LOCK_CONTENDED && new == FS_LOCK_LOCKED;
}

static void acquire(struct watched *watch, unsigned thread, uint32_t old, uint32_t new)
{
    explore_require(watch->holder == 0, "W1: thread %u acquires what thread %d holds", thread,
                    watch->holder - 1);
    explore_require(is_acquisition(old, new), "W5: thread %u acquires by %u -> %u", thread, old,
                    new);
    watch->holder = (uint8_t)(thread + 1);
    watch->granter = 0;
    watch->meant = 0;
    watch_not_a_carrier(watch, thread);
}

static void release(struct watched *watch, unsigned thread, uint32_t old, uint32_t new)
{
    explore_require(watch->holder == thread + 1 || watch->strangers,
                    "W5: thread %u releases what thread %d holds", thread, watch->holder - 1);
    explore_require(is_release(watch, old, new), "W5: thread %u releases by %u -> %u", thread, old,
                    new);
    explore_require(!watch->drops_hunger, "W5: thread %u, the holder, by 6 -> 2", thread);
    watch_mutex_note_release(watch, thread, old);
    watch->holder = 0;
    if (old != FS_LOCK_LOCKED || watch->relying != RELIES_NOT)
        watch->releasing |= WATCH_BIT(thread);
    watch->relying = RELIES_NOT;
    if (new == FS_LOCK_GRANTED) {
        watch->granter = (uint8_t)(thread + 1);
        watch->meant = watch_sleepers_with(watch->word, FS_LOCK_BIT_HUNGRY);
    }
}

static void note(struct watched *watch, unsigned thread, uint32_t old, uint32_t new)
{
    bool by_holder = watch->holder == thread + 1;

    explore_require(is_note(watch, by_holder, old, new), "W5: thread %u, %sthe holder, by %u -> %u",
                    thread, by_holder ? "" : "not ", old, new);
    if (by_holder && old == FS_LOCK_HUNGRY)
        watch->drops_hunger = !watch->turned_over;
    if (by_holder)
        watch->relying = (new &FS_LOCK_LOCKED) != 0 ? RELIES_UNSEEN : RELIES_NOT;
    else
        watch_not_a_carrier(watch, thread);
}

void watch_note_write(struct watched *watch, unsigned thread, uint32_t old, uint32_t new)
{
    explore_require(old == watch->value, "W5: the word was %u and became %u unseen", watch->value,
                    old);
    watch_end_release(watch, thread);
    watch->value = new;
    if (watch->holder == thread + 1)
        watch->debt_is_fresh = false;
    if (!fs_lock_is_held(old) && fs_lock_is_held(new))
        acquire(watch, thread, old, new);
    else if (fs_lock_is_held(old) && !fs_lock_is_held(new))
        release(watch, thread, old, new);
    else if (fs_lock_is_held(old))
        note(watch, thread, old, new);
    else
        explore_fail("W5: thread %u, nobody holding the word, by %u -> %u", thread, old, new);
}

void watch_note_failure(struct watched *watch, unsigned thread)
{
    watch_end_release(watch, thread);
    if (watch->holder != thread + 1)
        return;
    watch->debt_is_fresh = false;
    if (watch->relying == RELIES_ALONE)
        watch->relying = RELIES_NOT; /* somebody else has made the word contended */
}
