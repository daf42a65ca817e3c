/* SPDX-License-Identifier: MIT */
/* SRW locks: the reader-writer lock of lock/marked_rwlock.h in the program's own word. Whose one is
   stands in windows_win32.h. One that the original has in use is left by its functions; it is never
   acquired by them, since it may become ours in between, but waited for, looking now and then. A
   waiting writer keeps new readers out, and nobody may ask again for what he holds, as with the
   original. When the process ends and a killed thread held a lock, the system decides
   (windows_orphan.c); what the process survives is taken. */
#include "lock/marked_rwlock.h"

#include "interpose/windows_start.h"
#include "interpose/windows_win32.h"

#define PREFERENCE FS_RW_PREFER_WRITERS

static struct fs_rwlock *view(RTL_SRWLOCK *lock)
{
    return (struct fs_rwlock *)(void *)lock;
}

bool fs_srw_is_theirs(RTL_SRWLOCK *lock)
{
    uint64_t state = fs_wide_load_relaxed(&view(lock)->state);

    return state != 0 && !(state & FS_RW_MARK);
}

/* At the end of the process: nobody else is there, and those who waited are gone. */
static bool take_at_end(struct fs_rwlock *l, uint64_t how)
{
    uint64_t state = fs_wide_load_relaxed(&l->state);

    if (!fs_process_is_ending())
        return false;
    if (how == FS_RW_WRITER ? fs_rw_has_holder(state) : (state & FS_RW_WRITER) != 0)
        fs_orphan_found();
    fs_wide_store_relaxed(&l->state, fs_rw_sealed(how));
    return true;
}

#define YIELDS 100u /* before it takes longer */

static void await_original(RTL_SRWLOCK *lock)
{
    for (unsigned i = 0; fs_srw_is_theirs(lock); i++) {
        if (fs_process_is_ending()) {
            fs_orphan_found();
            fs_wide_store_relaxed(&view(lock)->state, 0);
        } else if (i < YIELDS) {
            fs_system_yield();
        } else {
            Sleep(1);
        }
    }
}

static FS_NOINLINE void acquire_exclusive_slow(RTL_SRWLOCK *lock)
{
    await_original(lock);
    if (!take_at_end(view(lock), FS_RW_WRITER))
        fs_rwlock_write(view(lock), PREFERENCE, NULL);
}

void NTAPI fs_RtlAcquireSRWLockExclusive(RTL_SRWLOCK *lock)
{
    if (FS_UNLIKELY(!fs_rwlock_write_fast(view(lock))))
        acquire_exclusive_slow(lock);
}

/* More readers than the word can count are none that a program has. */
static FS_NOINLINE void acquire_shared_slow(RTL_SRWLOCK *lock)
{
    await_original(lock);
    if (fs_rwlock_try_read(view(lock), PREFERENCE) == 0 || take_at_end(view(lock), FS_RW_READER))
        return;
    while (fs_rwlock_read(view(lock), PREFERENCE, NULL) != 0)
        fs_system_yield();
}

void NTAPI fs_RtlAcquireSRWLockShared(RTL_SRWLOCK *lock)
{
    if (FS_UNLIKELY(!fs_rwlock_read_fast(view(lock))))
        acquire_shared_slow(lock);
}

BOOLEAN NTAPI fs_RtlTryAcquireSRWLockExclusive(RTL_SRWLOCK *lock)
{
    return !fs_srw_is_theirs(lock) && fs_rwlock_try_write(view(lock)) == 0;
}

BOOLEAN NTAPI fs_RtlTryAcquireSRWLockShared(RTL_SRWLOCK *lock)
{
    return !fs_srw_is_theirs(lock) && fs_rwlock_try_read(view(lock), PREFERENCE) == 0;
}

void NTAPI fs_RtlReleaseSRWLockExclusive(RTL_SRWLOCK *lock)
{
    if (FS_LIKELY(fs_rwlock_release_fast(view(lock), true)))
        return;
    if (fs_srw_is_theirs(lock))
        FS_ORIGINAL_LIKE(RtlReleaseSRWLockExclusive, fs_RtlReleaseSRWLockExclusive)(lock);
    else
        fs_rwlock_release(view(lock), PREFERENCE);
}

void NTAPI fs_RtlReleaseSRWLockShared(RTL_SRWLOCK *lock)
{
    if (FS_LIKELY(fs_rwlock_release_fast(view(lock), false)))
        return;
    if (fs_srw_is_theirs(lock))
        FS_ORIGINAL_LIKE(RtlReleaseSRWLockShared, fs_RtlReleaseSRWLockShared)(lock);
    else
        fs_rwlock_release(view(lock), PREFERENCE);
}

/* Waits until nobody is inside who was when it began. */
void NTAPI fs_RtlAcquireReleaseSRWLockExclusive(RTL_SRWLOCK *lock)
{
    fs_RtlAcquireSRWLockExclusive(lock);
    fs_RtlReleaseSRWLockExclusive(lock);
}

void NTAPI fs_RtlInitializeSRWLock(RTL_SRWLOCK *lock)
{
    fs_wide_store_relaxed(&view(lock)->state, 0);
}
