/* SPDX-License-Identifier: MIT */
/* Condition variables with priority-inheritance mutexes. Each waiter sleeps on a word of its own
   in FUTEX_WAIT_REQUEUE_PI, and whoever lets it go on does so by FUTEX_CMP_REQUEUE_PI:
   the kernel gives it the mutex, or queues it there as a waiter that lends its priority.

   Invariants, besides C1 to C3:
   D1  A word has at most one sleeper, and is moved to that sleeper's mutex only.
   D2  The word changes before the requeue: a waiter that is not asleep yet does not sleep.
   D3  The requeue happens under the bucket's lock, which a waiter that came back without the
       mutex needs: so the mutex is alive during the requeue. */
#include <errno.h>
#include <stddef.h>

#include "lock/condition.h"
#include "lock/pi_mutex.h"
#include "lock/settings.h"

/* Back without the mutex: what has become of the wait (C1). */
static enum fs_slot_state settle(struct fs_wait *wait, bool quits)
{
    struct fs_slot *slot = wait->slot;
    enum fs_slot_state state;

    fs_bucket_lock(wait->bucket, wait->table);
    if (quits && fs_load_relaxed(&slot->state) == FS_SLOT_WAITING) {
        fs_slot_unlink(slot);
        fs_store_relaxed(&slot->state, FS_SLOT_FREE);
    }
    state = (enum fs_slot_state)fs_load_relaxed(&slot->state);
    fs_bucket_unlock(wait->bucket, wait->table);
    return state;
}

/* Where the kernel cannot requeue onto a PI mutex: an ordinary sleep on the same word. */
static int sleep_once(struct fs_slot *slot, struct fs_mutex *m, uint32_t kind, uint32_t word,
                      const struct fs_deadline *deadline, bool *held, int *adopted)
{
    enum fs_scope scope = fs_kind_scope(kind);
    int err;

    if (!fs_settings.requeue_pi)
        return fs_futex_wait(&slot->pi_word, word, deadline, scope) == ETIMEDOUT ? ETIMEDOUT : 0;
    err = fs_pi_wait_requeue(m, kind, &slot->pi_word, word, deadline, adopted);
    *held = err == 0;
    return err;
}

int fs_condition_block_pi(struct fs_wait *wait, struct fs_mutex *m, uint32_t kind,
                          const struct fs_deadline *deadline, bool *held, int *adopted)
{
    struct fs_slot *slot = wait->slot;
    enum fs_slot_state state;
    int err;

    *held = false;
    for (;;) {
        /* Word before state, as in condition.c. Pairs with fs_condition_release_pi. */
        uint32_t word = fs_load_acquire(&slot->pi_word);

        if (fs_load_acquire(&slot->state) != FS_SLOT_WAITING)
            err = 0;
        else
            err = sleep_once(slot, m, kind, word, deadline, held, adopted);
        if (!*held && err != 0 && err != EAGAIN && err != EINTR && err != ETIMEDOUT) {
            /* The mutex's owner is gone, or a sandbox refuses the call: poll. */
            fs_system_yield();
            err = fs_system_is_past(deadline) ? ETIMEDOUT : EAGAIN;
        }
        if (*held)
            state = (enum fs_slot_state)fs_load_acquire(&slot->state);
        else
            state = settle(wait, err == ETIMEDOUT);
        if (state == FS_SLOT_FREE && err == ETIMEDOUT)
            return ETIMEDOUT;
        if (state != FS_SLOT_WAITING)
            return state == FS_SLOT_INTERRUPTED ? ECANCELED : 0;
    }
}

void fs_condition_release_pi(struct fs_slot *slot, enum fs_slot_state state)
{
    struct fs_mutex *m = fs_mutex_of_word(slot->group->mutex);
    enum fs_scope scope = fs_kind_scope(fs_mutex_kind(m));
    uint32_t word;
    int err;

    fs_store_release(&slot->state, state);
    word = fs_add_release(&slot->pi_word, 1) + 1; /* D2 */
    if (!fs_settings.requeue_pi) {
        fs_futex_wake(&slot->pi_word, 1, scope);
        return;
    }
    do /* EAGAIN: the mutex changed hands meanwhile; ENOMEM may pass */
        err = fs_futex_cmp_requeue_pi(&slot->pi_word, &m->word, word, 0, scope, NULL);
    while (err == EAGAIN || err == ENOMEM);
}
