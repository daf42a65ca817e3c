/* SPDX-License-Identifier: MIT */
/* Win32's critical sections, SRW locks and condition variables as ours see them (group win32):
   which objects are ours, and the functions that take the place of ntdll's and kernel32's. Ours lie
   in the programs' own objects, since SRW locks and condition variables are never destroyed. This
   is the only place that knows what their words say. Only for 64 bits: half a word has no room.

   A critical section of ours has a mark in the upper half of LockSemaphore, where the original has
   0, or -1, or a handle, whose upper half is 0; ours need nothing else there. The rest is where the
   original has it, so that who holds a section, and how often, can be read there:

       DebugInfo       a record of ours, for programs to write into; looked at only to decide whose
                       a section without the mark is
       LockCount       -1 when free, as the original's; -2 when held: bit 0 is clear, as the
                       original's since Vista, and it is not -1, as in Wine. For readers only
       RecursionCount  how often the holder has entered
       OwningThread    its id, or 0
       LockSemaphore   our word lock (word_lock.h) and the mark

   An SRW lock of ours is 0 or has its highest bit (marked_rwlock.h); the original's is 0 when free,
   and never has that bit: it is a count and some flags, or an address.

   A condition variable of ours is 0 or FS_CV_WAITED: its upper half is a condition.h word. The
   original's is 0 when nobody waits, else an address on some thread's stack with flags below; in
   Wine a count of 32 bits. */
#ifndef FS_INTERPOSE_WINDOWS_WIN32_H
#define FS_INTERPOSE_WINDOWS_WIN32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <winternl.h>

#include "base/atomic.h"
#include "interpose/windows_redirect.h"

#ifndef _WIN64
#error "there is no group win32 for 32 bits"
#endif

struct fs_section {
    fs_pointer record;
    fs_word count; /* for readers */
    int32_t depth; /* the holder's */
    fs_word owner;
    uint32_t owner_high; /* always 0 */
    fs_word word;
    fs_word mark;
    uintptr_t spins; /* only told back */
};

/* LockCount, also the original's when free. */
#define FS_SECTION_FREE UINT32_MAX
#define FS_SECTION_HELD (UINT32_MAX - 1)

/* The mark. The second: a callback of a pool of threads has it until it returns
   (windows_callback.c). */
#define FS_SECTION_OURS 0x53fa57c0u
#define FS_SECTION_OF_CALLBACK 0x53fa57c1u

_Static_assert(sizeof(struct fs_section) == sizeof(RTL_CRITICAL_SECTION), "all of it, and no more");
_Static_assert(
    offsetof(struct fs_section, count) == offsetof(RTL_CRITICAL_SECTION, LockCount) &&
        offsetof(struct fs_section, depth) == offsetof(RTL_CRITICAL_SECTION, RecursionCount) &&
        offsetof(struct fs_section, owner) == offsetof(RTL_CRITICAL_SECTION, OwningThread) &&
        offsetof(struct fs_section, word) == offsetof(RTL_CRITICAL_SECTION, LockSemaphore) &&
        offsetof(struct fs_section, spins) == offsetof(RTL_CRITICAL_SECTION, SpinCount),
    "the fields' places");
_Static_assert(sizeof(RTL_SRWLOCK) == sizeof(fs_wide), "a lock is one word");
_Static_assert(sizeof(RTL_CONDITION_VARIABLE) == sizeof(fs_wide),
               "a condition variable is as well");

/* The only value besides 0 of a condition variable of ours. */
#define FS_CV_WAITED (UINT64_C(1) << 32)

/* Whether a critical section is ours, perhaps from now on: one that a compiler has initialised, and
   nobody uses. */
bool fs_section_settle(RTL_CRITICAL_SECTION *section);

/* Of a section of ours with the second mark. By its holder: PASSED: no callback but the caller has
   it; BACK: the caller is one that had left it and has its substitute again, ours must be left;
   INSIDE: the holder must leave it, await the callback, and enter again. */
enum fs_callback_state { FS_CALLBACK_PASSED, FS_CALLBACK_BACK, FS_CALLBACK_INSIDE };
enum fs_callback_state fs_callback_entered(RTL_CRITICAL_SECTION *section);

