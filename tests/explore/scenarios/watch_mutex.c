/* SPDX-License-Identifier: MIT */
/* What a plain mutex has beside its word: owner, counts, kind and debt, and the invariants M1 to M4
   over them. Who holds the mutex is watch_word.c's knowledge. */
#include "watch_state.h"

#define DEBT_PATIENCE 8 /* mutex.c's FS_DEBT_PATIENCE */

void watch_mutex_note_kind(struct watched *watch, unsigned thread, uint32_t old, uint32_t new)
{
    explore_require(new &FS_KIND_TURNED_OVER || !watch->turned_over,
                    "M3: thread %u takes the mutex back from the C library", thread);
    if (old & FS_KIND_TURNED_OVER || !(new &FS_KIND_TURNED_OVER) || new == FS_KIND_DESTROYED)
        return;
    explore_require(watch->holder == thread + 1, "M3: thread %u turns over what thread %d holds",
                    thread, watch->holder - 1);
    explore_require(!watch->debt, "M4: thread %u turns over a mutex with a debt", thread);
    watch->turned_over = true;
    watch->drops_hunger = false;
}

void watch_mutex_note_release(struct watched *watch, unsigned thread, uint32_t old)
{
    explore_require(old != FS_LOCK_LOCKED || !watch->debt,
                    "M4: thread %u owes, and its release does not come by", thread);
    watch->owed[thread] = watch->debt;
    watch->debt = NULL;
}

void watch_mutex_note_end_of_release(struct watched *watch, unsigned thread)
{
    explore_require(!watch->owed[thread], "M4: thread %u released and did not pay", thread);
}

/* The holder pays, if it takes the debt off the books right after this wake. */
void watch_mutex_note_wake(struct watched *watch, unsigned thread, const void *word, uint32_t bits)
{
    watch_mutex_note_step(watch, thread);
    if (watch->holder == thread + 1 && word == watch->debt && bits == watch->mutex->debt.bits)
        watch->paid = watch->debt;
}

void watch_mutex_note_step(struct watched *watch, unsigned thread)
{
    if (watch->holder == thread + 1)
        watch->paid = NULL;
}

static void check_owner(const struct watched *watch)
{
    uint32_t owner = fs_load_relaxed(&watch->mutex->owner);

    explore_require(owner == 0 ||
                        (watch->holder != 0 && owner == explore_id_of(watch->holder - 1u)),
                    "M1: the owner is %u, and thread %d holds the mutex", owner, watch->holder - 1);
}

static void check_counts(struct watched *watch, uint8_t mover)
{
    const struct fs_mutex *m = watch->mutex;

    if (m->count == watch->count && m->nusers == watch->nusers)
        return;
    explore_require(watch->holder != 0 && (mover == 0 || mover == watch->holder),
                    "M2: thread %d changes count or nusers, and thread %d holds the mutex",
                    mover - 1, watch->holder - 1);
    watch->count = m->count;
    watch->nusers = m->nusers;
}

static void check_debt(struct watched *watch)
{
    const struct fs_debt *debt = &watch->mutex->debt;
    bool is_new = !watch->debt;

    explore_require(debt->passed < DEBT_PATIENCE, "M4: %u releases in a row woke no locker",
                    debt->passed);
    if (debt->word != watch->paid) {
        watch->debt = watch->paid ? NULL : watch->debt;
        watch->paid = NULL;
    }
    if (!debt->word)
        return;
    watch->debt = debt->word;
    explore_require(watch->holder != 0, "M4: a mutex with a debt is free");
    explore_require(!watch->turned_over, "M4: a mutex with a debt is turned over");
    if (is_new)
        watch->debt_is_fresh = watch->value == FS_LOCK_LOCKED;
    explore_require(watch->value != FS_LOCK_LOCKED || watch->debt_is_fresh,
                    "M4: thread %d owes, and its release would not come by", watch->holder - 1);
}

void watch_mutex_check(struct watched *watch, uint8_t mover)
{
    check_owner(watch);
    check_counts(watch, mover);
    if (watch->scope == FS_SCOPE_PRIVATE)
        check_debt(watch);
}

void watch_mutex_finish(const struct watched *watch)
{
    explore_require(fs_load_relaxed(&watch->mutex->owner) == 0,
                    "the mutex has an owner in the end");
    explore_require(watch->scope == FS_SCOPE_SHARED || !watch->mutex->debt.word,
                    "the mutex has a debt in the end");
    explore_require(watch->mutex->nusers == 0, "the mutex has users in the end");
}
