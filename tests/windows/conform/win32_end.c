/* SPDX-License-Identifier: MIT */
/* The end of a process, which kills its threads wherever they are, before the DLLs' destructors
   run: those use Win32's locks, and must not wait for what a thread has held that is gone. The
   program starts itself as often as makes it likely that threads were inside everywhere. */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#define PROCESSES 10
#define PROCESS_LIMIT_MS 20000 /* one process, against hangs */
#define CHILD_STATUS 71

__declspec(dllimport) extern CRITICAL_SECTION ending_section;
__declspec(dllimport) extern SRWLOCK ending_lock;
__declspec(dllimport) extern CONDITION_VARIABLE ending_condition;
__declspec(dllimport) extern bool ending_starts, ending_waits;

/* ---- the process that ends ---------------------------------------------------- */

static int running;

static int wait_and_wake(void *me)
{
    for (;; check_add(&running, 1)) {
        if ((intptr_t)me % 2) {
            EnterCriticalSection(&ending_section);
            SleepConditionVariableCS(&ending_condition, &ending_section, 0);
            WakeAllConditionVariable(&ending_condition);
            LeaveCriticalSection(&ending_section);
        } else {
            AcquireSRWLockExclusive(&ending_lock);
            SleepConditionVariableSRW(&ending_condition, &ending_lock, 0, 0);
            WakeAllConditionVariable(&ending_condition);
            ReleaseSRWLockExclusive(&ending_lock);
            AcquireSRWLockShared(&ending_lock);
            ReleaseSRWLockShared(&ending_lock);
        }
    }
    return 0;
}

static int hold(void *me)
{
    if ((intptr_t)me == 0) {
        EnterCriticalSection(&ending_section);
    } else {
        if ((intptr_t)me == 1)
            AcquireSRWLockExclusive(&ending_lock);
        else
            AcquireSRWLockShared(&ending_lock);
    }
    check_add(&running, 1000000);
    Sleep(INFINITE);
    return 0;
}

static void CALLBACK hold_in_callback(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    EnterCriticalSection(&ending_section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &ending_section);
    check_add(&running, 1000000);
    Sleep(INFINITE);
}

/* With a number: that lock is held for sure; else they are used by many. */
static int end_amid_threads(const char *what)
{
    static struct thread threads[6];

    if (*what >= '0' && *what <= '2') {
        thread_start(&threads[0], hold, (void *)(intptr_t)(*what - '0'));
        check_until(&running, 1000000);
    } else if (*what == '3') {
        SubmitThreadpoolWork(CreateThreadpoolWork(hold_in_callback, NULL, NULL));
        check_until(&running, 1000000);
    } else {
        for (int i = 0; i < 6; i++)
            thread_start(&threads[i], wait_and_wake, (void *)(intptr_t)i);
        check_until(&running, 1000);
    }
    ending_starts = true;
    ending_waits = *what == 'w';
    ExitProcess(CHILD_STATUS);
}

/* ---- the one that starts it ------------------------------------------------------ */

/* Wine fails to now and then, under load. */
static bool start_child(const char *what, PROCESS_INFORMATION *child)
{
    STARTUPINFOA startup = {.cb = sizeof startup};
    char line[MAX_PATH + 24] = "\"";

    GetModuleFileNameA(NULL, line + 1, MAX_PATH);
    strcat(line, "\" end ");
    strcat(line, what);
    for (int i = 0; i < 5; i++) {
        if (CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, child))
            return true;
        printf("  CreateProcess: error %lu\n", GetLastError());
        Sleep(100);
    }
    return false;
}

static DWORD status_of_child(const char *what)
{
    PROCESS_INFORMATION child;
    DWORD status = 0;

    if (!CHECK(start_child(what, &child)))
        return 0;
    if (!CHECK(WaitForSingleObject(child.hProcess, PROCESS_LIMIT_MS) == WAIT_OBJECT_0))
        TerminateProcess(child.hProcess, 1);
    GetExitCodeProcess(child.hProcess, &status);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    return status;
}

static void a_critical_section_that_a_killed_thread_held_is_entered(void)
{
    CHECK_INT(status_of_child("0"), CHILD_STATUS);
}

static void a_section_of_a_callback_that_was_killed_is_entered(void)
{
    CHECK_INT(status_of_child("3"), CHILD_STATUS);
}

static void an_srw_lock_that_a_killed_thread_held_is_acquired(void)
{
    CHECK_INT(status_of_child("1"), CHILD_STATUS);
    CHECK_INT(status_of_child("2"), CHILD_STATUS);
}

static void a_wait_that_nobody_can_end_ends(void)
{
    CHECK_INT(status_of_child("w"), CHILD_STATUS);
}

static void destructors_do_not_wait_for_threads_that_are_gone(void)
{
    for (int i = 0; i < PROCESSES; i++)
        if (!CHECK_INT(status_of_child("x"), CHILD_STATUS))
            return;
}

static const struct check_case cases[] = {
    CHECK_CASE(a_critical_section_that_a_killed_thread_held_is_entered),
    CHECK_CASE(a_section_of_a_callback_that_was_killed_is_entered),
    CHECK_CASE_OURS(an_srw_lock_that_a_killed_thread_held_is_acquired,
                    "the original waits for ever, or ends the process"),
    CHECK_CASE_OURS(a_wait_that_nobody_can_end_ends, "the original waits for ever"),
    CHECK_CASE_OURS(destructors_do_not_wait_for_threads_that_are_gone, "the same"),
    CHECK_END,
};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "end") == 0)
        return end_amid_threads(argv[2]);
    return check_main(argc, argv, cases);
}
