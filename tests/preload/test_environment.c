/* SPDX-License-Identifier: MIT */
/* Programs in unusual surroundings: no environment, one that is emptied or
   changed at run time, closed standard files, and a second preloaded library
   whose malloc takes mutexes. */
#include <check.h>

#include "child.h"
#include "snippet.h"
#include "watchdog.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char preload[4096];

static int report(const char *failure)
{
    if (failure)
        fprintf(stderr, "%s\n", failure);
    return failure ? 1 : 0;
}

static int where_role(void)
{
    puts(snippet_resolved_to());
    return report(snippet_run(SNIPPET_ALL));
}

static int cleared_role(void)
{
    clearenv();
    return report(snippet_run(SNIPPET_ALL));
}

static int changed_role(void)
{
    const char *failure = snippet_run(SNIPPET_ALL);

    setenv("FASTSYNC", "0", 1);
    setenv("FASTSYNC_PI", "1", 1);
    setenv("FASTSYNC_SPIN", "nonsense", 1);
    return report(failure ? failure : snippet_run(SNIPPET_ALL));
}

static int closed_role(void)
{
    for (int file = 0; file < 3; file++)
        close(file);
    if (snippet_run(SNIPPET_ALL))
        return 1;
    char *argv[] = {(char[]){"/proc/self/exe"}, (char[]){"snippet"}, NULL};
    execve(argv[0], argv, environ);
    return 2;
}

static void *allocate(void *unused)
{
    for (int i = 0; i < 2000; i++) {
        void *volatile block = malloc((size_t)i % 300);
        block = realloc(block, 400);
        free(block);
    }
    return NULL;
}

static int malloc_role(void)
{
    pthread_t threads[4];
    void *calls = dlsym(RTLD_DEFAULT, "interposed_malloc_calls");
    const char *failure = snippet_run(SNIPPET_ALL);

    if (!calls)
        return report("the malloc library is not in");
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, allocate, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    if (((unsigned long (*)(void))(uintptr_t)calls)() < 4 * 2000 * 3)
        return report("malloc calls were lost");
    return report(failure ? failure : snippet_misdirected());
}

static void expect_success(const struct child *child)
{
    ck_assert_msg(child_succeeded(child), "status %#x: %s", child->status, child->message);
    ck_assert_str_eq(child->message, "");
}

START_TEST(a_program_without_an_environment_runs)
{
    const char *const argv[] = {"/proc/self/exe", "where", NULL};
    char *env[] = {preload[0] ? preload : NULL, NULL};
    struct child child;

    child_run(&child, argv, env);
    expect_success(&child);
    ck_assert_ptr_nonnull(strstr(child.output, snippet_resolved_to()));
}
END_TEST

START_TEST(a_role_runs_in_silence)
{
    static const char *const roles[] = {"snippet", "cleared", "changed", "closed"};
    struct child child;

    child_run_role(&child, roles[_i], NULL);
    expect_success(&child);
    ck_assert_str_eq(child.output, "");
}
END_TEST

START_TEST(closed_standard_files_do_not_disturb_a_verbose_start)
{
    const char *const extra[] = {"FASTSYNC_VERBOSE=1", NULL};
    struct child child;

    child_run_role(&child, "closed", extra);
    ck_assert_msg(child_succeeded(&child), "status %#x", child.status);
}
END_TEST

/* First the one library, then the other, stands in front. */
START_TEST(a_preloaded_malloc_may_lock_mutexes)
{
    char both[sizeof preload + 4096];
    struct child child;
    const char *ours = preload[0] ? preload + strlen("LD_PRELOAD=") : "";

    if (_i == 0)
        snprintf(both, sizeof both, "LD_PRELOAD=%s:%s", MALLOC_PATH, ours);
    else
        snprintf(both, sizeof both, "LD_PRELOAD=%s:%s", ours, MALLOC_PATH);
    const char *const extra[] = {both, NULL};
    child_run_role(&child, "malloc", extra);
    expect_success(&child);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("environment");
    watchdog_start(40, 0);
}

static int run_suite(void)
{
    Suite *suite = suite_create("environment");
    TCase *tcase = tcase_create("environment");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_test(tcase, a_program_without_an_environment_runs);
    tcase_add_loop_test(tcase, a_role_runs_in_silence, 0, 4);
    tcase_add_test(tcase, closed_standard_files_do_not_disturb_a_verbose_start);
    tcase_add_loop_test(tcase, a_preloaded_malloc_may_lock_mutexes, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } roles[] = {
        {"where", where_role},   {"cleared", cleared_role}, {"changed", changed_role},
        {"closed", closed_role}, {"malloc", malloc_role},
    };

    for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(argv[1], roles[i].name) == 0)
            return roles[i].run();
    }
    if (argc > 1)
        return report(snippet_run(SNIPPET_ALL));
    if (getenv("LD_PRELOAD"))
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
    return run_suite();
}
