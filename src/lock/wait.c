/* SPDX-License-Identifier: MIT */
/* The order of the steps of a wait, and which of them a mutex's kind asks for. */
#include "lock/wait.h"

#include <errno.h>

fs_word fs_wait_epoch;

void fs_wait_interrupt(const void *thread)
{
    fs_add_seq_cst(&fs_wait_epoch, 1);
    fs_fence_seq_cst();
    fs_condition_interrupt(thread);
}

/* After the caller has queued itself: whether somebody may have been cancelled, perhaps the
   caller, without having been seen queued. Pairs with fs_wait_interrupt, which counts before it
   looks at the queues. */
static bool has_been_interrupted_since(uint32_t epoch)
{
    fs_fence_seq_cst();
    return fs_load_seq_cst(&fs_wait_epoch) != epoch;
}

bool fs_wait_queue(struct fs_condition *c, struct fs_mutex *m, const void *thread,
                   struct fs_wait *wait)
{
    uint32_t kind = fs_mutex_kind(m);
    enum fs_table_kind table = FS_TABLE_PLAIN;
    enum fs_move move = FS_MOVE_NEVER;

    /* Held more than once, it stays locked during the wait: nobody is moved to, or made to wait
       for, a mutex that a waiter itself holds. With priority inheritance the count alone tells: the
       owner field of a mutex that is not consistent, or that a fork child has inherited, does not
       name its holder. */
    if (fs_kind_has_private_word(kind)) {
        if ((kind & FS_KIND_TYPE_MASK) != FS_KIND_RECURSIVE || !fs_mutex_is_mine(m) ||
            m->count <= 1)
            move = FS_MOVE_BY_OWNER;
    } else if ((kind & (FS_KIND_PI | FS_KIND_LIBCS)) == FS_KIND_PI && m->count <= 1) {
        table = FS_TABLE_PI;
    }
    if (!fs_condition_join(c, &m->word, move, table, thread, wait))
        return false;
    /* The mutex counts its waiters, so that it is not destroyed under them; a robust one without
       priority inheritance and one with a ceiling do not. */
    wait->counts = !(kind & FS_KIND_LIBCS) &&
                   (kind & (FS_KIND_ROBUST | FS_KIND_PI)) != FS_KIND_ROBUST && fs_mutex_is_mine(m);
    return true;
}

/* No memory for a waiter: a moment without the mutex, and a spurious wake-up. */
static FS_COLD int wait_without_memory(struct fs_mutex *m, const struct fs_waiter *who,
                                       const struct fs_deadline *deadline)
{
    int err = who->release(m);
    bool late;

    if (err != 0)
        return err;
    fs_system_yield();
    late = fs_system_is_past(deadline);
    err = who->acquire(m);
    return err == 0 && late ? ETIMEDOUT : err;
}

static int take_back(struct fs_mutex *m, const struct fs_wait *wait, const struct fs_waiter *who)
{
    uint32_t kind = fs_mutex_kind(m);

    if (fs_kind_has_private_word(kind)) {
        if (fs_wait_take_back_moved(wait, &m->word)) {
            fs_mutex_note_holder(m);
            return 0;
        }
        if (fs_wait_is_carrier(wait))
            return fs_mutex_acquire(m, kind, FS_WAIT_WOKEN, NULL);
    }
    return who->acquire(m);
}

int fs_wait_conclude(struct fs_mutex *m, struct fs_wait *wait, const struct fs_waiter *who,
                     const struct fs_deadline *deadline)
{
    bool held = false;
    int adopted = 0;
    int outcome;
    int err;

    if (wait->table == FS_TABLE_PI)
        outcome = fs_condition_block_pi(wait, m, fs_mutex_kind(m), deadline, &held, &adopted);
    else
        outcome = fs_condition_block(wait, deadline);
    err = held ? adopted : take_back(m, wait, who);
    fs_condition_finish(wait, err == 0);
    if (wait->counts && err != ENOTRECOVERABLE)
        m->nusers--;
    return err != 0 ? err : outcome;
}

int fs_wait_once(struct fs_condition *c, struct fs_mutex *m, const struct fs_waiter *who,
                 const struct fs_deadline *deadline)
{
    struct fs_wait wait;
    int err;

    if (!fs_wait_queue(c, m, who->thread, &wait))
        return wait_without_memory(m, who, deadline);
    if (has_been_interrupted_since(who->epoch) && !fs_condition_retract(&wait)) {
        fs_condition_finish(&wait, false);
        return FS_WAIT_NOT_BEGUN;
    }
    if (wait.counts)
        m->nusers++;
    err = who->release(m);
    if (err != 0) {
        bool signalled = fs_condition_retract(&wait);

        fs_condition_finish(&wait, false);
        if (wait.counts)
            m->nusers--;
        if (signalled)
            fs_condition_signal(c); /* it was not for us */
        return err;
    }
    return fs_wait_conclude(m, &wait, who, deadline);
}

static FS_COLD int word_wait_without_memory(fs_word *mutex, const struct fs_deadline *deadline)
{
    bool late;

    fs_word_lock_release_private(mutex);
    fs_system_yield();
    late = fs_system_is_past(deadline);
    fs_word_lock_acquire_private(mutex, NULL);
    return late ? ETIMEDOUT : 0;
}

int fs_wait_with_word(struct fs_condition *c, fs_word *mutex, const void *thread,
                      const struct fs_deadline *deadline)
{
    struct fs_wait wait;
    int outcome;

    if (!fs_condition_join(c, mutex, FS_MOVE_BY_MEMBER, FS_TABLE_PLAIN, thread, &wait))
        return word_wait_without_memory(mutex, deadline);
    fs_word_lock_release_private(mutex);
    outcome = fs_condition_block(&wait, deadline);
    if (!fs_wait_take_back_moved(&wait, mutex)) /* C6 */
        fs_word_lock_acquire_private(mutex, NULL);
    fs_condition_finish(&wait, true);
    return outcome == ETIMEDOUT ? ETIMEDOUT : 0;
}
