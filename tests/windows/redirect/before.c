/* SPDX-License-Identifier: MIT */
/* A library that is initialised before ours: when its program starts it has objects of Win32's in
   use, by the system's functions. It goes on calling those. */
#include <windows.h>

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved);

__declspec(dllexport) CRITICAL_SECTION late_section = {(void *)-1, -1, 0, 0, 0, 0};
__declspec(dllexport) CRITICAL_SECTION held_section, free_section,
    initial_section = {(void *)-1, -1, 0, 0, 0, 0};
__declspec(dllexport) CRITICAL_SECTION found_section;
__declspec(dllexport) SRWLOCK written_lock, read_lock, free_lock;
__declspec(dllexport) CONDITION_VARIABLE woken_condition;
__declspec(dllexport) void before_use(void);
__declspec(dllexport) void before_enter(CRITICAL_SECTION *section);
__declspec(dllexport) void before_leave(CRITICAL_SECTION *section);
__declspec(dllexport) void before_wake(void);

typedef void any(void);
typedef void WINAPI of_section(CRITICAL_SECTION *section);

/* What it looks up has to know what it imports. */
static void use_found(void)
{
    HMODULE kernel = GetModuleHandleA("kernel32"), ntdll = GetModuleHandleA("ntdll");
    of_section *start = (of_section *)(any *)GetProcAddress(kernel, "InitializeCriticalSection");
    of_section *leave = (of_section *)(any *)GetProcAddress(ntdll, "RtlLeaveCriticalSection");

    start(&found_section);
    EnterCriticalSection(&found_section);
    leave(&found_section);
}

/* Its own objects, and by its own calls. */
void before_use(void)
{
    static SRWLOCK own_lock;

    AcquireSRWLockExclusive(&own_lock);
    EnterCriticalSection(&free_section);
    LeaveCriticalSection(&free_section);
    ReleaseSRWLockExclusive(&own_lock);
    use_found();
}

void before_enter(CRITICAL_SECTION *section)
{
    EnterCriticalSection(section);
}

void before_leave(CRITICAL_SECTION *section)
{
    LeaveCriticalSection(section);
}

void before_wake(void)
{
    WakeConditionVariable(&woken_condition);
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved)
{
    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    InitializeCriticalSection(&free_section);
    InitializeCriticalSection(&held_section);
    EnterCriticalSection(&held_section);
    EnterCriticalSection(&initial_section);
    EnterCriticalSection(&late_section);
    LeaveCriticalSection(&late_section);
    AcquireSRWLockExclusive(&written_lock);
    AcquireSRWLockShared(&read_lock);
    before_wake(); /* Wine counts that */
    before_use();
    return TRUE;
}
