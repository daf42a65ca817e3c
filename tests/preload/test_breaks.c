/* SPDX-License-Identifier: MIT */
/* What breaks a preloaded library in ways of its own, each in a process of its own: switches that
   change while the program runs, fork handlers under FASTSYNC_PI=1 in threads and in children of
   children, a library that is opened and closed late, and the end of threads. */
#include <check.h>

#include "child.h"
#include "snippet.h"
#include "watchdog.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, ROUNDS = 3000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t nested = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

static const char *must(bool good, const char *sentence)
{
    if (!good)
        fprintf(stderr, "%s\n", sentence);
    return good ? NULL : sentence;
}

/* ---- the environment is read once ---- */

static void *take_turns(void *number)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != *(int *)number)
            pthread_cond_wait(&condition, &mutex);
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static int changing_role(void)
{
    static int numbers[THREADS] = {0, 1, 2};
    pthread_t threads[THREADS];

    pthread_mutex_lock(&mutex);
    for (int t = 0; t < THREADS; t++)
        pthread_create(&threads[t], NULL, take_turns, &numbers[t]);
    setenv("FASTSYNC", "0", 1);
    setenv("FASTSYNC_PI", "1", 1);
    setenv("FASTSYNC_REQUEUE", "0", 1);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 200; i++) {
        setenv("FASTSYNC", i % 2 ? "0" : "1", 1);
        usleep(100);
    }
    clearenv();
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    const char *failure = snippet_run(SNIPPET_ALL);
    return must(turn == THREADS * ROUNDS, "turns were lost") || must(!failure, failure);
}

/* ---- fork handlers when all mutexes inherit priority ---- */

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&nested);
    pthread_mutex_lock(&nested);
}

static void after_fork(void)
{
    if (pthread_mutex_unlock(&nested) != 0 || pthread_mutex_unlock(&nested) != 0 ||
        pthread_mutex_unlock(&mutex) != 0)
        _exit(5);
}

/* glibc's recursive mutex is not the child's to unlock: there only the normal one is used. */
static void before_fork_plain(void)
{
    pthread_mutex_lock(&mutex);
}

static void after_fork_plain(void)
{
    if (pthread_mutex_unlock(&mutex) != 0)
        _exit(5);
}

static int generations(int depth)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        if (pthread_mutex_trylock(&mutex) != 0 || pthread_mutex_unlock(&mutex) != 0)
            _exit(6);
        _exit(depth > 1 ? generations(depth - 1) : 0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status == 0 && pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0
               ? 0
               : 7;
}

static void *fork_in_thread(void *status)
{
    *(int *)status = generations(3);
    return NULL;
}

static int forking_role(void)
{
    const char *inherits = getenv("FASTSYNC_PI");
    pthread_t thread;
    int status = 1;

    if (inherits && getenv("FASTSYNC_EXPECTED"))
        pthread_atfork(before_fork, after_fork, after_fork);
    else
        pthread_atfork(before_fork_plain, after_fork_plain, after_fork_plain);
    if (must(generations(3) == 0, "the handlers of the main thread left a mutex locked"))
        return 1;
    pthread_create(&thread, NULL, fork_in_thread, &status);
    pthread_join(thread, NULL);
    return must(status == 0, "the handlers of a second thread left a mutex locked") != NULL;
}

/* ---- opened late ---- */

static int opening_role(void)
{
    const char *path = getenv("LIBRARY_UNDER_TEST");
    void *handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);

    if (handle)
        dlclose(handle);
    const char *failure = snippet_run(SNIPPET_ALL);
    return must(!failure, failure) != NULL;
}

static void run_role(const char *role, const char *const extra[])
{
    struct child child;

    child_run_role(&child, role, extra);
    ck_assert_msg(child_succeeded(&child), "%s: status %#x: %s", role, child.status, child.message);
    ck_assert_str_eq(child.output, "");
}

START_TEST(switches_that_change_while_the_program_runs_change_nothing)
{
    const char *const extra[] = {_i ? "FASTSYNC_PI=1" : NULL, NULL};

    run_role("changing", extra);
}
END_TEST

START_TEST(fork_handlers_leave_nothing_locked_in_generations_of_children)
{
    const char *const extra[] = {_i ? "FASTSYNC_PI=1" : NULL, NULL};

    run_role("forking", extra);
}
END_TEST

/* Without the preload: whether the library lets itself be opened or not, the program goes on. */
START_TEST(opening_and_closing_the_library_late_harms_nobody)
{
    const char *preload = getenv("LD_PRELOAD");
    char variable[4096];

    if (!preload)
        return; /* nothing to open: this is the run with libc alone */
    snprintf(variable, sizeof variable, "LIBRARY_UNDER_TEST=%s", preload);
    const char *const extra[] = {"LD_PRELOAD=", variable, NULL};
    run_role("opening", extra);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("breaks");
    watchdog_start(50, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "changing") == 0)
        return changing_role();
    if (argc > 1 && strcmp(argv[1], "forking") == 0)
        return forking_role();
    if (argc > 1 && strcmp(argv[1], "opening") == 0)
        return opening_role();

    Suite *suite = suite_create("breaks");
    TCase *tcase = tcase_create("breaks");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_loop_test(tcase, switches_that_change_while_the_program_runs_change_nothing, 0, 2);
    tcase_add_loop_test(tcase, fork_handlers_leave_nothing_locked_in_generations_of_children, 0, 2);
    tcase_add_test(tcase, opening_and_closing_the_library_late_harms_nobody);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
