/* SPDX-License-Identifier: MIT */
/* The slow half of word_lock.h: spinning, sleeping, and handing the lock to a
   waiter that has waited too long. The invariants W1 to W5 stand in the header. */
#include "lock/word_lock.h"

#include <errno.h>

#include "base/spin.h"
#include "lock/settings.h"

/* A waiter that has slept this long asks to be handed the lock. A hand-over leaves the lock idle
   while a thread wakes up, so there is at most one in this time, for all locks that share a slot of
   `last_grant`: the times, in units of FS_HUNGER_NS, when a waiter was last allowed to ask. */
#ifdef FS_WITHOUT_WAKE_BITS
#define FS_HUNGER_NS 10000000 /* such a hand-over wakes every sleeper: less often */
#else
#define FS_HUNGER_NS 1000000
#endif
#define FS_GRANT_SLOTS 64u

static fs_word last_grant[FS_GRANT_SLOTS];

/* How long another thread that finds the word granted keeps giving up the processor before it takes
   the grant itself: the one it was meant for needs some ten microseconds to wake up, or it may have
   timed out. */
#define FS_GRANT_COURTESY_NS 100000

/* A spinner looks this fraction of its budget with pauses in between, and then the whole budget,
   giving up the processor each time: the holder, or the next, may be waiting for it. Few pauses,
   since each look takes the word's cache line from the holder. */
#define FS_SPIN_PAUSES(budget) ((budget) / 8)
#define FS_SPIN_GAP_MAX 16u

struct locker {
    fs_word *word;
    const struct fs_deadline *deadline;
    enum fs_scope scope;
    bool slept;  /* acquires as "contended": others may sleep too (W2) */
    bool hungry; /* has asked for the lock */
    bool urgent; /* of real-time priority: the kernel's order decides, not our courtesies */
    struct fs_deadline courtesy; /* until when it leaves a grant alone; sec < 0 = saw none yet */
    struct fs_deadline since;    /* when it first slept; sec < 0 = never */
};

bool fs_word_lock_try(fs_word *w)
{
    uint32_t old = fs_load_relaxed(w);

    while (!fs_lock_is_held(old)) {
        uint32_t new = old == FS_LOCK_FREE ? FS_LOCK_LOCKED : FS_LOCK_CONTENDED;

        if (fs_cas_acquire(w, &old, new))
            return true;
    }
    return false;
}

/* Whether the caller still leaves a grant to whom it is meant for. */
static bool is_courteous(struct locker *me)
{
    struct fs_deadline now;

    if (me->hungry || me->urgent)
        return false;
    if (me->courtesy.sec >= 0)
        return !fs_system_is_past(&me->courtesy);
    now = fs_system_now(FS_CLOCK_MONOTONIC);
    now.nsec += FS_GRANT_COURTESY_NS;
    now.sec += now.nsec / FS_NSEC_PER_SEC;
    now.nsec %= FS_NSEC_PER_SEC;
    me->courtesy = now;
    me->courtesy.clock = FS_CLOCK_MONOTONIC;
    return true;
}

static bool try_as(struct locker *me)
{
    uint32_t old = fs_load_relaxed(me->word);

    while (!fs_lock_is_held(old)) {
        uint32_t new = old == FS_LOCK_FREE && !me->slept ? FS_LOCK_LOCKED : FS_LOCK_CONTENDED;

        if (old == FS_LOCK_GRANTED && is_courteous(me)) {
            fs_system_yield();
            old = fs_load_relaxed(me->word);
            continue;
        }
        if (fs_cas_acquire(me->word, &old, new))
            return true;
    }
    return false;
}

static bool look(struct locker *me)
{
    return !fs_lock_is_held(fs_load_relaxed(me->word)) && try_as(me);
}

static bool look_with_pauses(struct locker *me, unsigned pauses)
{
    unsigned gap = 1;

    for (unsigned spent = 0; spent < pauses; spent += gap) {
        if (look(me))
            return true;
        for (unsigned i = 0; i < gap; i++)
            fs_spin_pause();
        if (gap < FS_SPIN_GAP_MAX)
            gap *= 2;
    }
    return look(me);
}

/* Spins with growing gaps, then yields. Bounded, whatever the holder does. */
static bool spin(struct locker *me)
{
    unsigned budget = fs_spin_budget();

    if (look_with_pauses(me, FS_SPIN_PAUSES(budget)))
        return true;
    for (unsigned i = 0; i < budget; i++) {
        fs_system_yield();
        if (look(me))
            return true;
    }
    return false;
}

static bool may_ask_now(const fs_word *w, const struct fs_deadline *now)
{
    fs_word *slot = &last_grant[((uintptr_t)w >> 4) % FS_GRANT_SLOTS];
    uint32_t time =
        (uint32_t)(now->sec * (FS_NSEC_PER_SEC / FS_HUNGER_NS) + now->nsec / FS_HUNGER_NS);
    uint32_t last = fs_load_relaxed(slot);

    return last != time && fs_cas_relaxed(slot, &last, time);
}

static bool has_waited_too_long(struct locker *me)
{
    struct fs_deadline now = fs_system_now(FS_CLOCK_MONOTONIC);

    if (me->since.sec < 0) {
        me->since = now;
        me->urgent = me->scope == FS_SCOPE_PRIVATE && fs_system_thread_priority() != 0;
        return false;
    }
    return (now.sec - me->since.sec) * FS_NSEC_PER_SEC + now.nsec - me->since.nsec >=
               FS_HUNGER_NS &&
           may_ask_now(me->word, &now);
}

