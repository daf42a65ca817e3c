/* SPDX-License-Identifier: MIT */
/* The watchdog itself: a hung program is reported and ended, one that ends in
   time is left alone, and so is the wait(2) of a test. */
#include <check.h>

#include "watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SEED = 4711,
};

static pthread_mutex_t stuck = PTHREAD_MUTEX_INITIALIZER;
static const unsigned words[2] = {0xfeedbeef, 0x600df00d};

static void *hang_in_a_thread(void *unused)
{
    pthread_mutex_lock(&stuck);
    return NULL;
}

__attribute__((noreturn)) static void hang(bool block_signals)
{
    pthread_t thread;
    sigset_t all;

    watchdog_name("the_test_that_hangs");
    watchdog_watch("words", words, sizeof words);
    watchdog_watch("gone", (const void *)16, 8);
    watchdog_start(1, SEED);
    watchdog_watch("stuck", &stuck, sizeof stuck);
    if (block_signals) {
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
    }
    pthread_mutex_lock(&stuck);
    pthread_create(&thread, NULL, hang_in_a_thread, NULL);
    pthread_mutex_lock(&stuck);
    _exit(0);
}

static int run_hanging(char *report, size_t size, bool block_signals)
{
    int file = memfd_create("report", MFD_CLOEXEC);
    int status = -1;
    pid_t pid = fork();

    ck_assert_int_ge(file, 0);
    if (pid == 0) {
        dup2(file, STDERR_FILENO);
        hang(block_signals);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ssize_t n = pread(file, report, size - 1, 0);
    report[n > 0 ? n : 0] = '\0';
    close(file);
    return status;
}

static bool has_debugger(void)
{
    return access("/usr/bin/eu-stack", X_OK) == 0 || access("/usr/bin/gdb", X_OK) == 0;
}

START_TEST(a_hang_is_reported_and_ends_with_status_1)
{
    static char report[65536];
    int status = run_hanging(report, sizeof report, false);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %#x: %s", status, report);
    ck_assert_ptr_nonnull(strstr(report, "the_test_that_hangs"));
    ck_assert_ptr_nonnull(strstr(report, "seed 4711"));
    ck_assert_ptr_nonnull(strstr(report, "feedbeef 600df00d"));
    ck_assert_ptr_nonnull(strstr(report, "stuck at"));
    ck_assert_ptr_nonnull(strstr(report, "unreadable"));
    if (!has_debugger()) {
        printf("SKIP a_hang_is_reported_and_ends_with_status_1: stacks: no eu-stack, no gdb\n");
        return;
    }
#ifndef __GLIBC__
    printf("SKIP a_hang_is_reported_and_ends_with_status_1: stacks: musl has no unwind tables\n");
    return;
#endif
    ck_assert_msg(strstr(report, "hang_in_a_thread") != NULL, "%s", report);
}
END_TEST

START_TEST(a_hang_with_all_signals_blocked_is_killed)
{
    static char report[65536];
    int status = run_hanging(report, sizeof report, true);

    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
    ck_assert_ptr_nonnull(strstr(report, "feedbeef 600df00d"));
}
END_TEST

START_TEST(a_stopped_watchdog_does_nothing)
{
    watchdog_start(1, SEED);
    watchdog_stop();
    sleep(2);
}
END_TEST

START_TEST(a_fresh_start_begins_the_time_again)
{
    for (int i = 0; i < 4; i++) {
        watchdog_start(2, SEED);
        usleep(800000);
    }
    watchdog_stop();
}
END_TEST

START_TEST(the_wait_of_a_test_does_not_see_the_watchdog)
{
    watchdog_start(10, SEED);
    ck_assert_int_eq(wait(NULL), -1);
    ck_assert_int_eq(errno, ECHILD);
    watchdog_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watchdog");
    TCase *tcase = tcase_create("watchdog");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_hang_is_reported_and_ends_with_status_1);
    tcase_add_test(tcase, a_hang_with_all_signals_blocked_is_killed);
    tcase_add_test(tcase, a_stopped_watchdog_does_nothing);
    tcase_add_test(tcase, a_fresh_start_begins_the_time_again);
    tcase_add_test(tcase, the_wait_of_a_test_does_not_see_the_watchdog);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
