/* SPDX-License-Identifier: MIT */
/* A library whose destructor uses Win32's locks when the process ends: those that threads held
   which are gone, and condition variables that they waited on. */
#include <stdbool.h>
#include <windows.h>

__declspec(dllexport) CRITICAL_SECTION ending_section = {(void *)-1, -1, 0, 0, 0, 0};
__declspec(dllexport) SRWLOCK ending_lock = SRWLOCK_INIT;
__declspec(dllexport) CONDITION_VARIABLE ending_condition = CONDITION_VARIABLE_INIT;
__declspec(dllexport) bool ending_starts, ending_waits;

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved);

static void use_everything(void)
{
    WakeConditionVariable(&ending_condition);
    WakeAllConditionVariable(&ending_condition);
    if (ending_waits) { /* for what nobody will do any more */
        EnterCriticalSection(&ending_section);
        SleepConditionVariableCS(&ending_condition, &ending_section, INFINITE);
        LeaveCriticalSection(&ending_section);
        AcquireSRWLockShared(&ending_lock);
        SleepConditionVariableSRW(&ending_condition, &ending_lock, INFINITE, 1);
        ReleaseSRWLockShared(&ending_lock);
    }
    for (int i = 0; i < 2; i++) {
        EnterCriticalSection(&ending_section);
        SleepConditionVariableCS(&ending_condition, &ending_section, 1);
        LeaveCriticalSection(&ending_section);
        AcquireSRWLockExclusive(&ending_lock);
        SleepConditionVariableSRW(&ending_condition, &ending_lock, 1, 0);
        ReleaseSRWLockExclusive(&ending_lock);
        AcquireSRWLockShared(&ending_lock);
        ReleaseSRWLockShared(&ending_lock);
    }
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved)
{
    if (reason == DLL_PROCESS_DETACH && ending_starts)
        use_everything();
    return TRUE;
}