/* Makes the locked word say that somebody sleeps. Returns what to sleep on, or 0
   when the word is not locked any more. */
static uint32_t announce_sleeper(struct locker *me)
{
    uint32_t old = fs_load_relaxed(me->word);

    for (;;) {
        uint32_t new = FS_LOCK_CONTENDED;

        if (!fs_lock_is_held(old))
            return 0;
        if (old == FS_LOCK_HUNGRY || me->hungry || me->urgent)
            new = FS_LOCK_HUNGRY;
        if (old == new)
            return new;
        if (new == FS_LOCK_HUNGRY && old == FS_LOCK_LOCKED)
            new = FS_LOCK_CONTENDED; /* W5: hunger is added to a contended word only */
        /* Relaxed: the word itself is all that is published. */
        if (fs_cas_relaxed(me->word, &old, new))
            old = new;
    }
}

/* Sleeps while the word holds `value`. Returns 0 to look again, or ETIMEDOUT. */
static int sleep_on(struct locker *me, uint32_t value)
{
    uint32_t bits = FS_MATCH_ANY;

    if (me->scope == FS_SCOPE_PRIVATE && !me->urgent)
        bits = me->hungry ? FS_LOCK_BIT_HUNGRY : FS_LOCK_BITS_ORDINARY;
    if (fs_futex_wait_bitset(me->word, value, bits, me->deadline, me->scope) == ETIMEDOUT)
        return ETIMEDOUT;
    return 0;
}

int fs_word_lock_acquire_slow(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope,
                              bool woken)
{
    struct locker me = {.word = w,
                        .deadline = deadline,
                        .scope = scope,
                        .slept = woken,
                        .courtesy = {.sec = -1},
                        .since = {.sec = -1}};

    if (deadline && !fs_deadline_is_valid(deadline))
        return fs_word_lock_try(w) ? 0 : EINVAL;
    while (!spin(&me)) {
        uint32_t value = announce_sleeper(&me);

        if (value == 0) {
            if (try_as(&me))
                return 0;
            continue;
        }
        if (scope == FS_SCOPE_PRIVATE && !me.hungry && !me.urgent && has_waited_too_long(&me)) {
            me.hungry = true;
            continue;
        }
        if (me.urgent && value != FS_LOCK_HUNGRY)
            continue; /* so that a release which wakes another on its own account wakes us too */
        /* A carrier has made the word contended again, so it may give up (W2). */
        if (sleep_on(&me, value) == ETIMEDOUT)
            return ETIMEDOUT;
        me.slept = true;
    }
    return 0;
}

bool fs_word_lock_acquire_among(fs_word *w, fs_word *awake)
{
    struct locker me = {.word = w,
                        .scope = FS_SCOPE_PRIVATE,
                        .slept = true,
                        .courtesy = {.sec = -1},
                        .since = {.sec = -1}};
    bool acquired;

    fs_add_seq_cst(awake, 1);
    /* Each holds the lock for a moment: a yield would only cost a context switch. */
    acquired = look_with_pauses(&me, 2 * fs_spin_budget());
    fs_add_seq_cst(awake, UINT32_MAX); /* before the word is looked at again: pairs with rely_on */
    if (acquired)
        return false;
    fs_word_lock_acquire_slow(w, NULL, FS_SCOPE_PRIVATE, true);
    return true;
}

bool fs_word_lock_rely_on(fs_word *w, fs_word *awake)
{
    uint32_t old = FS_LOCK_CONTENDED;

    if (fs_load_seq_cst(awake) == 0)
        return false;
    if (!fs_cas_seq_cst(w, &old, FS_LOCK_LOCKED))
        return true; /* hungry: the release wakes anyway */
    if (fs_load_seq_cst(awake) != 0)
        return true;
    /* The last of them is about to sleep, and may have seen the word contended. */
    fs_word_lock_mark_contended(w);
    return false;
}

uint32_t fs_word_lock_release_quietly(fs_word *w, bool grant)
{
    uint32_t old = fs_load_relaxed(w);
    uint32_t new;

    do {
        if (!fs_lock_is_held(old))
            return FS_LOCK_FREE;
        new = old == FS_LOCK_HUNGRY &&grant ? FS_LOCK_GRANTED : FS_LOCK_FREE;
    } while (!fs_cas_release(w, &old, new));
    return old;
}

void fs_word_lock_wake_after(fs_word *w, uint32_t released, enum fs_scope scope)
{
    if (released == FS_LOCK_HUNGRY && scope == FS_SCOPE_PRIVATE &&
        fs_futex_wake_bitset(w, 1, FS_LOCK_BIT_HUNGRY, scope) > 0)
        return;
    if (released == FS_LOCK_CONTENDED || released == FS_LOCK_HUNGRY)
        fs_futex_wake(w, 1, scope);
}

void fs_word_lock_release_slow(fs_word *w, enum fs_scope scope, bool grant)
{
    uint32_t released = fs_word_lock_release_quietly(w, grant);

    /* From here only the address of w may be used (W4). */
    fs_word_lock_wake_after(w, released, scope);
}

void fs_word_lock_mark_contended(fs_word *w)
{
    uint32_t old = FS_LOCK_LOCKED;

    /* Relaxed: only the holder's own release has to see it. Held as 2 or 6 already
       is as good. */
    fs_cas_relaxed(w, &old, FS_LOCK_CONTENDED);
}
