/* SPDX-License-Identifier: MIT */
/* A mutex of every kind: who may take it again, what the kind says, and which
   word protocol does the waiting. The fields lie where the C library has
   them, so that a mutex shared with a process without this library, a debugger, and the
   kernel's robust list all find what they expect.

   kind: bits 0 and 1 the type; 4 robust; 5 priority inheritance; under glibc 6 priority
   ceiling, 7 process-shared, 8 and 9 lock elision hints, ignored. FS_KIND_LIBCS: the whole mutex is
   the C library's, and our engines never see it (mutex_layout.h). Bit 16 is ours: a
   private mutex that was turned over to the C library's protocol for good
   (fs_mutex_turn_over). Bit 17 is ours: priority inheritance that the program did not ask for.
   All ones: destroyed.

   owner: the thread id of the holder, also for a normal mutex. Written by the
   holder only, cleared before the release. For a robust mutex also the two
   special values below.

   count: depth of a recursive mutex. nusers: threads inside a condition wait, plus, for kinds
   that other processes or the kernel see, one for the holder, as the C library counts.

   Invariants:
   M1  owner == my id only while I hold the mutex (the id of a fork parent apart).
   M2  count and nusers change only while the mutex is held by who changes them.
   M3  A mutex is turned over while it is held, by its holder (whom a normal one may know by the id
       of a fork child's parent), and never back.

   M4  A mutex with a debt is held and its word contended or hungry, so that every release comes by
       and pays. Whoever is woken by the payment acquires the mutex as a woken sleeper of its word
       (W2): the release need not wake another, but every FS_DEBT_PATIENCE-th does, so that waiters
       who hand the mutex to and fro do not keep a locker asleep. A debt is paid before the mutex is
       turned over. */
#ifndef FS_LOCK_MUTEX_H
#define FS_LOCK_MUTEX_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock/mutex_layout.h"
#include "lock/word_lock.h"

#define FS_KIND_NORMAL 0u
#define FS_KIND_RECURSIVE 1u
#define FS_KIND_ERRORCHECK 2u
#define FS_KIND_ADAPTIVE 3u
#define FS_KIND_TYPE_MASK 3u
#define FS_KIND_ROBUST 0x10u
#define FS_KIND_PI 0x20u
#define FS_KIND_ELISION 0x300u
#define FS_KIND_TURNED_OVER 0x10000u
#define FS_KIND_MADE_PI 0x20000u
#define FS_KIND_DESTROYED UINT32_MAX

/* owner of a robust mutex: not yet declared consistent by its holder; beyond repair. */
#define FS_OWNER_INCONSISTENT 0x7fffffffu
#define FS_OWNER_UNRECOVERABLE 0x7ffffffeu

/* The mutex that a word is part of. */
FS_ALWAYS_INLINE struct fs_mutex *fs_mutex_of_word(fs_word *w)
{
    return (struct fs_mutex *)(void *)((char *)w - offsetof(struct fs_mutex, word));
}

FS_ALWAYS_INLINE uint32_t fs_mutex_kind(const struct fs_mutex *m)
{
    return fs_load_relaxed(&m->kind); /* settled before the mutex is used, or by its holder */
}

FS_ALWAYS_INLINE enum fs_scope fs_kind_scope(uint32_t kind)
{
    return kind & FS_KIND_SHARED ? FS_SCOPE_SHARED : FS_SCOPE_PRIVATE;
}

/* Whether the C library knows such a kind: it refuses others with EINVAL. */
FS_ALWAYS_INLINE bool fs_kind_is_known(uint32_t kind)
{
    uint32_t both = FS_KIND_PI | FS_KIND_LIBCS;

    return !(kind & FS_KIND_UNKNOWN) && (kind & both) != both;
}

/* Private, and in the 0/1/2 protocol: a condition variable may move its waiters
   here, and the holder may turn it over. */
FS_ALWAYS_INLINE bool fs_kind_has_private_word(uint32_t kind)
{
    return (kind & (FS_KIND_ROBUST | FS_KIND_PI | FS_KIND_LIBCS | FS_KIND_SHARED)) == 0;
}

FS_ALWAYS_INLINE bool fs_kind_checks_owner(uint32_t kind)
{
    uint32_t type = kind & FS_KIND_TYPE_MASK;

    return type == FS_KIND_RECURSIVE || type == FS_KIND_ERRORCHECK;
}

FS_ALWAYS_INLINE bool fs_mutex_is_mine(const struct fs_mutex *m)
{
    return fs_load_relaxed(&m->owner) == fs_thread_id(); /* M1: nobody else writes my id */
}

/* By the new holder. */
FS_ALWAYS_INLINE void fs_mutex_note_holder(struct fs_mutex *m)
{
    fs_store_relaxed(&m->owner, fs_thread_id());
    m->count = 1;
}

/* How an acquisition may wait. */
enum fs_wait_mode {
    FS_WAIT_FOREVER,
    FS_WAIT_UNTIL, /* a deadline */
    FS_WAIT_NEVER, /* try */
    FS_WAIT_WOKEN, /* for ever, by a waiter that slept on the mutex's own word */
};

/* Acquires the mutex, of any kind but the C library's.
   Returns 0; EDEADLK (errorcheck, held by the caller); EAGAIN (recursive, depth
   exhausted); EBUSY (try); ETIMEDOUT, EINVAL (deadline); EOWNERDEAD (held, the state it guards
   is inconsistent); ENOTRECOVERABLE; EINVAL (destroyed); ENOTSUP (the kernel has no
   priority inheritance). */
