/* SPDX-License-Identifier: MIT */
/*
 * Signals that arrive while a thread waits for a mutex, with and without SA_RESTART: the handler
 * runs, the call goes on, no call gives EINTR, no deadline comes early. Also a change of scheduling
 * while somebody holds or waits.
 */
#include "conform.h"

#include "mutex_kinds.h"

#include <sys/time.h>

enum { KINDS = MUTEX_PP_KINDS_BEGIN };

static pthread_mutex_t shared;
static const struct mutex_kind *kind;
static int handled;

static void count_signal(int number)
{
    (void)number;
    __atomic_add_fetch(&handled, 1, __ATOMIC_ACQ_REL);
}

/* The loop number is the kind and whether system calls restart. */
static void choose(int loop)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = loop % 2 ? SA_RESTART : 0};
    kind = &mutex_kinds[loop / 2];
    make_mutex(&shared, kind);
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
}

static void *lock_and_unlock(void *unused)
{
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
    return unused;
}

static void *timedlock_and_unlock(void *unused)
{
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 50000);
    OK(pthread_mutex_timedlock(&shared, &deadline));
    OK(pthread_mutex_unlock(&shared));
    return unused;
}

static void *clocklock_and_unlock(void *unused)
{
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 50000);
    OK(pthread_mutex_clocklock(&shared, CLOCK_MONOTONIC, &deadline));
    OK(pthread_mutex_unlock(&shared));
    return unused;
}

static void pester(struct thread *t)
{
    for (int i = 0; i < 5; i++) {
        int before = __atomic_load_n(&handled, __ATOMIC_ACQUIRE);
        wait_until_asleep(t->tid);
        OK(pthread_kill(t->id, SIGUSR1));
        wait_for_flag(&handled, before + 1);
    }
    wait_until_asleep(t->tid);
}

START_TEST(a_signal_does_not_end_a_wait_for_the_mutex)
{
    static void *(*const bodies[])(void *) = {lock_and_unlock, timedlock_and_unlock,
                                              clocklock_and_unlock};
    struct thread waiters[3];
    choose(_i);
    OK(pthread_mutex_lock(&shared));
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        thread_start(&waiters[i], bodies[i], NULL);
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        pester(&waiters[i]);
    OK(pthread_mutex_unlock(&shared));
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        thread_join(&waiters[i]);
    ck_assert_int_eq(handled, 15);
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

static void *time_out(void *clock)
{
    clockid_t id = *(clockid_t *)clock;
    struct timespec deadline = deadline_in_ms(id, 60);
    EXPECT(pthread_mutex_clocklock(&shared, id, &deadline), ETIMEDOUT);
    REQUIRE(deadline_passed(id, deadline), "%s gives up early", kind->name);
    return NULL;
}

START_TEST(a_signal_neither_shortens_nor_forgets_a_deadline)
{
    static clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    struct thread waiters[2];
    choose(_i);
    OK(pthread_mutex_lock(&shared));
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        thread_start(&waiters[i], time_out, &clocks[i]);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(waiters); i++)
            pthread_kill(waiters[i].id, SIGUSR1);
        sleep_ms(1);
    }
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        thread_join(&waiters[i]);
    OK(pthread_mutex_unlock(&shared));
    in_thread(lock_and_unlock, NULL);
}
END_TEST

static volatile long counter;

static void *count_in_a_storm(void *unused)
{
    for (int i = 0; i < 3000; i++) {
        struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 50000);
        if (i % 2)
            OK(pthread_mutex_lock(&shared));
        else
            OK(pthread_mutex_clocklock(&shared, CLOCK_MONOTONIC, &deadline));
        long seen = counter;
        counter = seen + 1;
        OK(pthread_mutex_unlock(&shared));
    }
    return unused;
}

START_TEST(a_storm_of_signals_breaks_no_exclusion)
{
    const struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    struct thread threads[4];
    choose(_i);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        thread_start(&threads[i], count_in_a_storm, NULL);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        thread_join(&threads[i]);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_eq(counter, 4L * 3000);
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

static void set_policy(pthread_t id, int policy, int priority)
{
    struct sched_param param = {.sched_priority = priority};
    OK(pthread_setschedparam(id, policy, &param));
}

START_TEST(a_change_of_scheduling_disturbs_neither_holder_nor_waiters)
{
    struct thread waiters[3];
    struct sched_param param = {.sched_priority = 1};
    choose(2 * _i);
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == EPERM)
        SKIP_TEST("real-time scheduling is not permitted here");
    OK(pthread_mutex_lock(&shared));
    set_policy(pthread_self(), SCHED_OTHER, 0);
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        thread_start(&waiters[i], lock_and_unlock, NULL);
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        wait_until_asleep(waiters[i].tid);
    set_policy(waiters[0].id, SCHED_FIFO, 3);
    set_policy(waiters[1].id, SCHED_RR, 2);
    set_policy(waiters[0].id, SCHED_OTHER, 0);
    set_policy(pthread_self(), SCHED_FIFO, 4);
    set_policy(waiters[2].id, SCHED_BATCH, 0);
    set_policy(pthread_self(), SCHED_OTHER, 0);
    OK(pthread_mutex_unlock(&shared));
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        thread_join(&waiters[i]);
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_signal");
    TCase *tcase = conform_case(suite, "signal");
    tcase_add_loop_test(tcase, a_signal_does_not_end_a_wait_for_the_mutex, 0, 2 * KINDS);
    tcase_add_loop_test(tcase, a_signal_neither_shortens_nor_forgets_a_deadline, 0, 2 * KINDS);
    tcase_add_loop_test(tcase, a_storm_of_signals_breaks_no_exclusion, 0, 2 * KINDS);
    tcase_add_loop_test(tcase, a_change_of_scheduling_disturbs_neither_holder_nor_waiters, 0,
                        KINDS);
    return conform_run(suite);
}
