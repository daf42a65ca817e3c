/* SPDX-License-Identifier: MIT */
/*
 * Priority ceilings: PTHREAD_PRIO_PROTECT mutexes of every type, private and shared, used by
 * real-time threads. Without the right to real-time scheduling only the attribute calls can run.
 */
#include "conform.h"

#include "mutex_kinds.h"

#include <stdint.h>

enum { PP_KINDS = 8, LOW = 5, CEILING = 10, ABOVE = 15 };

static pthread_mutex_t shared;
static const struct mutex_kind *kind;

static int set_priority(int priority)
{
    struct sched_param param = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
}

static int current_priority(void)
{
    struct sched_param param;
    REQUIRE(sched_getparam(0, &param) == 0, "sched_getparam: %s", strerror(errno));
    return param.sched_priority;
}

static void make_with_ceiling(int loop, int ceiling)
{
    pthread_mutexattr_t attr;
    kind = &mutex_kinds[MUTEX_PP_KINDS_BEGIN + loop];
    conform_context = kind->name;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_settype(&attr, kind->type));
    OK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_PROTECT));
    OK(pthread_mutexattr_setpshared(&attr, kind->pshared));
    OK(pthread_mutexattr_setprioceiling(&attr, ceiling));
    OK(pthread_mutex_init(&shared, &attr));
    OK(pthread_mutexattr_destroy(&attr));
}

/* The loop number is the kind; afterwards this thread has the low priority. */
#define CHOOSE_OR_SKIP(loop)                                                                       \
    do {                                                                                           \
        if (set_priority(LOW) == EPERM)                                                            \
            SKIP_TEST("real-time scheduling is not permitted here");                               \
        make_with_ceiling(loop, CEILING);                                                          \
    } while (0)