int fs_mutex_acquire(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode,
                     const struct fs_deadline *deadline);

/* The slow rest of releasing a private mutex whose owner field is cleared already; with `grant`,
   a hungry waiter is handed the word. */
void fs_mutex_release_private_slow(struct fs_mutex *m, bool grant);

/* By the holder of a private-word mutex: its release will wake so many more sleepers with these
   bits on this word. Returns false when it cannot take on another debt: wake now. */
bool fs_mutex_owe(struct fs_mutex *m, fs_word *word, uint32_t bits, uint32_t count);

/* Releases. Returns 0, EPERM (errorcheck, recursive, robust or PI: not the
   holder), EINVAL (destroyed). */
int fs_mutex_release(struct fs_mutex *m, uint32_t kind);

/* Declares the state of a robust mutex consistent. Returns 0 or EINVAL. */
int fs_mutex_make_consistent(struct fs_mutex *m, uint32_t kind);

/* Returns 0 and marks the mutex destroyed, or EBUSY. */
int fs_mutex_retire(struct fs_mutex *m, uint32_t kind);

/* By the holder of a private-word mutex: from now on the C library's own calls may
   be used on it beside ours. No effect on another kind or thread. */
void fs_mutex_turn_over(struct fs_mutex *m);

/* ---- what lock and unlock come to when nobody else is there --------------------

   For the plain private kinds and the process-shared normal one, when it is known where the
   thread's id lies. `kind` may be any other number, or have bits besides that no kind has: then
   nothing is done. */

/* A free process-shared normal mutex: nothing but its word, and what the C library keeps of it. */
FS_ALWAYS_INLINE bool fs_mutex_take_free_shared(struct fs_mutex *m)
{
    uint32_t me = fs_thread_id_known();

    if (!fs_word_lock_try_free(&m->word))
        return false;
    fs_store_relaxed(&m->owner, me);
    m->count = 1;
    m->nusers++;
    return true;
}

/* A free private mutex of a type that looks at its owner, or an adaptive one. */
FS_ALWAYS_INLINE bool fs_mutex_take_free_typed(struct fs_mutex *m, uint32_t kind)
{
    uint32_t me = fs_thread_id_known();

    if (fs_load_relaxed(&m->owner) == me && kind == FS_KIND_RECURSIVE && m->count != UINT32_MAX) {
        m->count++;
        return true;
    }
    if (!fs_word_lock_try_free_private(&m->word))
        return false;
    fs_store_relaxed(&m->owner, me);
    m->count = 1;
    return true;
}

/* Returns whether the caller holds the mutex now, or a recursive one once more. */
FS_ALWAYS_INLINE bool fs_mutex_take_free(struct fs_mutex *m, uint32_t kind)
{
    if (FS_LIKELY(kind == FS_KIND_NORMAL)) {
        /* Loaded first: a load behind the atomic operation would have to wait for it. */
        uint32_t me = fs_thread_id_known();

        if (FS_LIKELY(fs_word_lock_try_free_private(&m->word))) {
            fs_store_relaxed(&m->owner, me);
            return true;
        }
        return false;
    }
    if (kind == FS_KIND_SHARED)
        return FS_LIKELY(fs_mutex_take_free_shared(m));
    return kind <= FS_KIND_ADAPTIVE && FS_LIKELY(fs_mutex_take_free_typed(m, kind));
}

/* Of fs_mutex_give_free, beside 0 and EPERM. */
#define FS_GIVE_CONTENDED (-1) /* go on with fs_mutex_release_private_slow */
#define FS_GIVE_OTHER_KIND (-2)

FS_ALWAYS_INLINE int fs_mutex_give_free(struct fs_mutex *m, uint32_t kind)
{
    if (FS_UNLIKELY(kind != FS_KIND_NORMAL)) {
        if (kind == FS_KIND_SHARED) {
            fs_store_relaxed(&m->owner, 0);
            m->nusers--;
            if (FS_UNLIKELY(!fs_word_lock_release_free(&m->word)))
                fs_word_lock_release_slow(&m->word, FS_SCOPE_SHARED, false);
            return 0;
        }
        if (kind > FS_KIND_ADAPTIVE)
            return FS_GIVE_OTHER_KIND;
        if (kind != FS_KIND_ADAPTIVE &&
            FS_UNLIKELY(fs_load_relaxed(&m->owner) != fs_thread_id_known()))
            return EPERM;
        if (kind == FS_KIND_RECURSIVE && --m->count != 0)
            return 0;
    }
    fs_store_relaxed(&m->owner, 0);
    return FS_LIKELY(fs_word_lock_release_free_private(&m->word)) ? 0 : FS_GIVE_CONTENDED;
}

/* ---- ownership.c ------------------------------------------------------------ */

/* What a thread that holds the mutex gets when it asks again: 0 and one level
   deeper, EAGAIN, EDEADLK, EBUSY; or -1: its type lets it wait for itself. */
int fs_mutex_acquire_again(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode);

/* ---- the engines: one per word protocol, all of one shape ------------------- */

int fs_robust_acquire(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode,
                      const struct fs_deadline *deadline);
int fs_robust_release(struct fs_mutex *m, uint32_t kind);

int fs_pi_acquire(struct fs_mutex *m, uint32_t kind, enum fs_wait_mode mode,
                  const struct fs_deadline *deadline);
int fs_pi_release(struct fs_mutex *m, uint32_t kind);

#endif
