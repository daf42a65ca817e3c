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
        if (fs_wide_cas_acquire(&l->state, &state, state + FS_RW_READER))
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
    if (fs_futex_wait(fs_wide_low(&l->state), (uint32_t)new, deadline, FS_SCOPE_PRIVATE) ==
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

/* Sets WRITER if nobody is inside; with `waited`, the caller ceases to be counted as
   waiting in the same move. */
static bool enter_as_writer(struct fs_rwlock *l, uint64_t waited)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);

    while (!fs_rw_has_holder(state))
        if (fs_wide_cas_acquire(&l->state, &state, state + FS_RW_WRITER - waited))
            return true;
    return false;
}

int fs_rwlock_try_write(struct fs_rwlock *l)
{
    return enter_as_writer(l, 0) ? 0 : EBUSY;
}

static void count_as_waiting(struct fs_rwlock *l)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);

    while (!fs_wide_cas_relaxed(&l->state, &state, state + FS_RW_WAITING))
        ;
}

/* The caller waits no longer. Readers that slept only because a writer was preferred
   are woken when the last such writer gives up; the lock is alive, since the caller is
   still in a call on it. */
static void give_up_writing(struct fs_rwlock *l, enum fs_rw_preference preference)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);
    uint64_t new;

    do {
        new = state - FS_RW_WAITING;
        if (fs_rw_admits_reader(new, preference))
            new &= ~FS_RW_READERS_WAIT;
    } while (!fs_wide_cas_relaxed(&l->state, &state, new));
    if ((state & ~new) & FS_RW_READERS_WAIT)
        fs_futex_wake(fs_wide_low(&l->state), FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

int fs_rwlock_write(struct fs_rwlock *l, enum fs_rw_preference preference,
                    const struct fs_deadline *deadline)
{
    if (enter_as_writer(l, 0))
        return 0;
    if (deadline && !fs_deadline_is_valid(deadline))
        return EINVAL;
    count_as_waiting(l);
    for (;;) {
        uint64_t state;

        spin_while(l, FS_RW_READERS | FS_RW_WRITER);
        if (enter_as_writer(l, FS_RW_WAITING))
            return 0;
        state = fs_wide_load_relaxed(&l->state);
        if (!fs_rw_has_holder(state))
            continue;
        /* L3: both halves come from one load. */
        if (fs_futex_wait(fs_wide_high(&l->state), (uint32_t)(state >> 32), deadline,
                          FS_SCOPE_PRIVATE) != ETIMEDOUT)
            continue;
        if (enter_as_writer(l, FS_RW_WAITING))
            return 0;
        give_up_writing(l, preference);
        return ETIMEDOUT;
    }
}

/* The word after one holder has left. */
static uint64_t without_holder(uint64_t state, enum fs_rw_preference preference)
{
    uint64_t new = state - (state & FS_RW_WRITER ? FS_RW_WRITER : FS_RW_READER);

    if (fs_rw_has_holder(new))
        return new;
    if (fs_rw_has_waiting_writer(new))
        new += FS_RW_TURN;
    if (fs_rw_admits_reader(new, preference))
        new &= ~FS_RW_READERS_WAIT;
    return new;
}

void fs_rwlock_release(struct fs_rwlock *l, enum fs_rw_preference preference)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);
    uint64_t new;
    int woken = 0;

    do {
        if (!fs_rw_has_holder(state))
            return;
        new = without_holder(state, preference);
    } while (!fs_wide_cas_release(&l->state, &state, new));
    /* From here only the address of l may be used (L5). */
    if (fs_rw_has_holder(new))
        return;
    if ((state & ~new) & FS_RW_READERS_WAIT)
        woken = fs_futex_wake(fs_wide_low(&l->state), FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    if (woken == 0 && fs_rw_has_waiting_writer(new))
        fs_futex_wake(fs_wide_high(&l->state), 1, FS_SCOPE_PRIVATE);
}
