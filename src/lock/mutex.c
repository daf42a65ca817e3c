/* SPDX-License-Identifier: MIT */
/* The ownership stage in front of every engine, and the choice of the engine by
   the kind. The waiting is word_lock.c's, robust_mutex.c's and pi_mutex.c's business. */
#include "lock/mutex.h"

#include <errno.h>
#include <stddef.h>

static bool is_plain(uint32_t kind)
{
    return (kind & (FS_KIND_ROBUST | FS_KIND_PI)) == 0;
}

static int acquire_word(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode,
                        const struct fs_deadline *deadline)
{
    enum fs_scope scope = fs_kind_scope(kind);
    bool taken = scope == FS_SCOPE_PRIVATE && mode != FS_WAIT_WOKEN
                     ? fs_word_lock_try_free_private(&m->word)
                     : mode != FS_WAIT_WOKEN && fs_word_lock_try_free(&m->word);

    if (taken)
        return 0;
    if (mode == FS_WAIT_NEVER)
        return fs_word_lock_try(&m->word) ? 0 : EBUSY;
    return fs_word_lock_acquire_slow(&m->word, deadline, scope, mode == FS_WAIT_WOKEN);
}

int fs_mutex_acquire(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode,
                     const struct fs_deadline *deadline)
{
    int err;

    if (FS_UNLIKELY(kind == FS_KIND_DESTROYED))
        return EINVAL;
    if (!is_plain(kind))
        return kind & FS_KIND_PI ? fs_pi_acquire(m, kind, mode, deadline)
                                 : fs_robust_acquire(m, kind, mode, deadline);
    if (fs_kind_checks_owner(kind) && fs_mutex_is_mine(m)) {
        err = fs_mutex_acquire_again(m, kind, mode);
        if (err >= 0)
            return err;
    }
    err = acquire_word(m, kind, mode, deadline);
    if (err != 0)
        return err;
    fs_mutex_note_holder(m);
    if (kind & FS_KIND_SHARED)
        m->nusers++;
    return 0;
}

int fs_mutex_release(struct fs_mutex *m, uint32_t kind)
{
    if (FS_UNLIKELY(kind == FS_KIND_DESTROYED))
        return EINVAL;
    if (!is_plain(kind))
        return kind & FS_KIND_PI ? fs_pi_release(m, kind) : fs_robust_release(m, kind);
    if (fs_kind_checks_owner(kind)) {
        if (!fs_mutex_is_mine(m))
            return EPERM;
        if ((kind & FS_KIND_TYPE_MASK) == FS_KIND_RECURSIVE && --m->count != 0)
            return 0;
    }
    fs_store_relaxed(&m->owner, 0);
    if (kind & FS_KIND_SHARED) {
        m->nusers--;
        fs_word_lock_release_plain(&m->word, FS_SCOPE_SHARED);
    } else if (!fs_word_lock_release_free_private(&m->word)) {
        fs_mutex_release_private_slow(m, !(kind & FS_KIND_TURNED_OVER));
    }
    return 0;
}

#if FS_MUTEX_HAS_DEBT

/* So many releases in a row may wake only whom they owe it. */
#define FS_DEBT_PATIENCE 8

/* Wakes whom the debt names. Returns how many were asleep. */
static int pay(const struct fs_debt *debt)
{
    return fs_futex_wake_bitset(debt->word, (int)debt->count, debt->bits, FS_SCOPE_PRIVATE);
}

void fs_mutex_release_private_slow(struct fs_mutex *m, bool grant)
{
    struct fs_debt debt = m->debt;
    bool is_turn = debt.word && debt.passed + 1 >= FS_DEBT_PATIENCE;
    fs_word *w = &m->word;
    uint32_t released;

    m->debt.passed = debt.word && !is_turn ? debt.passed + 1 : 0;
    m->debt.word = NULL;
    released = fs_word_lock_release_quietly(w, grant);
    /* From here only the address of w may be used (W4). M4: one that the payment wakes is a
       carrier, unless the word was granted to another. */
    if (!debt.word || pay(&debt) == 0 || is_turn || released == FS_LOCK_HUNGRY)
        fs_word_lock_wake_after(w, released, FS_SCOPE_PRIVATE);
}

bool fs_mutex_owe(struct fs_mutex *m, fs_word *word, uint32_t bits, uint32_t count)
{
    if (fs_mutex_kind(m) & FS_KIND_TURNED_OVER || (m->debt.word && m->debt.word != word))
        return false;
    if (!m->debt.word) {
        m->debt.word = word;
        m->debt.bits = 0;
        m->debt.count = 0;
        fs_word_lock_mark_contended(&m->word);
    }
    m->debt.bits |= bits;
    m->debt.count = (uint16_t)(m->debt.count + count);
    return true;
}

static void settle_debt(struct fs_mutex *m)
{
    if (m->debt.word) {
        pay(&m->debt); /* M4 */
        m->debt.word = NULL;
    }
}

#else /* no mutex ever has one */

void fs_mutex_release_private_slow(struct fs_mutex *m, bool grant)
{
    fs_word_lock_release_slow(&m->word, FS_SCOPE_PRIVATE, grant);
}

bool fs_mutex_owe(struct fs_mutex *m, fs_word *word, uint32_t bits, uint32_t count)
{
    return false;
}

static void settle_debt(struct fs_mutex *m)
{
}

#endif

int fs_mutex_make_consistent(struct fs_mutex *m, uint32_t kind)
{
    if (kind == FS_KIND_DESTROYED || !(kind & FS_KIND_ROBUST) ||
        fs_load_relaxed(&m->owner) != FS_OWNER_INCONSISTENT)
        return EINVAL;
    fs_store_relaxed(&m->owner, fs_thread_id());
    return 0;
}

/* A robust mutex may be destroyed while its word still says locked: its owner may
   have died. The C library decides in the same way. */
int fs_mutex_retire(struct fs_mutex *m, uint32_t kind)
{
    if (kind != FS_KIND_DESTROYED && !(kind & FS_KIND_ROBUST)) {
        if (m->nusers != 0 || fs_load_relaxed(&m->owner) != 0)
            return EBUSY;
        if (kind & FS_KIND_PI ? fs_load_relaxed(&m->word) != 0
                              : fs_lock_is_held(fs_load_relaxed(&m->word)))
            return EBUSY;
    }
    fs_store_relaxed(&m->kind, FS_KIND_DESTROYED);
    return 0;
}

void fs_mutex_turn_over(struct fs_mutex *m)
{
    uint32_t kind = fs_mutex_kind(m);

    if (kind == FS_KIND_DESTROYED || !fs_kind_has_private_word(kind) ||
        (kind & FS_KIND_TURNED_OVER))
        return;
    /* A type that does not ask for its owner may be held under another id: a fork child's parent.
     */
    if (fs_kind_checks_owner(kind) ? !fs_mutex_is_mine(m)
                                   : !fs_lock_is_held(fs_load_relaxed(&m->word)))
        return;
    settle_debt(m);
    /* Contended, since others may sleep on it; to the C library only 0, 1 and 2 have
       a meaning of their own (W5). */
    fs_exchange_release(&m->word, FS_LOCK_CONTENDED);
    fs_store_relaxed(&m->kind, kind | FS_KIND_TURNED_OVER);
}
