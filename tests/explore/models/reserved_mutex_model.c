/* SPDX-License-Identifier: MIT */
/* The operations of reserved_mutex.h. `reserved_flaw` is read where a flaw changes what is done. */
#include "reserved_mutex.h"

#include <errno.h>

#include "futex/thread.h"

enum reserved_flaw reserved_flaw;
uint32_t reserved_at_barrier;

static uint32_t own_word(void)
{
    return RESERVED | fs_thread_id();
}

static bool has_flaw(enum reserved_flaw flaw)
{
    return reserved_flaw == flaw;
}

/* ---- the two sequences ---------------------------------------------------------------- */

static bool lock_by_plain_stores(struct reserved_mutex *m)
{
    if (fs_load_relaxed(&m->word) != own_word() || fs_load_relaxed(&m->holder) != 0)
        return false;
    fs_store_relaxed(&m->holder, fs_thread_id());
    return true;
}

static bool lock_by_sequence(struct reserved_mutex *m)
{
    uint32_t word, holder;

    if (has_flaw(FLAW_PLAIN_STORES))
        return lock_by_plain_stores(m);
    explore_rseq_begin();
    if (!explore_rseq_load(&m->word, &word))
        return false;
    if (word == own_word()) {
        if (has_flaw(FLAW_NO_TEST))
            return explore_rseq_commit(&m->holder, fs_thread_id());
        if (!explore_rseq_load(&m->holder, &holder))
            return false;
        if (holder == 0)
            return explore_rseq_commit(&m->holder, fs_thread_id());
    }
    explore_rseq_leave();
    return false;
}

static bool unlock_by_sequence(struct reserved_mutex *m)
{
    uint32_t word;

    explore_rseq_begin();
    if (!explore_rseq_load(&m->word, &word))
        return false;
    if (word == own_word())
        return explore_rseq_commit(&m->holder, 0);
    explore_rseq_leave();
    return false;
}

/* ---- taking a reservation back ---------------------------------------------------------- */

static void revoke(struct reserved_mutex *m, uint32_t word)
{
    uint32_t n = 0;

    if (!has_flaw(FLAW_NO_NUMBER))
        n = fs_add_relaxed(&m->revocations, 1);
    fs_cas_seq_cst(&m->word, &word, REVOKED | n);
}

static void barrier(struct reserved_mutex *m, uint32_t word)
{
    if (has_flaw(FLAW_NO_BARRIER))
        return;
    explore_membarrier(!has_flaw(FLAW_PLAIN_BARRIER));
    if (m->word.value == word)
        reserved_at_barrier |= 1u << explore_self();
}

/* Settles a revoked word; true: it was free and is the caller's now, as `mine`. */
static bool settle(struct reserved_mutex *m, uint32_t word, uint32_t mine)
{
    uint32_t held = has_flaw(FLAW_NO_WAKE_STATE) ? RESERVED_LOCKED : RESERVED_CONTENDED;

    barrier(m, word);
    if (fs_load_relaxed(&m->holder) == 0)
        return fs_cas_acquire(&m->word, &word, mine);
    fs_cas_acquire(&m->word, &word, held);
    return false;
}

void reserved_give_up(struct reserved_mutex *m, unsigned steps)
{
    uint32_t word = fs_load_relaxed(&m->word);

    if ((word & RESERVED) == 0)
        return;
    revoke(m, word);
    word = fs_load_relaxed(&m->word);
    if (steps >= 1 && (word & REVOKED) != 0)
        barrier(m, word);
    if (steps >= 2 && (word & REVOKED) != 0 && fs_load_relaxed(&m->holder) != 0)
        fs_cas_acquire(&m->word, &word, RESERVED_CONTENDED);
}

/* ---- the long way ------------------------------------------------------------------------ */

/* Changes 1 to 2 and sleeps; returns 0 or ETIMEDOUT. */
static int sleep_on(struct reserved_mutex *m, uint32_t word, const struct fs_deadline *deadline)
{
    if (has_flaw(FLAW_NO_WAKE_STATE))
        return fs_futex_wait(&m->word, word, deadline, FS_SCOPE_PRIVATE);
    if (word == RESERVED_LOCKED && !fs_cas_relaxed(&m->word, &word, RESERVED_CONTENDED))
        return 0;
    return fs_futex_wait(&m->word, RESERVED_CONTENDED, deadline, FS_SCOPE_PRIVATE);
}

static int acquire(struct reserved_mutex *m, const struct fs_deadline *deadline, bool try)
{
    uint32_t mine = RESERVED_LOCKED;
    bool again = true; /* an aborted sequence is tried once more */
    int err;

    for (;;) {
        uint32_t word = fs_load_relaxed(&m->word);

        if (fs_load_relaxed(&m->holder) == fs_thread_id())
            return try ? EBUSY : EDEADLK;
        if (word == own_word() && again) {
            again = false;
            if (lock_by_sequence(m))
                return 0;
        } else if (word & RESERVED) {
            revoke(m, word);
        } else if (word & REVOKED) {
            if (settle(m, word, mine))
                break;
        } else if (word == RESERVED_FREE) {
            if (fs_cas_acquire(&m->word, &word, mine))
                break;
        } else if (try) {
            return EBUSY;
        } else {
            err = sleep_on(m, word, deadline);
            if (err == ETIMEDOUT)
                return err;
            if (!has_flaw(FLAW_NO_WAKE_STATE))
                mine = RESERVED_CONTENDED;
        }
    }
    fs_store_relaxed(&m->holder, fs_thread_id());
    return 0;
}

int reserved_lock(struct reserved_mutex *m, const struct fs_deadline *deadline)
{
    return lock_by_sequence(m) ? 0 : acquire(m, deadline, false);
}

int reserved_try(struct reserved_mutex *m)
{
    return lock_by_sequence(m) ? 0 : acquire(m, NULL, true);
}

void reserved_grant(struct reserved_mutex *m)
{
    uint32_t word = RESERVED_LOCKED;

    fs_cas_release(&m->word, &word, own_word());
}

/* Leaves the word 1 or 2, still held. */
static void make_ordinary(struct reserved_mutex *m)
{
    bool own = fs_load_relaxed(&m->holder) == fs_thread_id();
    uint32_t word = fs_load_relaxed(&m->word);

    while (word & (RESERVED | REVOKED)) {
        if (own)
            fs_cas_relaxed(&m->word, &word, RESERVED_LOCKED);
        else if (word & RESERVED)
            revoke(m, word);
        else if (settle(m, word, RESERVED_LOCKED))
            explore_fail("an unlock of a mutex that is not locked");
        word = fs_load_relaxed(&m->word);
    }
}

void reserved_unlock(struct reserved_mutex *m)
{
    if (unlock_by_sequence(m)) {
        if (has_flaw(FLAW_LATE_LOOK))
            fs_load_relaxed(&m->word);
        return;
    }
    make_ordinary(m);
    fs_store_relaxed(&m->holder, 0);
    if (fs_exchange_release(&m->word, RESERVED_FREE) == RESERVED_CONTENDED)
        fs_futex_wake(&m->word, 1, FS_SCOPE_PRIVATE);
}
