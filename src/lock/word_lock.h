/* SPDX-License-Identifier: MIT */
/* A lock in one futex word: the C library's own 0/1/2 protocol, with one more bit
   for a hand-over. It serves private mutexes, process-shared ones (without the bit, so that a
   process without this library can share them), the native mutex and the
   library's internal locks.

       value  name        meaning
       0      free
       1      locked      nobody sleeps, or somebody woken is on the way (W2)
       2      contended   locked; somebody may sleep
       4      granted     free, but left for a waiter that has waited too long
       6      hungry      contended; the next release grants

   Moves:
       0 -> 1, 0 -> 2     acquire; 2 by a thread that has slept
       1 -> 2             before sleeping; by the holder that moves sleepers here
       2 -> 1             by the holder, while a counted carrier is awake
       2 -> 6             by a woken waiter that has waited too long, or one of real-time
                          priority; private scope only
       4 -> 2             acquire, by anyone: a granted word never makes anyone sleep
       1 -> 0, 2 -> 0     release; from 2 with one wake afterwards
       6 -> 4             release; then one wake of a hungry sleeper, else of any
   Bits 30 and 31 are kept free for a reserved owner (biased locking).

   Invariants:
   W1  Locked if and only if the word is 1, 2 or 6.
   W2  While a thread sleeps, the word is 2 or 6, or a *carrier* exists: the
       releaser between its store and its wake, or a woken thread that has neither
       acquired (with 2) nor made the word 2 again. So a run of releases and
       acquisitions by others wakes nobody twice, and no wake-up is lost.
       A holder may make a contended word locked while another carrier is awake and counted
       (fs_word_lock_rely_on): that one will acquire with 2, or leave the count before it makes
       the word 2 and sleeps. Both sides change one and then look at the other.
   W3  Nobody sleeps on 0 or 4.
   W4  After the releasing store only the address of the word is used.
   W5  Whoever does not hold the lock changes it only by 0 -> 1, 0 -> 2, 4 -> 2, 1 -> 2
       and 2 -> 6. All but the last keep meaning the same to the C library, and 6 reads as
       "contended" to it: so the holder can turn the mutex over to the C library.

   A wrong 2 costs one futile wake; a wrong 1 (a sleeper and no carrier) is a hang;
   a wrong 6 costs one more futile wake; a wrong 4 costs the next locker a
   short courtesy. */
#ifndef FS_LOCK_WORD_LOCK_H
#define FS_LOCK_WORD_LOCK_H

#include <stdbool.h>

#include "base/atomic.h"
#include "futex/futex.h"
#include "futex/thread.h"

#define FS_LOCK_FREE 0u
#define FS_LOCK_LOCKED 1u
#define FS_LOCK_CONTENDED 2u
#define FS_LOCK_GRANTED 4u
#define FS_LOCK_HUNGRY (FS_LOCK_CONTENDED | FS_LOCK_GRANTED)

/* Those of real-time priority match any wake, so that the kernel's order by priority decides.
   Other sleepers of a private word say with which bit they sleep: a hungry one can be
   chosen, and a sleeper moved here from a condition variable keeps the bit it had there. */
#define FS_LOCK_BIT_HUNGRY 0x80000000u
#define FS_LOCK_BITS_ORDINARY 0x7fffffffu

FS_ALWAYS_INLINE bool fs_lock_is_held(uint32_t value)
{
    return (value & (FS_LOCK_LOCKED | FS_LOCK_CONTENDED)) != 0;
}

/* Acquires a free word; false leaves everything as it was. Pairs (acquire) with
   fs_word_lock_release. */
FS_ALWAYS_INLINE bool fs_word_lock_try_free(fs_word *w)
{
    uint32_t old = FS_INDEPENDENT(uint32_t, FS_LOCK_FREE);

    return fs_cas_acquire(w, &old, FS_LOCK_LOCKED);
}

/* As above, also without an atomic operation while the process has one thread:
   nobody else can see the word then (private scope only). */
FS_ALWAYS_INLINE bool fs_word_lock_try_free_private(fs_word *w)
{
    if (fs_is_single_threaded()) {
        if (FS_UNLIKELY(fs_load_relaxed(w) != FS_LOCK_FREE))
            return false;
        fs_store_relaxed(w, FS_LOCK_LOCKED);
        return true;
    }
    return fs_word_lock_try_free(w);
}