START_TEST(the_ceiling_is_read_and_changed)
{
    int ceiling = 0;
    CHOOSE_OR_SKIP(_i);
    OK(pthread_mutex_getprioceiling(&shared, &ceiling));
    ck_assert_int_eq(ceiling, CEILING);
    OK(pthread_mutex_setprioceiling(&shared, CEILING + 1, &ceiling));
    ck_assert_int_eq(ceiling, CEILING);
    OK(pthread_mutex_getprioceiling(&shared, &ceiling));
    ck_assert_int_eq(ceiling, CEILING + 1);
    OK(pthread_mutex_setprioceiling(&shared, CEILING, &ceiling));
    ck_assert_int_eq(current_priority(), LOW);
    EXPECT(pthread_mutex_setprioceiling(&shared, 0, &ceiling), EINVAL);
    EXPECT(pthread_mutex_setprioceiling(&shared, 1000, &ceiling), EINVAL);
    EXPECT(pthread_mutex_setprioceiling(&shared, -1, &ceiling), EINVAL);
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

START_TEST(a_holder_runs_at_the_ceiling_until_it_unlocks)
{
    struct timespec real = deadline_in_ms(CLOCK_REALTIME, 50000);
    struct timespec mono = deadline_in_ms(CLOCK_MONOTONIC, 50000);
    CHOOSE_OR_SKIP(_i);
    for (int call = 0; call < 4; call++) {
        if (call == 0)
            OK(pthread_mutex_lock(&shared));
        else if (call == 1)
            OK(pthread_mutex_trylock(&shared));
        else if (call == 2)
            OK(pthread_mutex_timedlock(&shared, &real));
        else
            OK(pthread_mutex_clocklock(&shared, CLOCK_MONOTONIC, &mono));
        ck_assert_int_eq(current_priority(), CEILING);
        OK(pthread_mutex_unlock(&shared));
        ck_assert_int_eq(current_priority(), LOW);
    }
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

START_TEST(a_thread_above_the_ceiling_is_refused_with_EINVAL)
{
    struct timespec far = {INT32_MAX, 0};
    CHOOSE_OR_SKIP(_i);
    OK(set_priority(ABOVE));
    EXPECT(pthread_mutex_lock(&shared), EINVAL);
    EXPECT(pthread_mutex_trylock(&shared), EINVAL);
    EXPECT(pthread_mutex_timedlock(&shared, &far), EINVAL);
    EXPECT(pthread_mutex_clocklock(&shared, CLOCK_MONOTONIC, &far), EINVAL);
    ck_assert_int_eq(current_priority(), ABOVE);
    OK(set_priority(LOW));
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
}
END_TEST

START_TEST(a_relock_follows_the_type)
{
    CHOOSE_OR_SKIP(_i);
    OK(pthread_mutex_lock(&shared));
    if (kind->type == PTHREAD_MUTEX_RECURSIVE) {
        OK(pthread_mutex_lock(&shared));
        OK(pthread_mutex_trylock(&shared));
        OK(pthread_mutex_unlock(&shared));
        OK(pthread_mutex_unlock(&shared));
    } else if (kind->type == PTHREAD_MUTEX_ERRORCHECK) {
        EXPECT(pthread_mutex_lock(&shared), EDEADLK);
        EXPECT(pthread_mutex_trylock(&shared), EDEADLK);
    } else {
        EXPECT(pthread_mutex_trylock(&shared), EBUSY);
    }
    ck_assert_int_eq(current_priority(), CEILING);
    EXPECT(pthread_mutex_destroy(&shared), EBUSY);
    OK(pthread_mutex_unlock(&shared));
    ck_assert_int_eq(current_priority(), LOW);
    if (kind->type == PTHREAD_MUTEX_RECURSIVE || kind->type == PTHREAD_MUTEX_ERRORCHECK)
        EXPECT(pthread_mutex_unlock(&shared), EPERM);
    OK(pthread_mutex_destroy(&shared));
    EXPECT(pthread_mutex_lock(&shared), EINVAL);
    EXPECT(pthread_mutex_consistent(&shared), EINVAL);
}
END_TEST

/* The priority afterwards is not judged: glibc 2.36 keeps the ceiling after a time-out. */
static void *find_it_held(void *unused)
{
    struct timespec real = deadline_in_ms(CLOCK_REALTIME, 10);
    struct timespec mono = deadline_in_ms(CLOCK_MONOTONIC, 30);
    OK(set_priority(LOW));
    EXPECT(pthread_mutex_trylock(&shared), EBUSY);
    EXPECT(pthread_mutex_timedlock(&shared, &real), ETIMEDOUT);
    REQUIRE(deadline_passed(CLOCK_REALTIME, real), "gives up early");
    EXPECT(pthread_mutex_clocklock(&shared, CLOCK_MONOTONIC, &mono), ETIMEDOUT);
    REQUIRE(deadline_passed(CLOCK_MONOTONIC, mono), "gives up early");
    if (kind->type == PTHREAD_MUTEX_RECURSIVE || kind->type == PTHREAD_MUTEX_ERRORCHECK)
        EXPECT(pthread_mutex_unlock(&shared), EPERM);
    return unused;
}

static volatile long counter;

static void *count(void *unused)
{
    OK(set_priority(LOW));
    for (int i = 0; i < 2000; i++) {
        OK(pthread_mutex_lock(&shared));
        long seen = counter;
        counter = seen + 1;
        if (i % 128 == 0)
            sleep_ms(1);
        OK(pthread_mutex_unlock(&shared));
    }
    REQUIRE(current_priority() == LOW, "priority %d remains", current_priority());
    return unused;
}

START_TEST(a_held_one_is_busy_and_times_out)
{
    CHOOSE_OR_SKIP(_i);
    OK(pthread_mutex_lock(&shared));
    in_thread(find_it_held, NULL);
    OK(pthread_mutex_unlock(&shared));
}
END_TEST

START_TEST(ceiling_holders_exclude_each_other)
{
    struct thread threads[4];
    CHOOSE_OR_SKIP(_i);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        thread_start(&threads[i], count, NULL);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        thread_join(&threads[i]);
    ck_assert_int_eq(counter, 4L * 2000);
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

START_TEST(ceilings_and_plain_mutexes_nest)
{
    pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
    CHOOSE_OR_SKIP(_i);
    OK(pthread_mutex_lock(&plain));
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&plain));
    ck_assert_int_eq(current_priority(), CEILING);
    OK(pthread_mutex_lock(&plain));
    OK(pthread_mutex_unlock(&shared));
    ck_assert_int_eq(current_priority(), LOW);
    OK(pthread_mutex_unlock(&plain));
}
END_TEST

START_TEST(a_default_ceiling_is_within_the_policys_range)
{
    int ceiling = -1;
    make_mutex(&shared, &mutex_kinds[MUTEX_PP_KINDS_BEGIN + _i]);
    OK(pthread_mutex_getprioceiling(&shared, &ceiling));
    ck_assert_int_ge(ceiling, sched_get_priority_min(SCHED_FIFO));
    ck_assert_int_le(ceiling, sched_get_priority_max(SCHED_FIFO));
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_protect");
    TCase *tcase = conform_case(suite, "protect");
    static const TTest *const *const all[] = {
        &the_ceiling_is_read_and_changed,
        &a_holder_runs_at_the_ceiling_until_it_unlocks,
        &a_thread_above_the_ceiling_is_refused_with_EINVAL,
        &a_relock_follows_the_type,
        &a_held_one_is_busy_and_times_out,
        &ceiling_holders_exclude_each_other,
        &ceilings_and_plain_mutexes_nest,
        &a_default_ceiling_is_within_the_policys_range,
    };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        tcase_add_loop_test(tcase, *all[i], 0, PP_KINDS);
    return conform_run(suite);
}
