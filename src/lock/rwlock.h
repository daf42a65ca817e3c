/* SPDX-License-Identifier: MIT */
/* A private reader-writer lock in one 64-bit word, whose halves are two futex words:
   readers sleep on the lower, writers on the upper, so that either side is woken without
   the other, and yet one compare-and-swap changes both.

   low     bits  0..26  readers inside
           bit   27     WRITER: a writer is inside
           bit   28     READERS_WAIT: readers may sleep, on the low half
           bit   29     WRITER_AWAKE: a writer that waits is not asleep and will look again
           bits  30, 31 kept free (reader slots)
   high    bits 32..47  writers that wait, asleep or about to be; exact
           bits 48..63  turn: counts the releases that woke a writer; 0 when none waits

   Moves:
       reader in        readers + 1     no WRITER (and, writers preferred, no writer waits)
       reader out       readers - 1     the last: turn + 1, + WRITER_AWAKE if it wakes a writer
       writer in        + WRITER        neither readers nor WRITER; if it waited: waiting - 1,
                                        - WRITER_AWAKE
       writer out       - WRITER        as reader out; - READERS_WAIT if it wakes readers instead
       writer waits     waiting + 1     once per call; + WRITER_AWAKE
       writer sleeps    - WRITER_AWAKE  somebody is inside
       writer gives up  waiting - 1     somebody is inside; - WRITER_AWAKE; the last one, writers
                                        preferred: - READERS_WAIT, wakes
       reader waits     + READERS_WAIT  while the state does not admit it

   Invariants:
   L1  WRITER is set only when no reader is inside.
   L2  While a reader sleeps, READERS_WAIT is set or all readers are about to be woken. A wrong
       READERS_WAIT costs a futile wake; a missing one is a hang.
   L3  A writer sleeps only while it is counted, on the high half that it left by the move "writer
       sleeps". Whatever lets writers in finds WRITER_AWAKE, or changes the turn and wakes one
       writer, or wakes readers, of whom the last does.
   L4  WRITER_AWAKE only while a counted writer is awake: it enters, or clears the bit by a move
       that needs somebody inside. A missing bit costs a futile wake; a wrong one is a hang.
   L5  After the releasing move only the address of the lock is used. */
#ifndef FS_LOCK_RWLOCK_H
#define FS_LOCK_RWLOCK_H

#include <stdbool.h>

#include "base/atomic.h"
#include "futex/futex.h"
#include "futex/thread.h"

#define FS_RW_READER UINT64_C(1)
#define FS_RW_READERS UINT64_C(0x07ffffff)
#define FS_RW_WRITER UINT64_C(0x08000000)
#define FS_RW_READERS_WAIT UINT64_C(0x10000000)
#define FS_RW_WRITER_AWAKE UINT64_C(0x20000000)
#define FS_RW_WAITING (UINT64_C(1) << 32)
#define FS_RW_WAITING_MASK (UINT64_C(0xffff) << 32)
#define FS_RW_TURN (UINT64_C(1) << 48)

/* A bit that every state but 0 has, where marked_rwlock.h asks for one. */
#ifndef FS_RW_MARK
#define FS_RW_MARK UINT64_C(0)
#endif

struct fs_rwlock {
    fs_wide state;
};

/* Whom a release and an arriving reader favour. */
enum fs_rw_preference {
    FS_RW_PREFER_READERS = 0, /* a reader may always join readers: recursion is safe */
    FS_RW_PREFER_WRITERS = 1,
};

/* What a move leaves, with its mark. */
FS_ALWAYS_INLINE uint64_t fs_rw_sealed(uint64_t state)
{
    state &= ~FS_RW_MARK;
    return FS_RW_MARK != 0 && state != 0 ? state | FS_RW_MARK : state;
}

FS_ALWAYS_INLINE bool fs_rw_has_holder(uint64_t state)
{
    return (state & (FS_RW_READERS | FS_RW_WRITER)) != 0;
}

FS_ALWAYS_INLINE bool fs_rw_has_waiting_writer(uint64_t state)
{
    return (state & FS_RW_WAITING_MASK) != 0;
}

FS_ALWAYS_INLINE bool fs_rw_admits_reader(uint64_t state, enum fs_rw_preference preference)
{
    if (state & FS_RW_WRITER)
        return false;
    return preference == FS_RW_PREFER_READERS || !fs_rw_has_waiting_writer(state);
}

/* Enters as a reader. Returns 0, EAGAIN (too many readers), ETIMEDOUT, EINVAL (the
   deadline is invalid and the lock not to be had at once). The try: 0, EAGAIN, EBUSY. */
int fs_rwlock_read(struct fs_rwlock *l, enum fs_rw_preference preference,
                   const struct fs_deadline *deadline);
int fs_rwlock_try_read(struct fs_rwlock *l, enum fs_rw_preference preference);

/* Enters as the writer. Returns 0, ETIMEDOUT, EINVAL as above. The try: 0, EBUSY. */
int fs_rwlock_write(struct fs_rwlock *l, enum fs_rw_preference preference,
                    const struct fs_deadline *deadline);
int fs_rwlock_try_write(struct fs_rwlock *l);

/* Leaves, as whatever the state says: with WRITER set as the writer, else as one reader.
   A lock that nobody holds is left alone. */
void fs_rwlock_release(struct fs_rwlock *l, enum fs_rw_preference preference);

/* The uncontended moves, inline, and without an atomic operation while the process has one thread.
   False leaves everything as it was. They guess the state instead of loading it: a load right
   behind the last atomic operation on the same word costs a third as much as another one. */
FS_ALWAYS_INLINE bool fs_rwlock_move(struct fs_rwlock *l, uint64_t from, uint64_t to, bool enters)
{
    if (fs_is_single_threaded()) {
        if (fs_wide_load_relaxed(&l->state) != from)
            return false;
        fs_wide_store_relaxed(&l->state, to);
        return true;
    }
    return enters ? fs_wide_cas_acquire(&l->state, &from, to)
                  : fs_wide_cas_release(&l->state, &from, to);
}

FS_ALWAYS_INLINE bool fs_rwlock_read_fast(struct fs_rwlock *l)
{
    return fs_rwlock_move(l, 0, fs_rw_sealed(FS_RW_READER), true);
}

FS_ALWAYS_INLINE bool fs_rwlock_write_fast(struct fs_rwlock *l)
{
    return fs_rwlock_move(l, 0, fs_rw_sealed(FS_RW_WRITER), true);
}

/* `as_writer`: the caller entered as the writer. */
FS_ALWAYS_INLINE bool fs_rwlock_release_fast(struct fs_rwlock *l, bool as_writer)
{
    return fs_rwlock_move(l, fs_rw_sealed(as_writer ? FS_RW_WRITER : FS_RW_READER), 0, false);
}

#endif
