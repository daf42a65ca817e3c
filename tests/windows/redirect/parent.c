/* SPDX-License-Identifier: MIT */
/* A program that starts another, whose command line is the second argument: by CreateProcessA or W,
   suspended, by the C runtime, or through cmd.exe. Its status is the child's. */
#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static int wait_for(PROCESS_INFORMATION *child)
{
    DWORD status;

    WaitForSingleObject(child->hProcess, INFINITE);
    return GetExitCodeProcess(child->hProcess, &status) ? (int)status : 100;
}

static int create_narrow(char *line, DWORD flags, PROCESS_INFORMATION *child)
{
    STARTUPINFOA startup = {.cb = sizeof(startup)};

    return CreateProcessA(NULL, line, NULL, NULL, TRUE, flags, NULL, NULL, &startup, child);
}

static int create_wide(const char *line, PROCESS_INFORMATION *child)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    WCHAR wide[1000];

    mbstowcs(wide, line, 1000);
    return CreateProcessW(NULL, wide, NULL, NULL, TRUE, 0, NULL, NULL, &startup, child);
}

int main(int count, char **arguments)
{
    const char *how = arguments[1];
    PROCESS_INFORMATION child;

    if (count != 3)
        return 101;
    if (strcmp(how, "system") == 0)
        return system(arguments[2]);
    if (strcmp(how, "spawn") == 0)
        return (int)_spawnlp(_P_WAIT, arguments[2], arguments[2], NULL);
    if (strcmp(how, "suspended") == 0) {
        if (!create_narrow(arguments[2], CREATE_SUSPENDED, &child))
            return 102;
        /* As often suspended as asked for, so once lets it run. */
        return ResumeThread(child.hThread) == 1 ? wait_for(&child) : 103;
    }
    if (strcmp(how, "W") == 0 ? !create_wide(arguments[2], &child)
                              : !create_narrow(arguments[2], 0, &child))
        return 102;
    if (ResumeThread(child.hThread) != 0)
        return 104; /* it was left suspended */
    return wait_for(&child);
}
