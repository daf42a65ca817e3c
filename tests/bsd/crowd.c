/* SPDX-License-Identifier: MIT */
/* The native locks of the target's objects under a crowd: a counter, a queue with time-outs on both
   clocks, rounds that end with a broadcast, readers and writers. Where FASTSYNC_DISTURB is set,
   waits are interrupted and woken without a reason all the time. */
#include "native_hall.h"

#include "eventually.h"

#define CROWD 5

static int rounds(int usual)
{
#ifdef FS_EMULATED
    usual /= 5;
#endif
    return getenv("FASTSYNC_SOAK") ? 20 * usual : usual;
}

static void let_in(int (*body)(void *arg), void *arg)
{
    struct sleeper crowd[CROWD];

    for (int i = 0; i < CROWD; i++)
        sleeper_start(&crowd[i], body, arg);
    for (int i = 0; i < CROWD; i++)
        ck_assert_int_eq(sleeper_join(&crowd[i]), 0);
}

static int count(void *arg)
{
    struct hall *hall = arg;

    for (int i = 0; i < rounds(8000); i++) {
        struct timespec soon = in_ms(clocks[i % 2], 1);

        if (i % 7 != 0 || fastsync_mutex_timedlock(&hall->mutex, clocks[i % 2], &soon) != 0)
            fastsync_mutex_lock(&hall->mutex);
        if (hall->other++ != 0)
            return 1;
        if (i % 50 == 0) {
            struct timespec moment_long = {0, 50000};

            nanosleep(&moment_long, NULL);
        }
        hall->other--;
        hall->total++;
        fastsync_mutex_unlock(&hall->mutex);
    }
    return 0;
}

START_TEST(a_mutex_excludes)
{
    struct hall hall = {.total = 0};

    let_in(count, &hall);
    ck_assert_int_eq(hall.total, CROWD * (long)rounds(8000));
}
END_TEST

/* Each brings parcels and takes as many; the queue has room for two. */
static int bring_and_take(void *arg)
{
    struct hall *hall = arg;

    for (int i = 0; i < rounds(2000); i++) {
        struct timespec soon = in_ms(clocks[i % 2], 2);

        fastsync_mutex_lock(&hall->mutex);
        if (hall->total < 2) {
            hall->total++;
            hall->other++;
            fastsync_cond_signal(&hall->cond);
        }
        fastsync_mutex_unlock(&hall->mutex);
        fastsync_mutex_lock(&hall->mutex);
        while (hall->total == 0)
            if (i % 3 == 0) {
                fastsync_cond_wait(&hall->cond, &hall->mutex);
            } else if (fastsync_cond_timedwait(&hall->cond, &hall->mutex, clocks[i % 2], &soon) ==
                       ETIMEDOUT) {
                if (!is_over(clocks[i % 2], &soon))
                    return 2;
                hall->total++; /* nobody brings any more: by oneself */
                hall->other++;
                fastsync_cond_signal(&hall->cond);
            }
        hall->total--;
        hall->other--;
        if (hall->total != hall->other)
            return 3;
        fastsync_mutex_unlock(&hall->mutex);
    }
    fastsync_mutex_lock(&hall->mutex); /* for those who wait without a deadline */
    hall->total++;
    hall->other++;
    fastsync_cond_signal(&hall->cond);
    fastsync_mutex_unlock(&hall->mutex);
    return 0;
}

START_TEST(a_condition_variable_loses_no_signal)
{
    struct hall hall = {.total = 0};

    let_in(bring_and_take, &hall);
}
END_TEST

/* `total` counts who has come in this round, `other` the rounds. The last of them wakes the rest,
   with the mutex held or not. */
static int meet(void *arg)
{
    struct hall *hall = arg;

    for (int i = 0; i < rounds(1500); i++) {
        bool last;

        fastsync_mutex_lock(&hall->mutex);
        last = ++hall->total == CROWD;
        if (last) {
            hall->total = 0;
            hall->other++;
            if (i % 2)
                fastsync_cond_broadcast(&hall->cond);
        } else {
            while (hall->other == i)
                fastsync_cond_wait(&hall->cond, &hall->mutex);
        }
        fastsync_mutex_unlock(&hall->mutex);
        if (last && i % 2 == 0)
            fastsync_cond_broadcast(&hall->cond);
    }
    return 0;
}

START_TEST(a_broadcast_leaves_nobody)
{
    struct hall hall = {.total = 0};

    let_in(meet, &hall);
    ck_assert_int_eq(hall.other, rounds(1500));
}
END_TEST

static int read_and_write(void *arg)
{
    struct hall *hall = arg;

    for (int i = 0; i < rounds(8000); i++) {
        struct timespec soon = in_ms(clocks[i % 2], 1);

        if (i % 5 == 0) {
            if (i % 2 || fastsync_rwlock_timedwrlock(&hall->rwlock, clocks[i % 4 / 2], &soon) != 0)
                fastsync_rwlock_wrlock(&hall->rwlock);
            hall->total++;
            hall->other++;
        } else {
            if (i % 2 || fastsync_rwlock_timedrdlock(&hall->rwlock, clocks[i % 4 / 2], &soon) != 0)
                fastsync_rwlock_rdlock(&hall->rwlock);
            if (hall->total != hall->other)
                return 1;
        }
        fastsync_rwlock_unlock(&hall->rwlock);
    }
    return 0;
}

START_TEST(a_rwlock_admits_readers_or_one_writer)
{
    struct hall hall = {.total = 0};

    let_in(read_and_write, &hall);
    ck_assert_int_eq(hall.total, CROWD * (long)(rounds(8000) / 5));
}
END_TEST

#ifndef _WIN32 /* which has no fork */
static int wait_long(void *arg)
{
    struct hall *hall = arg;

    fastsync_mutex_lock(&hall->mutex);
    while (hall->total == 0)
        fastsync_cond_wait(&hall->cond, &hall->mutex);
    fastsync_mutex_unlock(&hall->mutex);
    return 0;
}

START_TEST(a_fork_child_waits_and_wakes_by_itself)
{
    struct hall hall = {.total = 0};
    struct sleeper waiter, of_the_child;
    int status;
    pid_t child;

    sleeper_start(&waiter, wait_long, &hall);
    sleep_ms(20);
    fastsync_mutex_lock(&hall.mutex);
    child = fork();
    if (child == 0) {
        fastsync_mutex_unlock(&hall.mutex);
        sleeper_start(&of_the_child, wait_long, &hall);
        sleep_ms(20);
        fastsync_mutex_lock(&hall.mutex);
        hall.total = 1;
        fastsync_cond_signal(&hall.cond); /* to the child's waiter, not to the parent's */
        fastsync_mutex_unlock(&hall.mutex);
        _exit(sleeper_join(&of_the_child));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    hall.total = 1;
    fastsync_cond_broadcast(&hall.cond);
    fastsync_mutex_unlock(&hall.mutex);
    ck_assert_int_eq(sleeper_join(&waiter), 0);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("crowd");
    TCase *tests = tcase_create("crowd");

    tcase_set_timeout(tests, getenv("FASTSYNC_SOAK") ? 300 : 30);
    tcase_add_test(tests, a_mutex_excludes);
    tcase_add_test(tests, a_condition_variable_loses_no_signal);
    tcase_add_test(tests, a_broadcast_leaves_nobody);
    tcase_add_test(tests, a_rwlock_admits_readers_or_one_writer);
#ifndef _WIN32
    tcase_add_test(tests, a_fork_child_waits_and_wakes_by_itself);
#endif
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
