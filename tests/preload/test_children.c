/* SPDX-License-Identifier: MIT */
/* The snippet in the children of a process: fork, _Fork, vfork and exec,
   posix_spawn, and a raw clone that shares memory and thread-local storage with
   its suspended parent. Each also checks that the parent's identity, by which
   owner-checking mutexes know their holder, has stayed what it was. */
#include <check.h>

#include "child.h"
#include "snippet.h"
#include "watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t mine = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t nested = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t across_fork = PTHREAD_MUTEX_INITIALIZER;
static const char *other_thread_failure;

static int end_role(unsigned what)
{
    const char *failure = snippet_run(what);

    if (!failure)
        failure = snippet_misdirected();
    if (failure)
        fprintf(stderr, "in the child: %s\n", failure);
    return failure ? 1 : 0;
}

static void wait_for_success(pid_t pid)
{
    int status = -1;

    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

static void hold_mine(void)
{
    ck_assert_int_eq(pthread_mutex_lock(&mine), 0);
    ck_assert_int_eq(pthread_mutex_lock(&nested), 0);
}

static void mine_is_still_mine(void)
{
    ck_assert_int_eq(pthread_mutex_lock(&mine), EDEADLK);
    ck_assert_int_eq(pthread_mutex_unlock(&mine), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&mine), EPERM);
    ck_assert_int_eq(pthread_mutex_lock(&nested), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&nested), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&nested), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&nested), EPERM);
}

START_TEST(a_fork_child_calls)
{
    hold_mine();
    pid_t pid = fork();
    if (pid == 0)
        _exit(end_role(SNIPPET_ALL));
    wait_for_success(pid);
    mine_is_still_mine();
}
END_TEST

static void *fork_from_here(void *unused)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(end_role(SNIPPET_ALL));
    int status = -1;
    waitpid(pid, &status, 0);
    other_thread_failure = status == 0 ? NULL : "the child failed";
    return NULL;
}

START_TEST(a_fork_child_of_a_second_thread_calls)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, fork_from_here, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(other_thread_failure == NULL, "%s", other_thread_failure);
}
END_TEST

START_TEST(a_child_of_a_child_calls)
{
    pid_t pid = fork();
    if (pid == 0) {
        pid_t inner = fork();
        int status = -1;
        if (inner == 0)
            _exit(end_role(SNIPPET_ALL));
        waitpid(inner, &status, 0);
        _exit(status == 0 ? end_role(SNIPPET_ALL) : 1);
    }
    wait_for_success(pid);
}
END_TEST

static void lock_before(void)
{
    pthread_mutex_lock(&across_fork);
}

static void unlock_after(void)
{
    if (pthread_mutex_unlock(&across_fork) != 0)
        _exit(5);
}

/* A normal mutex has no owner: what prepare locks is the child's to unlock. */
START_TEST(fork_handlers_unlock_in_the_child_what_prepare_locked)
{
    ck_assert_int_eq(pthread_atfork(lock_before, unlock_after, unlock_after), 0);
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (pthread_mutex_lock(&across_fork) != 0 || pthread_mutex_unlock(&across_fork) != 0)
                _exit(6);
            _exit(end_role(SNIPPET_ALL));
        }
        wait_for_success(pid);
    }
    ck_assert_int_eq(pthread_mutex_trylock(&across_fork), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&across_fork), 0);
}
END_TEST

START_TEST(a_child_of__Fork_calls)
{
    hold_mine();
    pid_t pid = _Fork();
    if (pid == 0)
        _exit(end_role(SNIPPET_ONE_THREAD));
    wait_for_success(pid);
    mine_is_still_mine();
}
END_TEST

static int in_shared_memory(void *failure)
{
    *(const char **)failure = snippet_run(SNIPPET_ONE_THREAD);
    return 0;
}

START_TEST(a_clone_child_in_the_memory_of_its_parent_calls)
{
    static char stack[256 * 1024] __attribute__((aligned(16)));
    const char *failure = "the child did not run";

    hold_mine();
    for (int i = 0; i < 3; i++) {
        failure = "the child did not run";
        pid_t pid = clone(in_shared_memory, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD,
                          &failure);
        wait_for_success(pid);
        ck_assert_msg(failure == NULL, "%s", failure);
    }
    mine_is_still_mine();
    ck_assert_ptr_null(snippet_run(SNIPPET_ALL));
}
END_TEST

START_TEST(a_program_executed_after_vfork_calls)
{
    char *argv[] = {(char[]){"/proc/self/exe"}, (char[]){"snippet"}, NULL};

    hold_mine();
    pid_t pid = vfork();
    if (pid == 0) {
        execve(argv[0], argv, environ);
        _exit(127);
    }
    wait_for_success(pid);
    mine_is_still_mine();
}
END_TEST

START_TEST(a_spawned_program_calls)
{
    char *argv[] = {(char[]){"/proc/self/exe"}, (char[]){"snippet"}, NULL};
    pid_t pid = 0;

    hold_mine();
    ck_assert_int_eq(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ), 0);
    wait_for_success(pid);
    mine_is_still_mine();
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("children");
    watchdog_watch("mine", &mine, sizeof mine);
    watchdog_watch("nested", &nested, sizeof nested);
    watchdog_watch("across_fork", &across_fork, sizeof across_fork);
    watchdog_start(40, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "snippet") == 0)
        return end_role(SNIPPET_ALL);

    Suite *suite = suite_create("children");
    TCase *tcase = tcase_create("children");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_test(tcase, a_fork_child_calls);
    tcase_add_test(tcase, a_fork_child_of_a_second_thread_calls);
    tcase_add_test(tcase, a_child_of_a_child_calls);
    tcase_add_test(tcase, fork_handlers_unlock_in_the_child_what_prepare_locked);
    tcase_add_test(tcase, a_child_of__Fork_calls);
    tcase_add_test(tcase, a_clone_child_in_the_memory_of_its_parent_calls);
    tcase_add_test(tcase, a_program_executed_after_vfork_calls);
    tcase_add_test(tcase, a_spawned_program_calls);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
