/* SPDX-License-Identifier: MIT */
/* The end of a process, which kills its threads wherever they are, before the DLLs' destructors
   run: those use objects, and must not wait for what a thread has held that is gone. The program
   starts itself as often as makes it likely that some thread was inside. */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#define PROCESSES 12
#define PROCESS_LIMIT_MS 20000 /* one process, against hangs */
#define CHILD_STATUS 71

__declspec(dllimport) extern pthread_mutex_t ending_mutex;
__declspec(dllimport) extern pthread_cond_t ending_cond;
__declspec(dllimport) extern pthread_rwlock_t ending_rwlock;
__declspec(dllimport) extern bool ending_starts;

/* ---- the process that ends ---------------------------------------------------- */

static int running;

static int make_objects(void *nothing)
{
    for (;; check_add(&running, 1)) {
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        pthread_rwlock_t rwlock;

        OK(pthread_mutex_init(&mutex, NULL));
        OK(pthread_cond_init(&cond, NULL));
        OK(pthread_rwlock_init(&rwlock, NULL));
        OK(pthread_rwlock_destroy(&rwlock));
        OK(pthread_cond_destroy(&cond));
        OK(pthread_mutex_destroy(&mutex));
    }
    return 0;
}

static int wait_and_wake(void *nothing)
{
    const struct timespec past = {1, 0};

    for (;;) {
        OK(pthread_mutex_lock(&ending_mutex));
        pthread_cond_timedwait(&ending_cond, &ending_mutex, &past);
        OK(pthread_cond_broadcast(&ending_cond));
        OK(pthread_mutex_unlock(&ending_mutex));
    }
    return 0;
}

static int end_amid_threads(void)
{
    static struct thread threads[6];

    OK(pthread_rwlock_rdlock(&ending_rwlock));
    OK(pthread_rwlock_unlock(&ending_rwlock));
    for (int i = 0; i < 6; i++)
        thread_start(&threads[i], i < 4 ? make_objects : wait_and_wake, NULL);
    check_until(&running, 1000);
    ending_starts = true;
    ExitProcess(CHILD_STATUS);
}

/* ---- the one that starts it ------------------------------------------------------ */

/* Wine fails to now and then, under load. */
static bool start_child(PROCESS_INFORMATION *child)
{
    STARTUPINFOA startup = {.cb = sizeof startup};
    char line[MAX_PATH + 16] = "\"";

    GetModuleFileNameA(NULL, line + 1, MAX_PATH);
    strcat(line, "\" end");
    for (int i = 0; i < 5; i++) {
        if (CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, child))
            return true;
        printf("  CreateProcess: error %lu\n", GetLastError());
        Sleep(100);
    }
    return false;
}

static DWORD status_of_child(void)
{
    PROCESS_INFORMATION child;
    DWORD status = 0;

    if (!CHECK(start_child(&child)))
        return 0;
    if (!CHECK(WaitForSingleObject(child.hProcess, PROCESS_LIMIT_MS) == WAIT_OBJECT_0))
        TerminateProcess(child.hProcess, 1);
    GetExitCodeProcess(child.hProcess, &status);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    return status;
}

static void destructors_do_not_wait_for_threads_that_are_gone(void)
{
    for (int i = 0; i < PROCESSES; i++)
        if (!CHECK_INT(status_of_child(), CHILD_STATUS))
            return;
}

static const struct check_case cases[] = {
    CHECK_CASE_OURS(destructors_do_not_wait_for_threads_that_are_gone,
                    "winpthreads waits for them now and then"),
    CHECK_END,
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "end") == 0)
        return end_amid_threads();
    return check_main(argc, argv, cases);
}
