/* SPDX-License-Identifier: MIT */
/* CreateProcess: the child is created suspended, gets this library, and runs on unless the caller
   wants it suspended. A child that cannot have the library runs without: most are none of ours. */
#include "base/fatal.h"
#include "interpose/windows_calls.h"
#include "interpose/windows_start.h"
#include "launch/insert.h"

extern const char own_image[] FS_LABEL(__ImageBase);

static void follow(const PROCESS_INFORMATION *child, DWORD flags)
{
    DWORD saved = GetLastError();
    struct fs_library library;
    const char *wrong = fs_library_own(&library, (HMODULE)(uintptr_t)own_image)
                            ? fs_launch_insert(child->hProcess, &library)
                            : "the path of the library is too long";
    char number[24];

    if (wrong && fs_start_switches.verbose)
        fs_report("process ", fs_format_number((long)child->dwProcessId, number),
                  " runs without the library: ", wrong, (char *)0);
    if (!(flags & CREATE_SUSPENDED))
        ResumeThread(child->hThread);
    SetLastError(saved);
}

BOOL WINAPI fs_CreateProcessA(LPCSTR program, LPSTR line, SECURITY_ATTRIBUTES *process,
                              SECURITY_ATTRIBUTES *thread, BOOL inherits, DWORD flags,
                              LPVOID environment, LPCSTR directory, STARTUPINFOA *startup,
                              PROCESS_INFORMATION *out)
{
    if (!FS_ORIGINAL(CreateProcessA)(program, line, process, thread, inherits,
                                     flags | CREATE_SUSPENDED, environment, directory, startup,
                                     out))
        return FALSE;
    follow(out, flags);
    return TRUE;
}

BOOL WINAPI fs_CreateProcessW(LPCWSTR program, LPWSTR line, SECURITY_ATTRIBUTES *process,
                              SECURITY_ATTRIBUTES *thread, BOOL inherits, DWORD flags,
                              LPVOID environment, LPCWSTR directory, STARTUPINFOW *startup,
                              PROCESS_INFORMATION *out)
{
    if (!FS_ORIGINAL(CreateProcessW)(program, line, process, thread, inherits,
                                     flags | CREATE_SUSPENDED, environment, directory, startup,
                                     out))
        return FALSE;
    follow(out, flags);
    return TRUE;
}
