/* SPDX-License-Identifier: MIT */
/* The snippet in the places of a program's life: before main, in main, after
   main, at the end of a thread, and in a signal handler. Children are the
   business of test_children.c, plug-ins of test_plugin.c. */
#include <check.h>

#include "child.h"
#include "lib_early.h"
#include "snippet.h"
#include "watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *preinit_failure = "the .preinit_array did not run";
static const char *constructor_failure = "the constructor did not run";
static const char *volatile handler_failure;
static bool is_late_role;

static void at_exit_from_preinit(void)
{
    if (is_late_role)
        early_print("atexit from preinit", snippet_run(SNIPPET_ALL));
}

/* Exit handlers run in the reverse order of their registration, so this one is late. */
static void run_in_preinit(int argc, char **argv, char **env)
{
    preinit_failure = snippet_run(SNIPPET_ALL);
    atexit(at_exit_from_preinit);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **,
                                                                        char **) = run_in_preinit;

__attribute__((constructor)) static void run_in_constructor(void)
{
    constructor_failure = snippet_run(SNIPPET_ALL);
}

static void at_exit(void)
{
    early_print("atexit", snippet_run(SNIPPET_ALL));
}

static int late_role(void)
{
    is_late_role = true;
    early_report_in_destructor();
    atexit(at_exit);
    return 0;
}

#define ck_assert_fine(failure)                                                                    \
    do {                                                                                           \
        const char *failure_ = (failure);                                                          \
        ck_assert_msg(failure_ == NULL, "%s", failure_);                                           \
    } while (0)

START_TEST(main_calls)
{
    ck_assert_fine(snippet_misdirected());
    ck_assert_fine(snippet_run(SNIPPET_ALL));
}
END_TEST

START_TEST(a_constructor_of_a_needed_library_calls_before_ours)
{
    ck_assert_fine(early_constructor_failure());
}
END_TEST

START_TEST(the_preinit_array_calls)
{
    ck_assert_fine(preinit_failure);
}
END_TEST

START_TEST(a_constructor_of_the_program_calls)
{
    ck_assert_fine(constructor_failure);
}
END_TEST

START_TEST(exit_handlers_and_destructors_call_after_ours)
{
    struct child child;

    child_run_role(&child, "late", NULL);
    ck_assert_msg(child_succeeded(&child), "status %#x: %s%s", child.status, child.output,
                  child.message);
    ck_assert_ptr_nonnull(strstr(child.output, "atexit: fine\n"));
#ifdef __GLIBC__ /* musl runs no preinit array */
    ck_assert_ptr_nonnull(strstr(child.output, "atexit from preinit: fine\n"));
#endif
    ck_assert_ptr_nonnull(strstr(child.output, "destructor: fine\n"));
    ck_assert_str_eq(child.message, "");
}
END_TEST

static const char *key_failure;

static void key_destructor(void *value)
{
    key_failure = snippet_run(SNIPPET_ALL);
}

static void *use_key(void *key)
{
    pthread_setspecific(*(pthread_key_t *)key, "x");
    return NULL;
}

START_TEST(the_destructor_of_a_thread_key_calls)
{
    pthread_key_t key;
    pthread_t thread;

    key_failure = "the destructor did not run";
    ck_assert_int_eq(pthread_key_create(&key, key_destructor), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, use_key, &key), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_fine(key_failure);
}
END_TEST

static void on_signal(int sig)
{
    handler_failure = snippet_run(SNIPPET_TRY);
}

START_TEST(a_signal_handler_calls)
{
    handler_failure = "the handler did not run";
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    ck_assert_fine(handler_failure);
}
END_TEST

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static int handled;

static void on_signal_try_held(int sig)
{
    handler_failure = pthread_mutex_trylock(&held) == 0 ? "trylock of a held mutex" : NULL;
    if (!handler_failure)
        handler_failure = snippet_run(SNIPPET_TRY);
    __atomic_add_fetch(&handled, 1, __ATOMIC_RELEASE);
}

static void *wait_for_held(void *unused)
{
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
    return NULL;
}

START_TEST(a_signal_handler_calls_while_its_thread_waits_for_a_mutex)
{
    pthread_t thread;

    signal(SIGUSR1, on_signal_try_held);
    pthread_mutex_lock(&held);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_held, NULL), 0);
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        pthread_kill(thread, SIGUSR1);
        while (__atomic_load_n(&handled, __ATOMIC_ACQUIRE) <= i) /* it would lock a free one */
            usleep(100);
    }
    pthread_mutex_unlock(&held);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_fine(handler_failure);
}
END_TEST

START_TEST(a_mutex_lies_in_calloced_memory_that_nobody_initialised)
{
    struct {
        char odd[8];
        pthread_mutex_t mutex;
        pthread_cond_t condition;
        pthread_rwlock_t rwlock;
    } *raw = calloc(1, sizeof *raw);

    ck_assert_ptr_nonnull(raw);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_mutex_lock(&raw->mutex), 0);
        ck_assert_int_eq(pthread_cond_broadcast(&raw->condition), 0);
        ck_assert_int_eq(pthread_mutex_unlock(&raw->mutex), 0);
        ck_assert_int_eq(pthread_rwlock_rdlock(&raw->rwlock), 0);
        ck_assert_int_eq(pthread_rwlock_unlock(&raw->rwlock), 0);
        ck_assert_int_eq(pthread_rwlock_wrlock(&raw->rwlock), 0);
        ck_assert_int_eq(pthread_rwlock_unlock(&raw->rwlock), 0);
    }
    free(raw);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("places");
    watchdog_watch("held", &held, sizeof held);
    watchdog_start(40, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "late") == 0)
        return late_role();

    Suite *suite = suite_create("places");
    TCase *tcase = tcase_create("places");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_test(tcase, main_calls);
    tcase_add_test(tcase, a_constructor_of_a_needed_library_calls_before_ours);
    tcase_add_test(tcase, the_preinit_array_calls);
    tcase_add_test(tcase, a_constructor_of_the_program_calls);
    tcase_add_test(tcase, exit_handlers_and_destructors_call_after_ours);
    tcase_add_test(tcase, the_destructor_of_a_thread_key_calls);
    tcase_add_test(tcase, a_signal_handler_calls);
    tcase_add_test(tcase, a_signal_handler_calls_while_its_thread_waits_for_a_mutex);
    tcase_add_test(tcase, a_mutex_lies_in_calloced_memory_that_nobody_initialised);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
