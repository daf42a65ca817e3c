/* SPDX-License-Identifier: MIT */
/*
 * Thread ids that are used again: a pid namespace of one's own, in which the id of the next thread
 * can be chosen without disturbing the machine. What is done there is decided by each program; it
 * needs the rights of root. Include it after conform.h, or with _GNU_SOURCE.
 */
#ifndef TESTS_SUPPORT_REUSED_ID_H
#define TESTS_SUPPORT_REUSED_ID_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMESPACE_REFUSED = 97 };

/* The exit status of a child, or 1 when it did not exit by itself. */
__attribute__((unused)) static int exit_status_of(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Runs the body as the first process of a pid namespace and returns what it returned, which must
 * be small; NAMESPACE_REFUSED when this process may have none. */
__attribute__((unused)) static int in_pid_namespace(int (*body)(void))
{
    fflush(NULL);
    pid_t outer = fork();
    if (outer == 0) {
        if (unshare(CLONE_NEWPID) != 0)
            _exit(NAMESPACE_REFUSED);
        pid_t first = fork();
        if (first == 0)
            _exit(body());
        _exit(exit_status_of(first));
    }
    return exit_status_of(outer);
}

/* Gives the id, which nobody has, to the next process or thread of this namespace. */
__attribute__((unused)) static bool choose_next_id(pid_t id)
{
    int file = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool done = dprintf(file, "%d", (int)id - 1) > 0;
    return close(file) == 0 && done;
}

#endif