/* By who does not hold it: whether it is the callback inside; the first leaves it then. */
bool fs_callback_leave(RTL_CRITICAL_SECTION *section);
bool fs_callback_is_inside(RTL_CRITICAL_SECTION *section);
void fs_callback_await(RTL_CRITICAL_SECTION *section);

/* It is destroyed. */
void fs_callback_forget(RTL_CRITICAL_SECTION *section);

/* At the end of the process, when a lock is held by a thread that is gone: the system ends the
   process here if it does so for its own locks. */
void fs_orphan_found(void);

/* Whether a lock is in use by the original. */
bool fs_srw_is_theirs(RTL_SRWLOCK *lock);

/* ---- in the place of ntdll's ---------------------------------------------------- */

NTSTATUS NTAPI fs_RtlInitializeCriticalSection(RTL_CRITICAL_SECTION *section);
NTSTATUS NTAPI fs_RtlInitializeCriticalSectionAndSpinCount(RTL_CRITICAL_SECTION *section,
                                                           ULONG spins);
NTSTATUS NTAPI fs_RtlInitializeCriticalSectionEx(RTL_CRITICAL_SECTION *section, ULONG spins,
                                                 ULONG flags);
NTSTATUS NTAPI fs_RtlEnterCriticalSection(RTL_CRITICAL_SECTION *section);
BOOL NTAPI fs_RtlTryEnterCriticalSection(RTL_CRITICAL_SECTION *section);
NTSTATUS NTAPI fs_RtlLeaveCriticalSection(RTL_CRITICAL_SECTION *section);
NTSTATUS NTAPI fs_RtlDeleteCriticalSection(RTL_CRITICAL_SECTION *section);
ULONG NTAPI fs_RtlSetCriticalSectionSpinCount(RTL_CRITICAL_SECTION *section, ULONG spins);

void NTAPI fs_TpCallbackLeaveCriticalSectionOnCompletion(void *instance,
                                                         RTL_CRITICAL_SECTION *section);

void NTAPI fs_RtlInitializeSRWLock(RTL_SRWLOCK *lock);
void NTAPI fs_RtlAcquireSRWLockExclusive(RTL_SRWLOCK *lock);
void NTAPI fs_RtlAcquireSRWLockShared(RTL_SRWLOCK *lock);
BOOLEAN NTAPI fs_RtlTryAcquireSRWLockExclusive(RTL_SRWLOCK *lock);
BOOLEAN NTAPI fs_RtlTryAcquireSRWLockShared(RTL_SRWLOCK *lock);
void NTAPI fs_RtlReleaseSRWLockExclusive(RTL_SRWLOCK *lock);
void NTAPI fs_RtlReleaseSRWLockShared(RTL_SRWLOCK *lock);
void NTAPI fs_RtlAcquireReleaseSRWLockExclusive(RTL_SRWLOCK *lock);

void NTAPI fs_RtlInitializeConditionVariable(RTL_CONDITION_VARIABLE *condition);
NTSTATUS NTAPI fs_RtlSleepConditionVariableCS(RTL_CONDITION_VARIABLE *condition,
                                              RTL_CRITICAL_SECTION *section,
                                              const LARGE_INTEGER *timeout);
NTSTATUS NTAPI fs_RtlSleepConditionVariableSRW(RTL_CONDITION_VARIABLE *condition, RTL_SRWLOCK *lock,
                                               const LARGE_INTEGER *timeout, ULONG flags);
void NTAPI fs_RtlWakeConditionVariable(RTL_CONDITION_VARIABLE *condition);
void NTAPI fs_RtlWakeAllConditionVariable(RTL_CONDITION_VARIABLE *condition);

/* ---- in the place of kernel32's ------------------------------------------------- */

BOOL WINAPI fs_InitializeCriticalSectionAndSpinCount(RTL_CRITICAL_SECTION *section, DWORD spins);
BOOL WINAPI fs_InitializeCriticalSectionEx(RTL_CRITICAL_SECTION *section, DWORD spins, DWORD flags);
BOOL WINAPI fs_SleepConditionVariableCS(RTL_CONDITION_VARIABLE *condition,
                                        RTL_CRITICAL_SECTION *section, DWORD ms);
BOOL WINAPI fs_SleepConditionVariableSRW(RTL_CONDITION_VARIABLE *condition, RTL_SRWLOCK *lock,
                                         DWORD ms, ULONG flags);

#endif
