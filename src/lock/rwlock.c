/* SPDX-License-Identifier: MIT */
/* The waiting and waking of rwlock.h, whose invariants L1 to L5 it keeps. */
#include "lock/rwlock.h"

#include <errno.h>

#include "base/spin.h"
#include "lock/settings.h"

/* Pauses grow up to this many between two looks at the state. */
#define FS_RW_SPIN_GAP_MAX 16u

/* One bounded spin, while the state has any of the `barred` bits. */
static void spin_while(const struct fs_rwlock *l, uint64_t barred)
{
    unsigned budget = fs_spin_budget();
    unsigned gap = 1;

    for (unsigned spent = 0; spent < budget; spent += gap) {
        if ((fs_wide_load_relaxed(&l->state) & barred) == 0)
            return;
        for (unsigned i = 0; i < gap; i++)
            fs_spin_pause();
        if (gap < FS_RW_SPIN_GAP_MAX)
            gap *= 2;
    }
}

int fs_rwlock_try_read(struct fs_rwlock *l, enum fs_rw_preference preference)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);

    while (fs_rw_admits_reader(state, preference)) {
        if ((state & FS_RW_READERS) == FS_RW_READERS)
            return EAGAIN;
        if (fs_wide_cas_acquire(&l->state, &state, fs_rw_sealed(state + FS_RW_READER)))
            return 0;
    }
    return EBUSY;
}

/* Sleeps until what keeps readers out may have gone. Returns 0 to look again, or ETIMEDOUT. */
static int sleep_as_reader(struct fs_rwlock *l, enum fs_rw_preference preference,
                           const struct fs_deadline *deadline)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);
    uint64_t new;

    do {
        if (fs_rw_admits_reader(state, preference))
            return 0;
        new = state | FS_RW_READERS_WAIT;
        /* Relaxed: the bit is all that is published (L2). */
    } while (state != new && !fs_wide_cas_relaxed(&l->state, &state, new));
    if (fs_futex_wait(fs_wide_low(&l->state), (uint32_t) new, deadline, FS_SCOPE_PRIVATE) ==
        ETIMEDOUT)
        return ETIMEDOUT;
    return 0;
}

int fs_rwlock_read(struct fs_rwlock *l, enum fs_rw_preference preference,
                   const struct fs_deadline *deadline)
{
    uint64_t barred = FS_RW_WRITER;
    int err = fs_rwlock_try_read(l, preference);

    if (err != EBUSY)
        return err;
    if (deadline && !fs_deadline_is_valid(deadline))
        return EINVAL;
    if (preference == FS_RW_PREFER_WRITERS)
        barred |= FS_RW_WAITING_MASK;
    for (;;) {
        spin_while(l, barred);
        err = fs_rwlock_try_read(l, preference);
        if (err != EBUSY)
            return err;
        if (sleep_as_reader(l, preference, deadline) == ETIMEDOUT) {
            err = fs_rwlock_try_read(l, preference);
            return err == EBUSY ? ETIMEDOUT : err;
        }
    }
}

/* The turn means something only to writers that wait: with none, the word starts anew. */
static uint64_t without_idle_turn(uint64_t state)
{
    return fs_rw_sealed(fs_rw_has_waiting_writer(state) ? state : state & (FS_RW_TURN - 1));
}

/* Sets WRITER if nobody is inside; `ceases` is what the move takes away besides. */
static bool enter_as_writer(struct fs_rwlock *l, uint64_t *state, uint64_t waiting, uint64_t ceases)
{
    while (!fs_rw_has_holder(*state))
        if (fs_wide_cas_acquire(&l->state, state,
                                without_idle_turn(((*state + FS_RW_WRITER) & ~ceases) - waiting)))
            return true;
    return false;
}

int fs_rwlock_try_write(struct fs_rwlock *l)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);

    return enter_as_writer(l, &state, 0, 0) ? 0 : EBUSY;
}

/* Counts the caller as a waiting writer, awake. Returns 0, or ETIMEDOUT: it is not counted. */
static int start_waiting(struct fs_rwlock *l, const struct fs_deadline *deadline)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);

    for (;;) {
        if ((state & FS_RW_WAITING_MASK) == FS_RW_WAITING_MASK) {
            if (fs_system_is_past(deadline))
                return ETIMEDOUT;
            fs_system_yield(); /* as many as can be counted: be none of them yet */
            state = fs_wide_load_relaxed(&l->state);
        } else if (fs_wide_cas_relaxed(
                       &l->state, &state,
                       fs_rw_sealed((state + FS_RW_WAITING) | FS_RW_WRITER_AWAKE))) {
            return 0;
        }
    }
}

