/* SPDX-License-Identifier: MIT */
/*
 * Every timed call, with every kind of object and on each clock, at the ends of time: deadlines
 * long past, before the epoch, at both ends of time_t, with invalid nanoseconds, and a sweep of
 * short ones, none of which may end early. What a call leaves behind, and free objects, are left
 * to mutex_time, cond_time and rwlock_time, what the kernel is asked to preload/test_strace_clock.
 */
#include "gate.h"

#include "timed_calls.h"

#include <limits.h>
#include <stdint.h>

static const struct family *family;

static void start_trials(int number, void *(*body)(void *))
{
    family = &families[number];
    family->make();
    conform_context = family->name;
    for (int i = 0; i < trial_count; i++)
        family->hold(&trials[i]);
    for (int i = 0; i < trial_count; i++)
        start_many(&trials[i].thread, 1, body, &trials[i]);
}

static void end_trials(void)
{
    for (int i = 0; i < trial_count; i++)
        family->release(&trials[i]);
    for (int i = 0; i < trial_count; i++)
        join_many(&trials[i].thread, 1);
}

static void require(struct trial *t, struct timespec deadline, int want)
{
    errno = CONFORM_ERRNO;
    int got = t->call(t, &deadline);
    REQUIRE(got == want && errno == CONFORM_ERRNO,
            "%s %d, way %d, until %lld.%09ld: %s, not %s; errno %d", family->name, t->kind, t->way,
            (long long)deadline.tv_sec, deadline.tv_nsec, strerrorname(got), strerrorname(want),
            errno);
}

#ifdef __GLIBC__
#define IS_GLIBCS_CALL (!under_library())
#else
#define IS_GLIBCS_CALL false
#endif

/* The kernel refuses a time before the epoch for a priority-inheriting mutex, and glibc passes that
 * on. POSIX knows no invalid seconds: such a time is past, and so the library has it. */
static int before_the_epoch(const struct trial *t)
{
    bool refused = t->call == call_mutex && is_pi(&mutex_kinds[t->kind]) && IS_GLIBCS_CALL;
    return refused ? EINVAL : ETIMEDOUT;
}

static void *find_it_past(void *argument)
{
    static const struct timespec pasts[] = {{0, 0}, {0, 1}, {1, 999999999}};
    static const time_t negative[] = {-1, -2, INT32_MIN, NEAREST_TIME(INT32_MIN - INT64_C(1)),
                                      TIME_BEGINNING};
    struct trial *t = argument;
    for (size_t i = 0; i < COUNT_OF(pasts); i++)
        require(t, pasts[i], ETIMEDOUT);
    require(t, deadline_in_ms(t->clock, -1), ETIMEDOUT);
    require(t, time_on(t->clock), ETIMEDOUT);
    for (size_t i = 0; i < COUNT_OF(negative); i++) {
        require(t, (struct timespec){negative[i], 0}, before_the_epoch(t));
        require(t, (struct timespec){negative[i], 999999999}, before_the_epoch(t));
    }
    return NULL;
}

START_TEST(a_deadline_in_the_past_or_before_the_epoch_ends_every_timed_call)
{
    start_trials(_i, find_it_past);
    for (int i = 0; i < trial_count; i++)
        join_many(&trials[i].thread, 1);
}
END_TEST

/* Some mutexes of glibc's look at the seconds first. */
static int invalid_before_the_epoch(const struct trial *t)
{
    bool seconds_first =
        t->call == call_mtx || (t->call == call_mutex && !is_pi(&mutex_kinds[t->kind]) &&
                                !is_robust(&mutex_kinds[t->kind]));
    return seconds_first && IS_GLIBCS_CALL ? ETIMEDOUT : EINVAL;
}

static void *find_it_invalid(void *argument)
{
    static const long invalid[] = {-1, -999999999, 1000000000, 1999999999, LONG_MAX, LONG_MIN};
    struct trial *t = argument;
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        require(t, (struct timespec){time_on(t->clock).tv_sec + 1000, invalid[i]}, EINVAL);
        require(t, (struct timespec){0, invalid[i]}, EINVAL);
        require(t, (struct timespec){TIME_END, invalid[i]}, EINVAL);
        require(t, (struct timespec){-1, invalid[i]}, invalid_before_the_epoch(t));
        require(t, (struct timespec){TIME_BEGINNING, invalid[i]}, invalid_before_the_epoch(t));
    }
    return NULL;
}

START_TEST(invalid_nanoseconds_are_refused_by_every_timed_call)
{
    start_trials(_i, find_it_invalid);
    for (int i = 0; i < trial_count; i++)
        join_many(&trials[i].thread, 1);
}
END_TEST

static struct timespec far_deadline;

static void *get_it_in_the_end(void *argument)
{
    require(argument, far_deadline, 0);
    return NULL;
}

START_TEST(the_end_of_time_is_waited_for_by_every_timed_call)
{
    static const struct timespec ends[] = {{INT32_MAX, 999999999},
                                           {NEAREST_TIME(UINT32_MAX + INT64_C(1)), 0},
                                           {NEAREST_TIME(INT64_MAX / 1000000000), 999999999},
                                           {NEAREST_TIME(INT64_MAX / 1000000000 + 1), 0},
                                           {TIME_END - 1, 0},
                                           {TIME_END, 0},
                                           {TIME_END, 999999999}};
    far_deadline = ends[_i % (int)COUNT_OF(ends)];
    start_trials(_i / (int)COUNT_OF(ends), get_it_in_the_end);
    wait_until_asleep(trials[trial_count - 1].thread.tid);
    for (int i = 0; i < trial_count; i++) {
        while (thread_state(trials[i].thread.tid) != 'S')
            sleep_ms(1);
    }
    end_trials();
}
END_TEST

/* Every deadline at other parts of a microsecond; the threads sleep side by side. */
static void *time_out_again_and_again(void *argument)
{
    struct trial *t = argument;
    unsigned seed = (unsigned)(t - trials) + 1;
    for (long us = 100; us < 30000; us = us * 4 / 3) {
        struct timespec deadline = deadline_in_ms(t->clock, us / 1000);
        deadline.tv_nsec += us % 1000 * 1000 + rand_r(&seed) % 1000;
        deadline.tv_sec += deadline.tv_nsec / 1000000000;
        deadline.tv_nsec %= 1000000000;
        require(t, deadline, ETIMEDOUT);
        REQUIRE(deadline_passed(t->clock, deadline), "%s %d, way %d: early after %ld us",
                family->name, t->kind, t->way, us);
    }
    return NULL;
}

START_TEST(no_timed_call_is_ever_early)
{
    start_trials(_i, time_out_again_and_again);
    for (int i = 0; i < trial_count; i++)
        join_many(&trials[i].thread, 1);
}
END_TEST

int main(void)
{
    const int n = (int)COUNT_OF(families);
    Suite *suite = suite_create("time_ends");
    TCase *tcase = conform_case(suite, "time");
    tcase_add_loop_test(tcase, a_deadline_in_the_past_or_before_the_epoch_ends_every_timed_call, 0,
                        n);
    tcase_add_loop_test(tcase, invalid_nanoseconds_are_refused_by_every_timed_call, 0, n);
    tcase_add_loop_test(tcase, the_end_of_time_is_waited_for_by_every_timed_call, 0, 7 * n);
    tcase_add_loop_test(tcase, no_timed_call_is_ever_early, 0, n);
    return conform_run(suite);
}
