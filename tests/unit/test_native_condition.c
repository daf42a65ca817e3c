/* SPDX-License-Identifier: MIT */
/* The native condition variable through its public header, linked with the library as a program is:
   each value that each call can return, and that it wakes, times out and may be freed. */
#include "native_hall.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "eventually.h"

/* ---- the condition variable ------------------------------------------------------------ */

struct waiter {
    struct hall *hall;
    const struct timespec *deadline;
    clockid_t clock;
    long last;  /* waits until the hall's total is larger */
    bool frees; /* the hall, when it is the last to leave */
    struct sleeper sleeper;
};

static int wait_for_more(void *arg)
{
    struct waiter *w = arg;
    struct hall *hall = w->hall;
    bool last;
    int err = 0;

    fastsync_mutex_lock(&hall->mutex);
    hall->other++;
    while (hall->total <= w->last && err == 0)
        err = w->deadline
                  ? QUIET(fastsync_cond_timedwait(&hall->cond, &hall->mutex, w->clock, w->deadline))
                  : QUIET(fastsync_cond_wait(&hall->cond, &hall->mutex));
    ck_assert_int_eq(fastsync_mutex_trylock(&hall->mutex), EBUSY);
    last = --hall->other == 0;
    fastsync_mutex_unlock(&hall->mutex);
    if (last && w->frees)
        munmap(hall, sizeof *hall);
    return err;
}

static void raise_total(struct hall *hall)
{
    fastsync_mutex_lock(&hall->mutex);
    hall->total++;
    fastsync_mutex_unlock(&hall->mutex);
}

START_TEST(signals_and_broadcasts_to_nobody_are_forgotten)
{
    struct hall hall = {.cond = FASTSYNC_COND_INIT};
    struct timespec soon = in_ms(CLOCK_MONOTONIC, 20);
    int err = 0;

    ck_assert_int_eq(QUIET(fastsync_cond_signal(&hall.cond)), 0);
    ck_assert_int_eq(QUIET(fastsync_cond_broadcast(&hall.cond)), 0);
    fastsync_mutex_lock(&hall.mutex);
    while (err == 0)
        err = fastsync_cond_timedwait(&hall.cond, &hall.mutex, CLOCK_MONOTONIC, &soon);
    ck_assert_int_eq(err, ETIMEDOUT);
    ck_assert(is_over(CLOCK_MONOTONIC, &soon));
}
END_TEST

START_TEST(a_signal_wakes_one_waiter)
{
    struct hall hall = {.total = 0};
    struct waiter waiters[4];

    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){.hall = &hall};
        sleeper_put_to_sleep(&waiters[i].sleeper, wait_for_more, &waiters[i]);
    }
    raise_total(&hall);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(fastsync_cond_signal(&hall.cond), 0);
        ck_assert_int_eq(sleeper_join(&waiters[i].sleeper), 0); /* in the order of arrival */
    }
}
END_TEST

/* The loop index: with the mutex held or not. */
START_TEST(a_broadcast_wakes_all)
{
    struct hall hall = {.total = 0};
    struct waiter waiters[40];

    for (int i = 0; i < 40; i++) {
        waiters[i] = (struct waiter){.hall = &hall};
        sleeper_put_to_sleep(&waiters[i].sleeper, wait_for_more, &waiters[i]);
    }
    fastsync_mutex_lock(&hall.mutex);
    hall.total = 1;
    if (_i)
        ck_assert_int_eq(QUIET(fastsync_cond_broadcast(&hall.cond)), 0);
    fastsync_mutex_unlock(&hall.mutex);
    if (!_i)
        ck_assert_int_eq(QUIET(fastsync_cond_broadcast(&hall.cond)), 0);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(sleeper_join(&waiters[i].sleeper), 0);
    ck_assert_int_eq(fastsync_mutex_trylock(&hall.mutex), 0);
}
END_TEST

START_TEST(a_timed_wait_is_never_early_and_holds_the_mutex_again)
{
    struct hall hall = {.total = 0};
    clockid_t clock = clocks[_i];
    struct timespec soon = in_ms(clock, 30);
    struct waiter w = {.hall = &hall, .deadline = &soon, .clock = clock};

    ck_assert_int_eq(wait_for_more(&w), ETIMEDOUT);
    ck_assert(is_over(clock, &soon));
    w.deadline = &past;
    ck_assert_int_eq(wait_for_more(&w), ETIMEDOUT);
}
END_TEST

