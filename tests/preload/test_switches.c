/* SPDX-License-Identifier: MIT */
/* The environment switches: with each the snippet works, and standard error
   carries what is promised: nothing, one line of FASTSYNC_VERBOSE, or one line
   about a wrong value. Against libc the same runs must be silent. */
#include <check.h>

#include "child.h"
#include "snippet.h"
#include "watchdog.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    THREADS = 4,
    ROUNDS = 2000,
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

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

static void lock_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void unlock_after_fork(void)
{
    if (pthread_mutex_unlock(&mutex) != 0)
        _exit(5);
}

/* Also a normal mutex that becomes a PI mutex by a switch has to be the child's to unlock. */
static const char *fork_with_handlers(void)
{
    int status = -1;

    pthread_atfork(lock_before_fork, unlock_after_fork, unlock_after_fork);
    pid_t pid = fork();
    if (pid == 0)
        _exit(pthread_mutex_lock(&mutex) != 0 || pthread_mutex_unlock(&mutex) != 0);
    waitpid(pid, &status, 0);
    return status == 0 ? NULL : "a fork child could not use what its handlers unlocked";
}

static int work_role(void)
{
    static int numbers[THREADS] = {0, 1, 2, 3};
    pthread_t threads[THREADS];
    const char *failure = snippet_run(SNIPPET_ALL);

    for (int t = 0; t < THREADS; t++)
        pthread_create(&threads[t], NULL, take_turns, &numbers[t]);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    if (!failure && turn != THREADS * ROUNDS)
        failure = "turns were lost";
    if (!failure)
        failure = fork_with_handlers();
    if (!failure)
        failure = snippet_misdirected();
    if (failure)
        fprintf(stderr, "%s\n", failure);
    return failure ? 1 : 0;
}

static void run_with(struct child *child, const char *first, const char *second)
{
    const char *const extra[] = {first, second, NULL};

    child_run_role(child, "work", extra);
    ck_assert_msg(child_succeeded(child), "%s: status %#x: %s", first ? first : "plain",
                  child->status, child->message);
    ck_assert_str_eq(child->output, "");
}

static int lines_in(const char *text)
{
    int lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

START_TEST(a_switch_changes_no_result_and_prints_nothing)
{
    static const char *const switches[] = {
        NULL,
        "FASTSYNC=1",
        "FASTSYNC=0",
        "FASTSYNC_PI=1",
        "FASTSYNC_PI=0",
        "FASTSYNC_REQUEUE=0",
        "FASTSYNC_REQUEUE=1",
        "FASTSYNC_SPIN=0",
        "FASTSYNC_SPIN=100",
        "FASTSYNC_VERBOSE=0",
        "FASTSYNC_DEEPBIND=1",
    };
    struct child child;

    run_with(&child, switches[_i], NULL);
    ck_assert_str_eq(child.message, "");
}
END_TEST

START_TEST(switches_work_together)
{
    static const char *const pairs[][2] = {
        {"FASTSYNC_PI=1", "FASTSYNC_REQUEUE=0"},
        {"FASTSYNC_PI=1", "FASTSYNC_SPIN=0"},
        {"FASTSYNC_REQUEUE=0", "FASTSYNC_SPIN=0"},
        {"FASTSYNC=0", "FASTSYNC_PI=1"},
    };
    struct child child;

    run_with(&child, pairs[_i][0], pairs[_i][1]);
    ck_assert_str_eq(child.message, "");
}
END_TEST

START_TEST(FASTSYNC_VERBOSE_prints_one_line)
{
    static const char *const others[] = {NULL, "FASTSYNC=0", "FASTSYNC_PI=1"};
    struct child child;

    run_with(&child, "FASTSYNC_VERBOSE=1", others[_i]);
    if (!getenv("FASTSYNC_EXPECTED")) {
        ck_assert_str_eq(child.message, "");
        return;
    }
    ck_assert_msg(strncmp(child.message, "fastsync", 8) == 0, "%s", child.message);
    ck_assert_msg(lines_in(child.message) == 1, "%s", child.message);
    ck_assert_int_eq(child.message[strlen(child.message) - 1], '\n');
}
END_TEST

START_TEST(a_wrong_value_gives_one_line_and_the_default)
{
    static const struct {
        const char *setting, *name, *value;
    } wrong[] = {
        {"FASTSYNC_SPIN=abc", "FASTSYNC_SPIN", "abc"},
        {"FASTSYNC_SPIN=-1", "FASTSYNC_SPIN", "-1"},
        {"FASTSYNC_SPIN=10x", "FASTSYNC_SPIN", "10x"},
        {"FASTSYNC_SPIN=99999999999999999999", "FASTSYNC_SPIN", "99999999999999999999"},
        {"FASTSYNC=maybe", "FASTSYNC", "maybe"},
        {"FASTSYNC=2", "FASTSYNC", "2"},
        {"FASTSYNC_PI=yes", "FASTSYNC_PI", "yes"},
        {"FASTSYNC_REQUEUE=off", "FASTSYNC_REQUEUE", "off"},
        {"FASTSYNC_VERBOSE=loud", "FASTSYNC_VERBOSE", "loud"},
        {"FASTSYNC_DEEPBIND=no", "FASTSYNC_DEEPBIND", "no"},
    };
    struct child child;

    run_with(&child, wrong[_i].setting, NULL);
    if (!getenv("FASTSYNC_EXPECTED")) {
        ck_assert_str_eq(child.message, "");
        return;
    }
    ck_assert_msg(lines_in(child.message) == 1, "%s: %s", wrong[_i].setting, child.message);
    ck_assert_msg(strstr(child.message, wrong[_i].name) && strstr(child.message, wrong[_i].value),
                  "%s", child.message);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("switches");
    watchdog_start(80, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "work") == 0)
        return work_role();

    Suite *suite = suite_create("switches");
    TCase *tcase = tcase_create("switches");
    tcase_set_timeout(tcase, 100);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_loop_test(tcase, a_switch_changes_no_result_and_prints_nothing, 0, 11);
    tcase_add_loop_test(tcase, switches_work_together, 0, 4);
    tcase_add_loop_test(tcase, FASTSYNC_VERBOSE_prints_one_line, 0, 3);
    tcase_add_loop_test(tcase, a_wrong_value_gives_one_line_and_the_default, 0, 10);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
