/* SPDX-License-Identifier: MIT */
/* The part of check.h that makes a process for each test on Windows: the program starts itself
   again and names the test in a variable. A signal that ends a process is its status there: what
   abort() leaves, or the number of the exception. */
#ifndef FS_TESTS_SUPPORT_CHECK_SPAWN_H
#define FS_TESTS_SUPPORT_CHECK_SPAWN_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define CHECK_VARIABLE "FS_CHECK_TEST"
#define CHECK_OUT_OF_TIME 124

static inline void check_begin(const Suite *suite)
{
    char wanted[256];
    char *colon;

    SetErrorMode(SEM_FAILCRITICALERRORS |
                 SEM_NOGPFAULTERRORBOX); /* no windows; children inherit it */
    if (GetEnvironmentVariableA(CHECK_VARIABLE, wanted, sizeof wanted) == 0)
        return;
    SetEnvironmentVariableA(CHECK_VARIABLE, NULL);
    colon = strchr(wanted, ':');
    *colon = '\0';
    for (int i = 0; i < suite->count; i++)
        for (int j = 0; j < suite->cases[i]->count; j++)
            if (strcmp(suite->cases[i]->entries[j].test->name, wanted) == 0)
                check_do(suite->cases[i], suite->cases[i]->entries[j].test, atoi(colon + 1));
    abort();
}

static inline DWORD check_status_of(int signal)
{
    return signal == SIGABRT ? 3 : signal == SIGSEGV ? (DWORD)STATUS_ACCESS_VIOLATION : 0;
}

static inline bool check_run(const TCase *tests, const TTest *test, int index, int signal)
{
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    char name[256], program[MAX_PATH];
    DWORD status = 0;

    snprintf(name, sizeof name, "%s:%d", test->name, index);
    GetModuleFileNameA(NULL, program, sizeof program);
    SetEnvironmentVariableA(CHECK_VARIABLE, name);
    fflush(NULL);
    if (!CreateProcessA(program, GetCommandLineA(), NULL, NULL, TRUE, 0, NULL, NULL, &start,
                        &process)) {
        fprintf(stderr, "FAILED %s: no process, error %lu\n", name, GetLastError());
        return false;
    }
    if (WaitForSingleObject(process.hProcess, 1000 * tests->timeout) != WAIT_OBJECT_0) {
        TerminateProcess(process.hProcess, CHECK_OUT_OF_TIME);
        WaitForSingleObject(process.hProcess, INFINITE);
    }
    GetExitCodeProcess(process.hProcess, &status);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    if (status == check_status_of(signal))
        return true;
    fprintf(stderr, "FAILED %s, status %#lx%s\n", name, status,
            status == CHECK_OUT_OF_TIME ? ": not done in time" : "");
    return false;
}

#endif
