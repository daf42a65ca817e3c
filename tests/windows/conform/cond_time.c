/* SPDX-License-Identifier: MIT */
/* Waits on condition variables that end by a moment or a time-out, by both calls that winpthreads
   has for it. */
#include "check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int waiting;
static int ticket;

static int wait_until(struct timespec at)
{
    int err;

    OK(pthread_mutex_lock(&mutex));
    err = pthread_cond_timedwait(&cond, &mutex, &at);
    OK(pthread_mutex_unlock(&mutex)); /* it is held */
    return err;
}

static int wait_for(struct timespec timeout)
{
    int err;

    OK(pthread_mutex_lock(&mutex));
    err = pthread_cond_timedwait_relative_np(&cond, &mutex, &timeout);
    OK(pthread_mutex_unlock(&mutex));
    return err;
}

static void a_moment_that_has_passed_gives_ETIMEDOUT(void)
{
    CHECK_INT(wait_until((struct timespec){0, 0}), ETIMEDOUT);
    CHECK_INT(wait_until((struct timespec){0, 999999999}), ETIMEDOUT);
    CHECK_INT(wait_until(check_after(-1000)), ETIMEDOUT);
    CHECK_INT(wait_until(check_after(0)), ETIMEDOUT);
    CHECK_INT(wait_for((struct timespec){0, 0}), ETIMEDOUT);
}

static void a_wait_never_ends_early(void)
{
    for (int i = 0; i < 10; i++) {
        struct timespec at = check_after(5 + i);
        int64_t begin = check_now_ms();

        CHECK_INT(wait_until(at), ETIMEDOUT);
        CHECK(check_is_past(at));
        begin = check_now_ms();
        CHECK_INT(wait_for((struct timespec){0, (5 + i) * 1000000}), ETIMEDOUT);
        CHECK(check_now_ms() - begin + 1 >= 5 + i);
    }
}

static void nanoseconds_may_be_of_several_seconds_or_below_zero(void)
{
    struct timespec due = check_after(200);
    struct timespec at = due;
    int64_t begin;

    at.tv_sec -= 1;
    at.tv_nsec += 1000000000;
    CHECK_INT(wait_until(at), ETIMEDOUT);
    CHECK(check_is_past(due));
    at = check_after(0);
    at.tv_nsec = -1;
    CHECK_INT(wait_until(at), ETIMEDOUT);
    begin = check_now_ms();
    CHECK_INT(wait_for((struct timespec){0, 1050000000}), ETIMEDOUT);
    CHECK(check_now_ms() - begin + 1 >= 1050);
}

static void a_moment_before_1970_and_a_timeout_below_zero_have_passed(void)
{
    CHECK_INT(wait_until((struct timespec){-1, 0}), ETIMEDOUT);
    CHECK_INT(wait_until((struct timespec){-5000000, 999999999}), ETIMEDOUT);
    CHECK_INT(wait_for((struct timespec){-1, 0}), ETIMEDOUT);
    CHECK_INT(wait_for((struct timespec){0, -1}), ETIMEDOUT);
}

static void no_moment_gives_EINVAL(void)
{
    OK(pthread_mutex_lock(&mutex));
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, NULL), EINVAL);
    CHECK_INT(pthread_cond_timedwait_relative_np(&cond, &mutex, NULL), EINVAL);
    OK(pthread_mutex_unlock(&mutex));
}

struct wait {
    struct timespec time;
    bool relative;
};

static int wait_long(void *argument)
{
    struct wait *wait = argument;
    int err = 0;

    OK(pthread_mutex_lock(&mutex));
    waiting = 1;
    while (!ticket && err == 0)
        err = wait->relative ? pthread_cond_timedwait_relative_np(&cond, &mutex, &wait->time)
                             : pthread_cond_timedwait(&cond, &mutex, &wait->time);
    OK(pthread_mutex_unlock(&mutex));
    return err;
}

static void a_waiter_is_woken_long_before_its_time(void)
{
    struct wait waits[] = {{check_after(3600000), false},
                           {{INT32_MAX, 999999999}, false},
                           {{3600, 0}, true},
                           {{3600, 0}, true}};

    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        struct thread thread;
        bool ready = false;

        waiting = ticket = 0;
        thread_start(&thread, wait_long, &waits[i]);
        while (!ready) {
            OK(pthread_mutex_lock(&mutex));
            ready = waiting;
            ticket = ready;
            if (ready)
                OK(pthread_cond_signal(&cond));
            OK(pthread_mutex_unlock(&mutex));
        }
        OK(thread_join(&thread));
    }
}

static void only_the_wall_clock_is_to_be_had(void)
{
    pthread_condattr_t attr;
    clockid_t clock = 77;

    OK(pthread_condattr_init(&attr));
    OK(pthread_condattr_getclock(&attr, &clock));
    CHECK_INT(clock, CLOCK_REALTIME);
    CHECK_INT(pthread_condattr_setclock(&attr, CLOCK_PROCESS_CPUTIME_ID), EINVAL);
    OK(pthread_condattr_setclock(&attr, CLOCK_REALTIME));
}

static const struct check_case cases[] = {
    CHECK_CASE(a_moment_that_has_passed_gives_ETIMEDOUT),
    CHECK_CASE(a_wait_never_ends_early),
    CHECK_CASE(nanoseconds_may_be_of_several_seconds_or_below_zero),
    CHECK_CASE_OURS(a_moment_before_1970_and_a_timeout_below_zero_have_passed,
                    "winpthreads waits for ever then"),
    CHECK_CASE_OURS(no_moment_gives_EINVAL, "winpthreads reads address 0"),
    CHECK_CASE(a_waiter_is_woken_long_before_its_time),
    CHECK_CASE(only_the_wall_clock_is_to_be_had),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
