/* SPDX-License-Identifier: MIT */
/* The part of check.h that makes a process for each test by fork(2). The time limit is an alarm,
   whose signal ends it. */
#ifndef FS_TESTS_SUPPORT_CHECK_FORK_H
#define FS_TESTS_SUPPORT_CHECK_FORK_H

#include <sys/wait.h>

static inline void check_begin(const Suite *suite)
{
    (void)suite;
}

static inline bool check_run(const TCase *tests, const TTest *test, int index, int signal)
{
    int status = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        alarm(tests->timeout);
        check_do(tests, test, index);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (signal != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == signal : status == 0)
        return true;
    fprintf(stderr, "FAILED %s:%d, status %#x\n", test->name, index, (unsigned)status);
    return false;
}

#endif