/* Acquires a free or granted word. Returns whether it did. */
bool fs_word_lock_try(fs_word *w);

/* Acquires the word, sleeping as long as it takes. `woken` says that the caller
   comes from a sleep on this very word (it was moved here): it is a carrier (W2).
   Returns 0, or ETIMEDOUT, or EINVAL (the deadline is not valid and the word not free). */
int fs_word_lock_acquire_slow(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope,
                              bool woken);

/* Acquires a private word for one of several sleepers that were moved here and may be awake at
   once. *awake counts those that are and have not acquired yet; each is a carrier (W2). One that
   has to sleep again leaves the count first, then makes the word contended. Returns whether it
   slept again. */
bool fs_word_lock_acquire_among(fs_word *w, fs_word *awake);

/* By the holder, one of them: while others are awake, its own release need not wake anybody.
   Returns whether others are. Requires that the holder owes no wake-up (mutex.h, M4): the word may
   be made locked, and the release would not come by to pay. */
bool fs_word_lock_rely_on(fs_word *w, fs_word *awake);

FS_ALWAYS_INLINE int fs_word_lock_acquire(fs_word *w, const struct fs_deadline *deadline,
                                          enum fs_scope scope)
{
    if (FS_LIKELY(fs_word_lock_try_free(w)))
        return 0;
    return fs_word_lock_acquire_slow(w, deadline, scope, false);
}

/* As above for a private word: without an atomic operation while the process has one thread. */
FS_ALWAYS_INLINE int fs_word_lock_acquire_private(fs_word *w, const struct fs_deadline *deadline)
{
    if (FS_LIKELY(fs_word_lock_try_free_private(w)))
        return 0;
    return fs_word_lock_acquire_slow(w, deadline, FS_SCOPE_PRIVATE, false);
}

/* The rest of a release that found more than "locked": with `grant`, a hungry word
   is handed over. A word that is not locked is left alone. */
void fs_word_lock_release_slow(fs_word *w, enum fs_scope scope, bool grant);

/* The two halves of the above. The first returns what the word held; the second, given that,
   wakes whom the release has to wake, by the address of the word alone. */
uint32_t fs_word_lock_release_quietly(fs_word *w, bool grant);
void fs_word_lock_wake_after(fs_word *w, uint32_t released, enum fs_scope scope);

/* Releases a private word that nobody waits for; false leaves it as it was, for
   fs_word_lock_release_slow. From the store on only the address of w is used (W4). */
FS_ALWAYS_INLINE bool fs_word_lock_release_free(fs_word *w)
{
    uint32_t old = FS_INDEPENDENT(uint32_t, FS_LOCK_LOCKED);

    return fs_cas_release(w, &old, FS_LOCK_FREE);
}

/* As above, without an atomic operation while the process has one thread. */
FS_ALWAYS_INLINE bool fs_word_lock_release_free_private(fs_word *w)
{
    if (fs_is_single_threaded()) {
        if (FS_UNLIKELY(fs_load_relaxed(w) != FS_LOCK_LOCKED))
            return false;
        fs_store_relaxed(w, FS_LOCK_FREE);
        return true;
    }
    return fs_word_lock_release_free(w);
}

FS_ALWAYS_INLINE void fs_word_lock_release(fs_word *w)
{
    if (FS_UNLIKELY(!fs_word_lock_release_free(w)))
        fs_word_lock_release_slow(w, FS_SCOPE_PRIVATE, true);
}

FS_ALWAYS_INLINE void fs_word_lock_release_private(fs_word *w)
{
    if (FS_UNLIKELY(!fs_word_lock_release_free_private(w)))
        fs_word_lock_release_slow(w, FS_SCOPE_PRIVATE, true);
}

/* Releases a word that the C library may look at: never leaves it granted (W5). */
FS_ALWAYS_INLINE void fs_word_lock_release_plain(fs_word *w, enum fs_scope scope)
{
    if (FS_UNLIKELY(!fs_word_lock_release_free(w)))
        fs_word_lock_release_slow(w, scope, false);
}

/* By the holder, before sleepers are moved onto the word: from now on a release wakes. */
void fs_word_lock_mark_contended(fs_word *w);

#endif
