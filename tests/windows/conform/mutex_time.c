/* SPDX-License-Identifier: MIT */
/* pthread_mutex_timedlock: moments that have passed, that come, and that are odd. Several threads
   at one mutex are in mutex_contention.c. */
#include "check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int lock_until(void *at)
{
    int err = pthread_mutex_timedlock(&mutex, at);

    if (err == 0)
        OK(pthread_mutex_unlock(&mutex));
    return err;
}

static void a_free_mutex_is_locked_whatever_the_deadline(void)
{
    struct timespec moments[] = {{0, 0}, check_after(-1000), check_after(20), {-5, 0}, {0, -1}};

    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++)
        OK(lock_until(&moments[i]));
    OK(lock_until(NULL));
}

static void a_deadline_that_has_passed_gives_ETIMEDOUT(void)
{
    struct timespec moments[] = {{0, 0}, {0, 999999999}, check_after(-1000), check_after(0)};

    OK(pthread_mutex_lock(&mutex));
    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++)
        CHECK_INT(in_thread(lock_until, &moments[i]), ETIMEDOUT);
    OK(pthread_mutex_unlock(&mutex));
}

static void a_wait_never_ends_early(void)
{
    OK(pthread_mutex_lock(&mutex));
    for (int i = 0; i < 10; i++) {
        struct timespec at = check_after(5 + i);

        CHECK_INT(in_thread(lock_until, &at), ETIMEDOUT);
        CHECK(check_is_past(at));
    }
    OK(pthread_mutex_unlock(&mutex));
}

static void nanoseconds_may_be_of_several_seconds_or_below_zero(void)
{
    struct timespec due = check_after(200);
    struct timespec at = due;

    OK(pthread_mutex_lock(&mutex));
    at.tv_sec -= 1;
    at.tv_nsec += 1000000000;
    CHECK_INT(in_thread(lock_until, &at), ETIMEDOUT);
    CHECK(check_is_past(due));
    at = check_after(0);
    at.tv_nsec = -1;
    CHECK_INT(in_thread(lock_until, &at), ETIMEDOUT);
    OK(pthread_mutex_unlock(&mutex));
}

static void a_moment_before_1970_has_passed(void)
{
    struct timespec moments[] = {{-1, 0}, {-5000000, 999999999}, {0, -1}};

    OK(pthread_mutex_lock(&mutex));
    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++)
        CHECK_INT(in_thread(lock_until, &moments[i]), ETIMEDOUT);
    OK(pthread_mutex_unlock(&mutex));
}

static int waiting;

static int wait_long(void *at)
{
    check_add(&waiting, 1);
    return lock_until(at);
}

static void a_waiter_is_woken_long_before_its_deadline(void)
{
    static const struct timespec far[] = {{INT32_MAX, 0}, {INT32_MAX, 999999999}};
    struct timespec hour = check_after(3600000);
    const struct timespec *moments[] = {&hour, &far[0], &far[1], NULL};

    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++) {
        struct thread thread;

        waiting = 0;
        OK(pthread_mutex_lock(&mutex));
        thread_start(&thread, wait_long, (void *)moments[i]);
        check_until(&waiting, 1);
        check_pause(20);
        OK(pthread_mutex_unlock(&mutex));
        OK(thread_join(&thread));
    }
}

static const struct check_case cases[] = {
    CHECK_CASE(a_free_mutex_is_locked_whatever_the_deadline),
    CHECK_CASE(a_deadline_that_has_passed_gives_ETIMEDOUT),
    CHECK_CASE(a_wait_never_ends_early),
    CHECK_CASE(nanoseconds_may_be_of_several_seconds_or_below_zero),
    CHECK_CASE_OURS(a_moment_before_1970_has_passed, "winpthreads waits for ever then"),
    CHECK_CASE(a_waiter_is_woken_long_before_its_deadline),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
