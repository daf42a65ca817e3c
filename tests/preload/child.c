/* SPDX-License-Identifier: MIT */
/* See child.h. The output goes through files without a name, so that a child
   that prints much cannot block on a full pipe. */
#include "child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_ENVIRONMENT = 1024,
    MAX_EXTRA = 7,
};

static void keep(int file, char *text, size_t size)
{
    ssize_t n = pread(file, text, size - 1, 0);

    text[n < 0 ? 0 : n] = '\0';
    close(file);
}

void child_run(struct child *child, const char *const argv[], char *const env[])
{
    int output = memfd_create("output", MFD_CLOEXEC);
    int message = memfd_create("message", MFD_CLOEXEC);

    memset(child, 0, sizeof *child);
    child->status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(output, STDOUT_FILENO);
        dup2(message, STDERR_FILENO);
        execve(argv[0], (char *const *)argv, env);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &child->status, 0) < 0 && errno == EINTR)
        continue;
    keep(output, child->output, sizeof child->output);
    keep(message, child->message, sizeof child->message);
}

void child_run_role(struct child *child, const char *role, const char *const extra[])
{
    static char *env[MAX_ENVIRONMENT + MAX_EXTRA + 1];
    const char *argv[] = {"/proc/self/exe", role, NULL};
    size_t n = 0;

    for (size_t i = 0; extra && extra[i] && i < MAX_EXTRA; i++)
        env[n++] = (char *)extra[i];
    size_t added = n;
    for (char **e = environ; *e && n < MAX_ENVIRONMENT; e++) {
        bool replaced = false;
        for (size_t i = 0; i < added && !replaced; i++)
            replaced = strncmp(*e, env[i], strcspn(env[i], "=") + 1) == 0;
        if (!replaced)
            env[n++] = *e;
    }
    env[n] = NULL;
    child_run(child, argv, env);
}

bool child_succeeded(const struct child *child)
{
    return WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0;
}
