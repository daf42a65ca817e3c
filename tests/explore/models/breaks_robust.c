/* SPDX-License-Identifier: MIT */
/* Breaks of what outlives its thread: robust mutexes and fork (see breaks.h). Numbers are those
   of tests/BREAKS.md. */
#include "breaks.h"

#include "futex/thread.h"
#include "lock/robust_list.h"
#include "plain_mutex.h"

static fs_word word;

/* ---- 15 and 28: robust mutexes --------------------------------------------------------
   15: the kernel's wake at an owner's death reaches shared sleepers only. 28: there is one place
   where a mutex is announced that is about to change hands; a signal handler that locks and unlocks
   another in between has to put back what it found there. (A death inside of that handler's own
   bracket is another matter.) */

static struct fs_mutex first;

static void lock_robust(struct fs_mutex *m, bool handler_runs)
{
    struct fs_robust_bracket bracket = fs_robust_begin(m, false);
    uint32_t old = 0;

    fs_cas_acquire(&m->word, &old, fs_thread_id());
    if (handler_runs && !mended)
        bracket.head->pending = NULL;
    fs_robust_link(bracket, m, false);
    fs_robust_end(bracket);
}

static void unlock_robust(struct fs_mutex *m, enum fs_scope scope)
{
    struct fs_robust_bracket bracket = fs_robust_begin(m, false);

    fs_robust_unlink(bracket, m);
    if (fs_exchange_release(&m->word, 0) & FS_PI_WAITERS)
        fs_futex_wake(&m->word, 1, scope);
    fs_robust_end(bracket);
}

static void wait_for_robust(struct fs_mutex *m, enum fs_scope scope)
{
    uint32_t old = fs_load_relaxed(&m->word);

    while ((old & FS_PI_TID_MASK) != 0) {
        if (fs_cas_relaxed(&m->word, &old, old | FS_PI_WAITERS))
            fs_futex_wait(&m->word, old | FS_PI_WAITERS, NULL, scope);
        old = fs_load_relaxed(&m->word);
    }
}

static enum fs_scope chosen_scope(void)
{
    return mended ? FS_SCOPE_SHARED : FS_SCOPE_PRIVATE;
}

static void die_perhaps_as_owner(void)
{
    lock_robust(&first, false);
    unlock_robust(&first, chosen_scope());
}

static void wait_with_a_scope(void)
{
    wait_for_robust(&first, chosen_scope());
}

static void die_perhaps_behind_a_handler(void)
{
    lock_robust(&first, true);
    unlock_robust(&first, FS_SCOPE_SHARED);
}

static void wait_shared(void)
{
    wait_for_robust(&first, FS_SCOPE_SHARED);
}

/* ---- 16 and 21: fork ------------------------------------------------------------------
   16: a fork handler has locked; the word holds the parent's id, and to the child that is another
   thread. 21: another thread of the parent is inside a lock of the library's own. */

static void lock_by_id_and_fork(void)
{
    uint32_t old = 0, id = fs_thread_id();

    fs_cas_acquire(&word, &old, id);
    explore_become_fork_child();
    old = mended ? id : fs_thread_id();
    fs_cas_release(&word, &old, 0); /* in the child: EPERM */
    while ((old = fs_load_acquire(&word)) != 0)
        fs_futex_wait(&word, old, NULL, FS_SCOPE_PRIVATE);
}

static void fork_and_use_the_library(void)
{
    explore_become_fork_child();
    if (mended)
        fs_store_relaxed(&word, 0); /* it lies in memory that a child finds wiped */
    plain_lock(&word);
    plain_unlock(&word);
}

static void use_the_library(void)
{
    plain_lock(&word);
    plain_unlock(&word);
}

/* ---- the table ------------------------------------------------------------------------ */

static void start(void)
{
    explore_name(&word, sizeof word, "word");
    explore_name(&first, sizeof first, "first");
    explore_set_mortal(0);
}

const struct explore_scenario breaks_robust_scenarios[] = {
    BREAK_AND_TWIN("15-private-sleeper-of-a-robust-mutex",
                   "the kernel's wake for a dead owner is for shared sleepers", "deadlock",
                   ONE(deaths), die_perhaps_as_owner, wait_with_a_scope),
    BREAK_AND_TWIN("28-a-handler-forgets-the-announcement",
                   "a handler in the middle of a robust lock, and then the owner dies", "deadlock",
                   ONE(deaths), die_perhaps_behind_a_handler, wait_shared),
    BREAK_AND_TWIN("16-the-childs-id-is-another",
                   "what a fork handler has locked by its id cannot be unlocked in the child",
                   "deadlock", NOTHING, lock_by_id_and_fork),
    BREAK_AND_TWIN("21-an-internal-lock-held-at-fork",
                   "the child finds a lock held by a thread that it does not have", "deadlock",
                   NOTHING, fork_and_use_the_library, use_the_library),
    {.name = NULL},
};
