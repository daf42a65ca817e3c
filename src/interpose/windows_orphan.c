/* SPDX-License-Identifier: MIT */
/* What becomes of a process that ends and asks for a lock which a killed thread held: the system
   decides. It is asked by a section of the original's that seems to be another thread's. Windows
   since Vista ends the process there; where the call comes back, as under Wine, the caller goes on
   and takes the lock. */
#include "interpose/windows_start.h"
#include "interpose/windows_win32.h"

#define NO_THREAD ((void *)(uintptr_t)2) /* threads' ids are multiples of four */

void fs_orphan_found(void)
{
    static RTL_CRITICAL_SECTION orphan;
    static bool asked; /* there is one thread left */

    if (asked)
        return;
    asked = true;
    FS_ORIGINAL_LIKE(RtlInitializeCriticalSection, fs_RtlInitializeCriticalSection)(&orphan);
    FS_ORIGINAL_LIKE(RtlEnterCriticalSection, fs_RtlEnterCriticalSection)(&orphan);
    orphan.OwningThread = NO_THREAD;
    FS_ORIGINAL_LIKE(RtlEnterCriticalSection, fs_RtlEnterCriticalSection)(&orphan);
}
