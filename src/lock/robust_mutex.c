/* SPDX-License-Identifier: MIT */
/* The robust mutex: a word that the kernel finishes when its owner dies.

       0                   free
       tid                 locked by that thread
       tid | WAITERS       ... and somebody may sleep
       OWNER_DIED          the owner died; the next to lock is told (| WAITERS kept)

   FS_PI_WAITERS, FS_PI_OWNER_DIED and FS_PI_TID_MASK name the bits: the kernel's, the same as
   for PI words. Always shared scope: the kernel's wake at an owner's death is a shared one.

   Invariants:
   R1  The bracket is open while the word may become, be no longer, mine unlisted.
   R2  A thread sleeps only on a word with WAITERS; whoever has slept locks with
       WAITERS, since others may sleep too.
   R3  An inconsistent mutex is released as unrecoverable unless declared consistent. */
#include <errno.h>

#include "base/spin.h"
#include "lock/mutex.h"
#include "lock/robust_list.h"
#include "lock/settings.h"

#define FS_ROBUST_SPIN_MAX 32u

static uint32_t spin_until_free(struct fs_mutex *m)
{
    unsigned budget = fs_spin_budget();
    uint32_t old = fs_load_relaxed(&m->word);

    if (budget > FS_ROBUST_SPIN_MAX)
        budget = FS_ROBUST_SPIN_MAX;
    for (unsigned i = 0; i < budget && old != 0 && !(old & FS_PI_OWNER_DIED); i++) {
        fs_spin_pause();
        old = fs_load_relaxed(&m->word);
    }
    return old;
}

/* Takes the word, sleeping when the mode allows. Returns 0, EOWNERDEAD (taken from a dead
   owner), EBUSY, ETIMEDOUT, EINVAL. */
static int take_word(struct fs_mutex *m, uint32_t me, enum fs_wait_mode mode,
                     const struct fs_deadline *deadline)
{
    uint32_t slept = 0; /* FS_PI_WAITERS once we have (R2) */
    uint32_t old = fs_load_relaxed(&m->word);

    if (mode != FS_WAIT_NEVER)
        old = spin_until_free(m);
    for (;;) {
        if (old == 0 || (old & FS_PI_OWNER_DIED)) {
            if (fs_cas_acquire(&m->word, &old, me | (old & FS_PI_WAITERS) | slept))
                return old == 0 ? 0 : EOWNERDEAD;
            continue;
        }
        if (mode == FS_WAIT_NEVER)
            return EBUSY;
        if (deadline && !fs_deadline_is_valid(deadline))
            return EINVAL;
        if (!(old & FS_PI_WAITERS) && !fs_cas_relaxed(&m->word, &old, old | FS_PI_WAITERS))
            continue;
        if (fs_futex_wait(&m->word, old | FS_PI_WAITERS, deadline, FS_SCOPE_SHARED) == ETIMEDOUT)
            return ETIMEDOUT;
        slept = FS_PI_WAITERS;
        old = fs_load_relaxed(&m->word);
    }
}

int fs_robust_acquire(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode,
                      const struct fs_deadline *deadline)
{
    uint32_t me = fs_thread_id();
    struct fs_robust_bracket bracket = fs_robust_begin(m, false);
    uint32_t old = 0;
    int err = 0;

    if (FS_UNLIKELY(!fs_cas_acquire(&m->word, &old, me))) {
        err = (old & FS_PI_TID_MASK) == me ? fs_mutex_acquire_again(m, kind, mode) : -1;
        if (err >= 0) {
            fs_robust_end(bracket);
            return err;
        }
        err = take_word(m, me, mode, deadline);
    }
    if ((err == 0 || err == EOWNERDEAD) && fs_load_relaxed(&m->owner) == FS_OWNER_UNRECOVERABLE) {
        m->count = 0;
        fs_exchange_release(&m->word, 0);
        fs_futex_wake(&m->word, FS_WAKE_ALL, FS_SCOPE_SHARED);
        err = ENOTRECOVERABLE;
    } else if (err == 0 || err == EOWNERDEAD) {
        fs_store_relaxed(&m->owner, err == 0 ? me : FS_OWNER_INCONSISTENT);
        m->count = 1;
        if (err == 0)
            m->nusers++;
        fs_robust_link(bracket, m, false);
    }
    fs_robust_end(bracket);
    return err;
}

int fs_robust_release(struct fs_mutex *m, uint32_t kind)
{
    uint32_t owner = fs_load_relaxed(&m->owner);
    struct fs_robust_bracket bracket;
    fs_word *w = &m->word;

    /* The word, not the owner field: a dead owner has left its id there, which may be ours now. */
    if ((fs_load_relaxed(w) & FS_PI_TID_MASK) != fs_thread_id())
        return EPERM;
    if ((kind & FS_KIND_TYPE_MASK) == FS_KIND_RECURSIVE && --m->count != 0)
        return 0;
    bracket = fs_robust_begin(m, false);
    fs_robust_unlink(bracket, m);
    fs_store_relaxed(&m->owner,
                     owner == FS_OWNER_INCONSISTENT ? FS_OWNER_UNRECOVERABLE : 0); /* R3 */
    m->count = 0;
    m->nusers--;
    if (fs_exchange_release(w, 0) & FS_PI_WAITERS)
        fs_futex_wake(w, 1, FS_SCOPE_SHARED); /* from the exchange on, by address only */
    fs_robust_end(bracket);
    return 0;
}
