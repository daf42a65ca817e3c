/* SPDX-License-Identifier: MIT */
/* What the library does on Windows when it is loaded: it is its own entry point, since there is no
   C runtime below it. Nothing here may wait: the loader's lock is held. */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "futex/futex.h"
#include "lock/settings.h"

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved);

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved)
{
    if (reason == DLL_PROCESS_ATTACH) {
        DisableThreadLibraryCalls(self);
        fs_settings.requeue = false; /* nobody can be moved, nor one of several be woken by a bit */
        fs_settings.requeue_pi = false;
        fs_settings.processors = fs_system_processor_count();
    }
    return TRUE;
}
