/* SPDX-License-Identifier: MIT */
/*
 * Stands before Check's function that adds a test to a case: a test that this target cannot do is
 * replaced by one line "SKIP name: reason", which counts as a skipped check. Which ones those are is
 * written in tests/targets/limits.toml; scripts/test-targets makes a plain file of it, a line
 * "program arm test reason" for each, with * for both arms (libc, fastsync).
 */
#include "src/check.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_original_add_test(TCase *tcase, const TTest *test, int signal, int exit_value, int start,
                             int end);

static void skipped_fn(int round)
{
    (void)round;
}

static bool is_this_arm(const char *arm)
{
    const char *preloaded = getenv("LD_PRELOAD");
    const char *here = preloaded && strstr(preloaded, "libfastsync") ? "fastsync" : "libc";
    return strcmp(arm, "*") == 0 || strcmp(arm, here) == 0;
}

/* The reason why the test is left out, in buffer; NULL if it is to run. */
static const char *reason_of(const char *name, char *buffer, size_t size)
{
    const char *path = getenv("FASTSYNC_TARGET_LIMITS");
    FILE *file = path && *path ? fopen(path, "re") : NULL;
    char program[128], arm[16], test[128];
    const char *reason = NULL;
    while (file && !reason && fgets(buffer, (int)size, file)) {
        int end = 0;
        buffer[strcspn(buffer, "\n")] = '\0';
        if (sscanf(buffer, "%127s %15s %127s %n", program, arm, test, &end) == 3 && end > 0 &&
            strcmp(program, program_invocation_short_name) == 0 && is_this_arm(arm) &&
            strcmp(test, name) == 0)
            reason = buffer + end;
    }
    if (file)
        fclose(file);
    return reason;
}

CK_DLL_EXP void CK_EXPORT _tcase_add_test(TCase *tcase, const TTest *test, int signal,
                                          int exit_value, int start, int end)
{
    char buffer[512];
    const char *reason = reason_of(test->name, buffer, sizeof buffer);
    if (!reason) {
        check_original_add_test(tcase, test, signal, exit_value, start, end);
        return;
    }
    TTest *instead = malloc(sizeof *instead);
    if (!instead)
        abort();
    *instead = *test;
    instead->fn = skipped_fn;
    for (int i = start; i < end; i++)
        printf("SKIP %s: %s\n", test->name, reason);
    fflush(stdout);
    check_original_add_test(tcase, instead, 0, 0, start, end);
}