/* Enters (true), or, somebody being inside, is no longer awake and leaves in *asleep_on what to
   sleep on (L3, L4). */
static bool enter_or_lie_down(struct fs_rwlock *l, uint64_t *asleep_on)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);

    for (;;) {
        uint64_t new;

        if (enter_as_writer(l, &state, FS_RW_WAITING, FS_RW_WRITER_AWAKE))
            return true;
        new = state & ~FS_RW_WRITER_AWAKE;
        *asleep_on = new;
        if (state == new || fs_wide_cas_relaxed(&l->state, &state, new))
            return false;
    }
}

/* Enters (true), or, somebody being inside, waits no longer. Readers that slept only because a
   writer was preferred are woken when the last such writer gives up; the lock is alive, since the
   caller is still in a call on it. */
static bool enter_or_give_up(struct fs_rwlock *l, enum fs_rw_preference preference)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);
    uint64_t new;

    do {
        if (enter_as_writer(l, &state, FS_RW_WAITING, FS_RW_WRITER_AWAKE))
            return true;
        new = without_idle_turn((state & ~FS_RW_WRITER_AWAKE) - FS_RW_WAITING);
        if (fs_rw_admits_reader(new, preference))
            new = fs_rw_sealed(new & ~FS_RW_READERS_WAIT);
    } while (!fs_wide_cas_relaxed(&l->state, &state, new));
    if ((state & ~new) & FS_RW_READERS_WAIT)
        fs_futex_wake(fs_wide_low(&l->state), FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    return false;
}

int fs_rwlock_write(struct fs_rwlock *l, enum fs_rw_preference preference,
                    const struct fs_deadline *deadline)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);

    if (enter_as_writer(l, &state, 0, 0))
        return 0;
    if (deadline && !fs_deadline_is_valid(deadline))
        return EINVAL;
    if (start_waiting(l, deadline) == ETIMEDOUT)
        return ETIMEDOUT;
    for (;;) {
        spin_while(l, FS_RW_READERS | FS_RW_WRITER);
        if (enter_or_lie_down(l, &state))
            return 0;
        if (fs_futex_wait(fs_wide_high(&l->state), (uint32_t)(state >> 32), deadline,
                          FS_SCOPE_PRIVATE) == ETIMEDOUT)
            return enter_or_give_up(l, preference) ? 0 : ETIMEDOUT;
    }
}

/* What a release does with the word, and whom it wakes then. */
struct release {
    uint64_t new;
    bool wakes_readers;
    bool wakes_writer; /* or, if readers were to be woken and none was there, a writer */
};

static struct release plan_release(uint64_t state, enum fs_rw_preference preference)
{
    struct release plan = {.new = state - (state & FS_RW_WRITER ? FS_RW_WRITER : FS_RW_READER)};

    if (fs_rw_has_holder(plan.new))
        return plan;
    if (plan.new &FS_RW_READERS_WAIT && fs_rw_admits_reader(plan.new, preference)) {
        plan.new &= ~FS_RW_READERS_WAIT;
        plan.wakes_readers = true;
    }
    if (fs_rw_has_waiting_writer(plan.new) && !(plan.new &FS_RW_WRITER_AWAKE)) {
        plan.wakes_writer = true;
        plan.new += FS_RW_TURN;
        if (!plan.wakes_readers)
            plan.new |= FS_RW_WRITER_AWAKE;
    }
    return plan;
}

void fs_rwlock_release(struct fs_rwlock *l, enum fs_rw_preference preference)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);
    struct release plan;

    do {
        if (!fs_rw_has_holder(state))
            return;
        plan = plan_release(state, preference);
    } while (!fs_wide_cas_release(&l->state, &state, fs_rw_sealed(plan.new)));
    /* From here only the address of l may be used (L5). */
    if (plan.wakes_readers &&
        fs_futex_wake(fs_wide_low(&l->state), FS_WAKE_ALL, FS_SCOPE_PRIVATE) > 0)
        return; /* the last of them wakes the writer */
    if (plan.wakes_writer)
        fs_futex_wake(fs_wide_high(&l->state), 1, FS_SCOPE_PRIVATE);
}
