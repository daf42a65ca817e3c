/* SPDX-License-Identifier: MIT */
/* Operations interrupted after each of their instructions in turn, by single-stepping with the
   processor's trap flag: a handler that uses another robust mutex there, and a thread that ends
   there. What the kernel tells the next locker of a dead thread's mutex must be right at every
   one of these points. Also: lock operations that are stepped through all the way, as a debugger
   does. */
#include <check.h>

#include "snippet.h"
#include "trap_flag.h"
#include "watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS_MAX = 3000 };

/* What a process that ends half-way leaves to its parent. */
struct scene {
    pthread_mutex_t one;   /* the operation's */
    pthread_mutex_t two;   /* the handler's */
    pthread_mutex_t three; /* held throughout */
    long steps;
    int finished;
};

enum action { ACT_NOTHING, ACT_USE_ANOTHER, ACT_USE_ANOTHER_AND_DIE, ACT_DIE };

static struct scene *scene;
static long steps, act_at;
static enum action action;

static void on_step(int number, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)number;
    (void)info;
    (void)context;
    if (++steps != act_at)
        return;
    if (action == ACT_USE_ANOTHER || action == ACT_USE_ANOTHER_AND_DIE)
        if (pthread_mutex_lock(&scene->two) != 0 || pthread_mutex_unlock(&scene->two) != 0)
            _exit(7);
    if (action == ACT_DIE || action == ACT_USE_ANOTHER_AND_DIE)
        kill(getpid(), SIGKILL);
    errno = saved;
}

static void step_through(void (*operation)(void))
{
    struct sigaction trap = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

    sigaction(SIGTRAP, &trap, NULL);
    steps = 0;
    trap_from_here();
    operation();
    trap_no_more();
}

static void make(pthread_mutex_t *mutex, int protocol)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setprotocol(&attr, protocol);
    ck_assert_int_eq(pthread_mutex_init(mutex, &attr), 0);
    pthread_mutexattr_destroy(&attr);
}

static void operate(void)
{
    pthread_mutex_lock(&scene->one);
    pthread_mutex_unlock(&scene->one);
}

static void lock_only(void)
{
    pthread_mutex_lock(&scene->one);
}

static void unlock_only(void)
{
    pthread_mutex_unlock(&scene->one);
}

/* Runs the operation in a process of its own; what it held at its end is left for us. */
static int play(void (*operation)(void), bool one_is_held, bool first_three)
{
    int status = -1;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (first_three)
            pthread_mutex_lock(&scene->three);
        if (one_is_held)
            pthread_mutex_lock(&scene->one);
        if (!first_three)
            pthread_mutex_lock(&scene->three);
        pthread_mutex_lock(&scene->two); /* so that nothing is bound for the first time later */
        pthread_mutex_unlock(&scene->two);
        step_through(operation);
        scene->steps = steps;
        scene->finished = 1;
        /* What has been listed wrongly shows when a neighbour leaves the list. */
        if (action == ACT_USE_ANOTHER)
            pthread_mutex_unlock(&scene->three);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
    return 0;
}

/* A mutex of the dead process is free or left to an heir, never taken for ever. */
static void is_left_in_order(pthread_mutex_t *mutex, const char *name, bool was_held)
{
    int error = pthread_mutex_trylock(mutex);

    if (error == EOWNERDEAD)
        pthread_mutex_consistent(mutex);
    ck_assert_msg(was_held ? error == EOWNERDEAD : error == 0 || error == EOWNERDEAD,
                  "after step %ld, %s: trylock gives %d", act_at, name, error);
    ck_assert_int_eq(pthread_mutex_unlock(mutex), 0);
}

static const int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT};

static void at_every_step(enum action what, void (*operation)(void), bool one_is_held,
                          bool first_three, int protocol)
{
    long last = STEPS_MAX;

    if (!getenv("FASTSYNC_EXPECTED"))
        return; /* glibc has these gaps; with libc the stepping itself is what is tested */
    action = what;
    for (act_at = 1; act_at <= last; act_at++) {
        bool unlocks_three = what == ACT_USE_ANOTHER;

        make(&scene->one, protocol);
        make(&scene->two, protocol);
        make(&scene->three, protocol);
        scene->finished = 0;
        play(operation, one_is_held, first_three);
        if (scene->finished)
            last = scene->steps;
        is_left_in_order(&scene->one, "the one operated on",
                         scene->finished && operation == lock_only);
        is_left_in_order(&scene->two, "the handler's", false);
        is_left_in_order(&scene->three, "the one held", !unlocks_three);
    }
    ck_assert_int_gt(act_at, 20);
}

START_TEST(a_process_that_ends_at_any_step_leaves_its_mutexes_to_heirs)
{
    at_every_step(ACT_DIE, operate, false, true, protocols[_i]);
}
END_TEST

START_TEST(a_handler_at_any_step_may_use_another_mutex_and_the_process_end)
{
    at_every_step(ACT_USE_ANOTHER_AND_DIE, operate, false, true, protocols[_i]);
}
END_TEST

START_TEST(a_handler_at_any_step_of_a_lock_does_not_spoil_the_list)
{
    at_every_step(ACT_USE_ANOTHER, lock_only, false, true, protocols[_i]);
}
END_TEST

START_TEST(a_handler_at_any_step_of_an_unlock_does_not_spoil_the_list)
{
    at_every_step(ACT_USE_ANOTHER, unlock_only, true, _i / 2, protocols[_i % 2]);
}
END_TEST

static void call_all(void)
{
    const char *failure = snippet_run(SNIPPET_ONE_THREAD);

    if (failure) {
        fprintf(stderr, "stepped through: %s\n", failure);
        _exit(8);
    }
}

START_TEST(every_call_works_when_it_is_stepped_through)
{
    action = ACT_NOTHING;
    ck_assert_ptr_null(snippet_misdirected());
    step_through(call_all);
    ck_assert_int_gt(steps, 100);
}
END_TEST

static void start(void)
{
    scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(scene != MAP_FAILED);
    watchdog_name("steps");
    watchdog_watch("scene", scene, sizeof *scene);
    watchdog_start(50, 0);
}

int main(void)
{
    Suite *suite = suite_create("steps");
    TCase *tcase = tcase_create("steps");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start, watchdog_stop);
    tcase_add_test(tcase, every_call_works_when_it_is_stepped_through);
    tcase_add_loop_test(tcase, a_process_that_ends_at_any_step_leaves_its_mutexes_to_heirs, 0, 2);
    tcase_add_loop_test(tcase, a_handler_at_any_step_may_use_another_mutex_and_the_process_end, 0,
                        2);
    tcase_add_loop_test(tcase, a_handler_at_any_step_of_a_lock_does_not_spoil_the_list, 0, 2);
    tcase_add_loop_test(tcase, a_handler_at_any_step_of_an_unlock_does_not_spoil_the_list, 0, 4);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
