/* SPDX-License-Identifier: MIT */
/* A library that a program needs and whose constructor runs before that of any
   other object, and its destructor after (linked with -z initfirst). It keeps
   what the snippet said, and in its destructor prints it. */
#include "lib_early.h"

#include "snippet.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *constructor_failure = "the constructor did not run";
static bool destructor_reports;

__attribute__((constructor)) static void run_early(void)
{
    constructor_failure = snippet_run(SNIPPET_ALL);
}

__attribute__((destructor)) static void run_late(void)
{
    if (destructor_reports)
        early_print("destructor", snippet_run(SNIPPET_ALL));
}

const char *early_constructor_failure(void)
{
    return constructor_failure ? constructor_failure : snippet_misdirected();
}

void early_report_in_destructor(void)
{
    destructor_reports = true;
}

void early_print(const char *place, const char *failure)
{
    const char *parts[] = {place, ": ", failure ? failure : "fine", "\n"};

    for (int i = 0; i < 4; i++) {
        if (write(STDOUT_FILENO, parts[i], strlen(parts[i])) < 0)
            _exit(3);
    }
    if (failure)
        _exit(4);
}
