/* SPDX-License-Identifier: MIT */
/* Starts fastsync-run.exe, which lies beside the library, with the library's path and the number of
   the process, and waits for it. Its exit status is 0 when the library is in. */
#include "launch/helper.h"

#ifdef _WIN64

bool fs_helper_is_needed(HANDLE process)
{
    return false;
}

const char *fs_helper_insert(HANDLE process, const struct fs_library *library)
{
    return "not needed";
}

#else

#include "launch/library.h"

bool fs_helper_is_needed(HANDLE process)
{
    BOOL own, other;

    /* Both are true for a process of 32 bits on a system of 64. */
    return IsWow64Process(GetCurrentProcess(), &own) && own && IsWow64Process(process, &other) &&
           !other;
}

static void append(WCHAR *text, const char *more)
{
    text += lstrlenW(text);
    while (*more)
        *text++ = (WCHAR)(unsigned char)*more++;
    *text = 0;
}

static void append_number(WCHAR *text, DWORD number)
{
    char digits[12] = {0};
    char *at = digits + sizeof(digits) - 1;

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    append(text, at);
}

const char *fs_helper_insert(HANDLE process, const struct fs_library *library)
{
    WCHAR program[FS_LAUNCH_PATH], line[FS_LAUNCH_PATH + 80] = {0};
    char path[FS_LAUNCH_PATH];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION helper;
    DWORD status = 1;
    const char *wrong = fs_library_path(library, true, path);

    if (wrong)
        return wrong;
    if (!fs_library_file(library, L"fastsync-run.exe", program) ||
        GetFileAttributesW(program) == INVALID_FILE_ATTRIBUTES)
        return "fastsync-run.exe is missing, which a program of 64 bits needs";
    append(line, "fastsync-run --library \"");
    append(line, path);
    append(line, "\" " FS_HELPER_OPTION " ");
    append_number(line, GetProcessId(process));
    if (!CreateProcessW(program, line, NULL, NULL, FALSE, CREATE_NO_WINDOW, NULL, NULL, &startup,
                        &helper))
        return "fastsync-run.exe cannot be started, which a program of 64 bits needs";
    WaitForSingleObject(helper.hProcess, INFINITE);
    GetExitCodeProcess(helper.hProcess, &status);
    CloseHandle(helper.hThread);
    CloseHandle(helper.hProcess);
    return status == 0 ? NULL : "fastsync-run.exe could not put the library in";
}

#endif
