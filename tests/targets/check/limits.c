/* SPDX-License-Identifier: MIT */
/*
 * Stands before Check's function that adds a test to a case: a test that this target cannot do is
 * replaced by one line "SKIP name: reason", which counts as a skipped check. Which ones those are
 * is written in tests/targets/limits.toml, of which scripts/test-targets makes a plain file: a line
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

/* Whether a list such as "3,8-15" has the number. */
static bool has_number(const char *list, int number)
{
    for (char *end; *list; list = *end ? end + 1 : end) {
        long first = strtol(list, &end, 10);
        long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        if (first <= number && number <= last)
            return true;
        if (*end != ',' && *end != '\0')
            return false;
    }
    return false;
}

/* "name" or "name:3,8-15", where the numbers are rounds of a loop test; or "*". */
static bool covers(const char *listed, const char *name, int round)
{
    size_t length = strcspn(listed, ":");
    if (strcmp(listed, "*") == 0)
        return true;
    if (length != strlen(name) || strncmp(listed, name, length) != 0)
        return false;
    return listed[length] == '\0' || has_number(listed + length + 1, round);
}

/* The entries for this program and arm. */
struct limit {
    struct limit *next;
    char test[256];
    char reason[512];
};

static struct limit *read_limits(void)
{
    const char *path = getenv("FASTSYNC_TARGET_LIMITS");
    FILE *file = path && *path ? fopen(path, "re") : NULL;
    char line[1024], program[128], arm[16];
    struct limit *all = NULL;
    while (file && fgets(line, sizeof line, file)) {
        struct limit l;
        if (sscanf(line, "%127s %15s %255s %511[^\n]", program, arm, l.test, l.reason) == 4 &&
            strcmp(program, program_invocation_short_name) == 0 && is_this_arm(arm)) {
            struct limit *copy = malloc(sizeof *copy);
            if (!copy)
                abort();
            *copy = l;
            copy->next = all;
            all = copy;
        }
    }
    if (file)
        fclose(file);
    return all;
}

/* The reason why the round of the test is left out; NULL if it is to run. */
static const char *reason_of(const char *name, int round)
{
    static struct limit *limits;
    static bool known;
    if (!known)
        limits = read_limits();
    known = true;
    for (struct limit *l = limits; l; l = l->next)
        if (covers(l->test, name, round))
            return l->reason;
    return NULL;
}

static const TTest *skipped(const TTest *test)
{
    TTest *instead = malloc(sizeof *instead);
    if (!instead)
        abort();
    *instead = *test;
    instead->fn = skipped_fn;
    return instead;
}

CK_DLL_EXP void CK_EXPORT _tcase_add_test(TCase *tcase, const TTest *test, int signal,
                                          int exit_value, int start, int end)
{
    for (int round = start; round < end; round++) {
        const char *reason = reason_of(test->name, round);
        if (reason) {
            printf("SKIP %s: %s\n", test->name, reason);
            fflush(stdout);
            check_original_add_test(tcase, skipped(test), 0, 0, round, round + 1);
        } else {
            check_original_add_test(tcase, test, signal, exit_value, round, round + 1);
        }
    }
}
