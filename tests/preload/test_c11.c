/* SPDX-License-Identifier: MIT */
/* A program that knows no pthread name: the C11 calls between threads. They
   share their objects' layout with pthreads, but never pass through pthread
   symbols. */
#include <check.h>

#include "snippet.h"
#include "watchdog.h"

#include <stdbool.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

enum {
    THREADS = 4,
    ROUNDS = 5000,
};

static mtx_t mutex;
static cnd_t condition;
static long count;
static int turn;

static struct timespec from_now(long ms)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static int take(int round)
{
    struct timespec late = from_now(60000);

    switch (round % 3) {
    case 0:
        return mtx_lock(&mutex);
    case 1:
        return mtx_timedlock(&mutex, &late);
    default:
        while (mtx_trylock(&mutex) != thrd_success)
            thrd_yield();
        return thrd_success;
    }
}

static int count_up(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (take(i) != thrd_success)
            return 1;
        count++;
        if (mtx_unlock(&mutex) != thrd_success)
            return 2;
    }
    return 0;
}

static void in_threads(thrd_start_t function)
{
    static int numbers[THREADS] = {0, 1, 2, 3};
    thrd_t threads[THREADS];
    int result = -1;

    for (int t = 0; t < THREADS; t++)
        ck_assert_int_eq(thrd_create(&threads[t], function, &numbers[t]), thrd_success);
    for (int t = 0; t < THREADS; t++) {
        ck_assert_int_eq(thrd_join(threads[t], &result), thrd_success);
        ck_assert_int_eq(result, 0);
    }
}

START_TEST(mutexes_exclude)
{
    static const int types[] = {mtx_timed, mtx_timed | mtx_recursive};

    ck_assert_ptr_null(snippet_misdirected());
    ck_assert_int_eq(mtx_init(&mutex, types[_i]), thrd_success);
    in_threads(count_up);
    ck_assert_int_eq(count, THREADS * ROUNDS);
    mtx_destroy(&mutex);
}
END_TEST

static int take_turns(void *number)
{
    struct timespec late = from_now(60000);

    for (int i = 0; i < 200; i++) {
        mtx_lock(&mutex);
        while (turn % THREADS != *(int *)number) {
            int err =
                i % 2 ? cnd_wait(&condition, &mutex) : cnd_timedwait(&condition, &mutex, &late);
            if (err != thrd_success)
                return 1;
        }
        turn++;
        cnd_broadcast(&condition);
        mtx_unlock(&mutex);
    }
    return 0;
}

START_TEST(condition_variables_hand_over)
{
    static const int types[] = {mtx_plain, mtx_plain | mtx_recursive};

    ck_assert_int_eq(mtx_init(&mutex, types[_i]), thrd_success);
    ck_assert_int_eq(cnd_init(&condition), thrd_success);
    in_threads(take_turns);
    ck_assert_int_eq(turn, THREADS * 200);
    cnd_destroy(&condition);
    mtx_destroy(&mutex);
}
END_TEST

static int expect_timeout(void *unused)
{
    struct timespec deadline = from_now(20);
    struct timespec now;

    if (mtx_trylock(&mutex) != thrd_busy)
        return 1;
    if (mtx_timedlock(&mutex, &deadline) != thrd_timedout)
        return 2;
    timespec_get(&now, TIME_UTC);
    bool early = now.tv_sec < deadline.tv_sec ||
                 (now.tv_sec == deadline.tv_sec && now.tv_nsec < deadline.tv_nsec);
    return early ? 3 : 0;
}

START_TEST(a_timed_lock_times_out_and_is_not_early)
{
    ck_assert_int_eq(mtx_init(&mutex, mtx_timed), thrd_success);
    ck_assert_int_eq(mtx_lock(&mutex), thrd_success);
    in_threads(expect_timeout);
    ck_assert_int_eq(mtx_unlock(&mutex), thrd_success);
    mtx_destroy(&mutex);
}
END_TEST

static const char *exit_failure = "the destructor did not run";

static void at_thread_exit(void *unused)
{
    exit_failure = snippet_run(SNIPPET_ALL);
}

static int set_key(void *key)
{
    return tss_set(*(tss_t *)key, key) == thrd_success ? 0 : 1;
}

START_TEST(the_destructor_of_a_tss_object_calls)
{
    tss_t key;
    thrd_t thread;
    int result = -1;

    ck_assert_int_eq(tss_create(&key, at_thread_exit), thrd_success);
    ck_assert_int_eq(thrd_create(&thread, set_key, &key), thrd_success);
    ck_assert_int_eq(thrd_join(thread, &result), thrd_success);
    ck_assert_int_eq(result, 0);
    ck_assert_msg(exit_failure == NULL, "%s", exit_failure);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("c11");
    watchdog_watch("mutex", &mutex, sizeof mutex);
    watchdog_watch("condition", &condition, sizeof condition);
    watchdog_start(40, 0);
}

int main(void)
{
    Suite *suite = suite_create("c11");
    TCase *tcase = tcase_create("c11");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_loop_test(tcase, mutexes_exclude, 0, 2);
    tcase_add_loop_test(tcase, condition_variables_hand_over, 0, 2);
    tcase_add_test(tcase, a_timed_lock_times_out_and_is_not_early);
    tcase_add_test(tcase, the_destructor_of_a_tss_object_calls);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