START_TEST(a_timed_wait_refuses_an_invalid_deadline_and_keeps_the_mutex)
{
    struct hall hall = {.total = 0};

    fastsync_mutex_lock(&hall.mutex);
    ck_assert_int_eq(
        QUIET(fastsync_cond_timedwait(&hall.cond, &hall.mutex, invalid[_i].clock, &invalid[_i].at)),
        EINVAL);
    ck_assert_int_eq(fastsync_mutex_trylock(&hall.mutex), EBUSY);
}
END_TEST

static fs_word wait_is_over;

/* Without checks, which write to a pipe and so are cancellation points. */
static int wait_and_tell(void *arg)
{
    struct hall *hall = arg;

    fastsync_mutex_lock(&hall->mutex);
    while (hall->total == 0)
        fastsync_cond_wait(&hall->cond, &hall->mutex);
    fastsync_mutex_unlock(&hall->mutex);
    fs_store_release(&wait_is_over, 1);
    pthread_testcancel();
    return 0;
}

START_TEST(a_cancellation_does_not_end_a_wait)
{
    struct hall hall = {.total = 0};
    struct sleeper thread;
    void *result;

    sleeper_put_to_sleep(&thread, wait_and_tell, &hall);
    ck_assert_int_eq(pthread_cancel(thread.thread), 0);
    sleep_ms(20);
    sleeper_await_sleep(&thread);
    raise_total(&hall);
    fastsync_cond_signal(&hall.cond);
    ck_assert_int_eq(pthread_join(thread.thread, &result), 0);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    ck_assert_uint_eq(fs_load_acquire(&wait_is_over), 1);
}
END_TEST

static void allow_memory(bool allow)
{
    struct rlimit limit;

    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = allow ? limit.rlim_max : 0;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

START_TEST(without_memory_a_wait_ends_without_a_reason)
{
    struct hall hall = {.total = 0};
    struct timespec late = in_ms(CLOCK_MONOTONIC, 3600000);
    int forever, timed, over;

    fastsync_mutex_lock(&hall.mutex);
    allow_memory(false);
    forever = fastsync_cond_wait(&hall.cond, &hall.mutex);
    timed = fastsync_cond_timedwait(&hall.cond, &hall.mutex, CLOCK_MONOTONIC, &late);
    over = fastsync_cond_timedwait(&hall.cond, &hall.mutex, CLOCK_MONOTONIC, &past);
    allow_memory(true);
    ck_assert_int_eq(forever, 0);
    ck_assert_int_eq(timed, 0);
    ck_assert_int_eq(over, ETIMEDOUT);
    ck_assert_int_eq(fastsync_mutex_trylock(&hall.mutex), EBUSY);
}
END_TEST

START_TEST(the_last_waiter_may_free_everything)
{
    for (int round = 0; round < 100; round++) {
        struct hall *hall =
            mmap(NULL, sizeof *hall, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct waiter waiters[5];

        ck_assert_ptr_ne(hall, MAP_FAILED);
        for (int i = 0; i < 5; i++) {
            waiters[i] = (struct waiter){.hall = hall, .frees = true};
            sleeper_start(&waiters[i].sleeper, wait_for_more, &waiters[i]);
        }
        for (bool all = false; !all;) {
            fastsync_mutex_lock(&hall->mutex);
            all = hall->other == 5;
            hall->total = all;
            if (all)
                fastsync_cond_broadcast(&hall->cond);
            fastsync_mutex_unlock(&hall->mutex);
        }
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(sleeper_join(&waiters[i].sleeper), 0);
    }
}
END_TEST

static TCase *waits_case(void)
{
    TCase *tests = tcase_create("waits");

    tcase_add_test(tests, signals_and_broadcasts_to_nobody_are_forgotten);
    tcase_add_test(tests, a_signal_wakes_one_waiter);
    tcase_add_loop_test(tests, a_broadcast_wakes_all, 0, 2);
    tcase_add_loop_test(tests, a_timed_wait_is_never_early_and_holds_the_mutex_again, 0, 2);
    tcase_add_loop_test(tests, a_timed_wait_refuses_an_invalid_deadline_and_keeps_the_mutex, 0,
                        INVALID);
    tcase_add_test(tests, a_cancellation_does_not_end_a_wait);
    tcase_add_test(tests, without_memory_a_wait_ends_without_a_reason);
    tcase_add_test(tests, the_last_waiter_may_free_everything);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("native condition variable");
    TCase *tests = waits_case();

    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
