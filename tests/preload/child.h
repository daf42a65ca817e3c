/* SPDX-License-Identifier: MIT */
/* Runs a program, or this program in another role, and keeps what it printed. */
#ifndef TESTS_PRELOAD_CHILD_H
#define TESTS_PRELOAD_CHILD_H

#include <stdbool.h>

struct child {
    int status;         /* as wait(2) gives it */
    char output[4096];  /* what it wrote to standard output */
    char message[4096]; /* what it wrote to standard error */
};

/* Runs argv[0] with the environment `env` and waits for its end. */
void child_run(struct child *child, const char *const argv[], char *const env[]);

/* Runs this program again with `role` as its first argument and the environment it has, with
   `extra` (up to 7 strings NAME=VALUE and a NULL) put in front. NULL adds nothing. */
void child_run_role(struct child *child, const char *role, const char *const extra[]);

/* True when the child ended by exit(0). */
bool child_succeeded(const struct child *child);

#endif
