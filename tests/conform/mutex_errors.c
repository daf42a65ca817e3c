/* SPDX-License-Identifier: MIT */
/*
 * Every error a mutex call can give that needs no deadline, no death and no priority: EPERM,
 * EBUSY, EDEADLK, EINVAL, and what glibc does where POSIX leaves it undefined but programs rely on
 * it. Each call is checked to leave errno alone (EXPECT).
 */
#include "conform.h"

#include "mutex_kinds.h"

static pthread_mutex_t shared;

static bool relock_hangs(const struct mutex_kind *kind)
{
    return kind->type == PTHREAD_MUTEX_NORMAL || kind->type == PTHREAD_MUTEX_ADAPTIVE_NP;
}

static void *unlock_is_refused(void *mutex)
{
    EXPECT(pthread_mutex_unlock(mutex), EPERM);
    return NULL;
}

static void *trylock_is_busy(void *mutex)
{
    EXPECT(pthread_mutex_trylock(mutex), EBUSY);
    return NULL;
}

static void *unlock_works(void *mutex)
{
    OK(pthread_mutex_unlock(mutex));
    return NULL;
}

static void *lock_and_unlock(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    OK(pthread_mutex_unlock(mutex));
    return NULL;
}

START_TEST(unlock_by_a_stranger_gives_EPERM_where_owners_are_checked)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    if (!checks_owner(kind))
        return;
    make_mutex(&shared, kind);
    OK(pthread_mutex_lock(&shared));
    in_thread(unlock_is_refused, &shared);
    in_thread(trylock_is_busy, &shared);
    OK(pthread_mutex_unlock(&shared));
    in_thread(lock_and_unlock, &shared);
}
END_TEST

START_TEST(unlock_of_a_free_mutex_gives_EPERM_where_owners_are_checked)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    if (!checks_owner(kind))
        return;
    make_mutex(&shared, kind);
    EXPECT(pthread_mutex_unlock(&shared), EPERM);
    in_thread(lock_and_unlock, &shared);
    EXPECT(pthread_mutex_unlock(&shared), EPERM);
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
    EXPECT(pthread_mutex_unlock(&shared), EPERM);
    in_thread(lock_and_unlock, &shared);
}
END_TEST

START_TEST(unlock_by_a_stranger_of_a_normal_mutex_works)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    struct thread waiter;
    if (checks_owner(kind))
        return;
    make_mutex(&shared, kind);
    OK(pthread_mutex_lock(&shared));
    in_thread(unlock_works, &shared);
    OK(pthread_mutex_trylock(&shared));
    thread_start(&waiter, lock_and_unlock, &shared);
    wait_until_asleep(waiter.tid);
    in_thread(unlock_works, &shared);
    thread_join(&waiter);
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

START_TEST(relock_of_an_errorcheck_mutex_gives_EDEADLK)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    if (kind->type != PTHREAD_MUTEX_ERRORCHECK)
        return;
    make_mutex(&shared, kind);
    for (int round = 0; round < 3; round++) {
        OK(pthread_mutex_lock(&shared));
        EXPECT(pthread_mutex_lock(&shared), EDEADLK);
        EXPECT(pthread_mutex_lock(&shared), EDEADLK);
        EXPECT(pthread_mutex_trylock(&shared), own_trylock_error(kind));
        in_thread(trylock_is_busy, &shared);
        OK(pthread_mutex_unlock(&shared));
        in_thread(lock_and_unlock, &shared);
    }
}
END_TEST

static int relocked;

static void *lock_twice(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    OK(pthread_mutex_lock(mutex));
    raise_flag(&relocked, 1);
    OK(pthread_mutex_unlock(mutex));
    return NULL;
}

START_TEST(relock_of_a_normal_mutex_sleeps_until_a_stranger_unlocks)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    static struct thread sleeper;
    if (!relock_hangs(kind))
        return;
    make_mutex(&shared, kind);
    thread_start(&sleeper, lock_twice, &shared);
    wait_until_asleep(sleeper.tid);
    sleep_ms(20);
    ck_assert_int_eq(__atomic_load_n(&relocked, __ATOMIC_ACQUIRE), 0);
    EXPECT(pthread_mutex_trylock(&shared), EBUSY);
    if (checks_owner(kind)) {
        EXPECT(pthread_mutex_unlock(&shared), EPERM);
        wait_until_asleep(sleeper.tid);
    } else {
        OK(pthread_mutex_unlock(&shared));
        thread_join(&sleeper);
        ck_assert_int_eq(relocked, 1);
        OK(pthread_mutex_trylock(&shared));
    }
}
END_TEST

START_TEST(destroy_of_a_locked_mutex_gives_EBUSY_and_harms_nothing)
{
    const struct mutex_kind *kind = &mutex_kinds[_i];
    struct thread waiter;
    if (is_robust(kind))
        return;
    make_mutex(&shared, kind);
    OK(pthread_mutex_lock(&shared));
    EXPECT(pthread_mutex_destroy(&shared), DESTROY_IN_USE);
    thread_start(&waiter, lock_and_unlock, &shared);
    wait_until_asleep(waiter.tid);
    EXPECT(pthread_mutex_destroy(&shared), DESTROY_IN_USE);
    OK(pthread_mutex_unlock(&shared));
    thread_join(&waiter);
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

static int stage;

static void *hold_until_told(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    raise_flag(&stage, 1);
    wait_for_flag(&stage, 2);
    OK(pthread_mutex_unlock(mutex));
    return NULL;
}

START_TEST(destroy_of_a_mutex_held_by_another_thread_gives_EBUSY)
{
    struct thread holder;
    if (is_robust(&mutex_kinds[_i]))
        return;
    make_mutex(&shared, &mutex_kinds[_i]);
    thread_start(&holder, hold_until_told, &shared);
    wait_for_flag(&stage, 1);
    EXPECT(pthread_mutex_destroy(&shared), DESTROY_IN_USE);
    raise_flag(&stage, 2);
    thread_join(&holder);
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static bool go;

static void *wait_for_go(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    while (!go)
        OK(pthread_cond_wait(&condition, mutex));
    OK(pthread_mutex_unlock(mutex));
    return NULL;
}

START_TEST(destroy_of_a_mutex_that_somebody_waits_with_gives_EBUSY)
{
    struct thread waiter;
    if (is_robust(&mutex_kinds[_i]))
        return;
    make_mutex(&shared, &mutex_kinds[_i]);
    thread_start(&waiter, wait_for_go, &shared);
    wait_until_asleep(waiter.tid);
    EXPECT(pthread_mutex_destroy(&shared), DESTROY_IN_USE);
    OK(pthread_mutex_lock(&shared));
    go = true;
    OK(pthread_cond_signal(&condition));
    OK(pthread_mutex_unlock(&shared));
    thread_join(&waiter);
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

#ifdef __GLIBC__ /* musl does not notice it, and POSIX leaves it undefined */
START_TEST(every_use_of_a_destroyed_mutex_gives_EINVAL)
{
    struct timespec past = {1, 0};
    make_mutex(&shared, &mutex_kinds[_i]);
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
    OK(pthread_mutex_destroy(&shared));
    EXPECT(pthread_mutex_lock(&shared), EINVAL);
    EXPECT(pthread_mutex_trylock(&shared), EINVAL);
    EXPECT(pthread_mutex_timedlock(&shared, &past), EINVAL);
    EXPECT(pthread_mutex_clocklock(&shared, CLOCK_MONOTONIC, &past), EINVAL);
    EXPECT(pthread_mutex_unlock(&shared), EINVAL);
    EXPECT(pthread_mutex_consistent(&shared), EINVAL);
}
END_TEST
#endif

START_TEST(consistent_is_refused_unless_an_owner_died)
{
    make_mutex(&shared, &mutex_kinds[_i]);
    EXPECT(pthread_mutex_consistent(&shared), EINVAL);
    OK(pthread_mutex_lock(&shared));
    EXPECT(pthread_mutex_consistent(&shared), EINVAL);
    OK(pthread_mutex_unlock(&shared));
    in_thread(lock_and_unlock, &shared);
}
END_TEST

START_TEST(ceilings_are_refused_without_PRIO_PROTECT)
{
    int ceiling = -77;
    make_mutex(&shared, &mutex_kinds[_i]);
    EXPECT(pthread_mutex_getprioceiling(&shared, &ceiling), EINVAL);
    EXPECT(pthread_mutex_setprioceiling(&shared, 1, &ceiling), EINVAL);
    ck_assert_int_eq(ceiling, -77);
    in_thread(lock_and_unlock, &shared);
}
END_TEST

#ifdef __GLIBC__ /* musl refuses ceilings in the attribute */
START_TEST(a_robust_ceiling_mutex_is_refused_with_ENOTSUP)
{
    pthread_mutexattr_t attr;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_PROTECT));
    OK(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
    EXPECT(pthread_mutex_init(&shared, &attr), ENOTSUP);
    OK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
    OK(pthread_mutex_init(&shared, &attr));
    in_thread(lock_and_unlock, &shared);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("mutex_errors");
    TCase *tcase = conform_case(suite, "errors");
    const int kinds = MUTEX_PP_KINDS_BEGIN;
    tcase_add_loop_test(tcase, unlock_by_a_stranger_gives_EPERM_where_owners_are_checked, 0, kinds);
    tcase_add_loop_test(tcase, unlock_of_a_free_mutex_gives_EPERM_where_owners_are_checked, 0,
                        kinds);
    tcase_add_loop_test(tcase, unlock_by_a_stranger_of_a_normal_mutex_works, 0, kinds);
    tcase_add_loop_test(tcase, relock_of_an_errorcheck_mutex_gives_EDEADLK, 0, kinds);
    tcase_add_loop_test(tcase, relock_of_a_normal_mutex_sleeps_until_a_stranger_unlocks, 0, kinds);
    tcase_add_loop_test(tcase, destroy_of_a_locked_mutex_gives_EBUSY_and_harms_nothing, 0, kinds);
    tcase_add_loop_test(tcase, destroy_of_a_mutex_held_by_another_thread_gives_EBUSY, 0, kinds);
    tcase_add_loop_test(tcase, destroy_of_a_mutex_that_somebody_waits_with_gives_EBUSY, 0, kinds);
#ifdef __GLIBC__
    tcase_add_loop_test(tcase, every_use_of_a_destroyed_mutex_gives_EINVAL, 0, kinds);
#endif
    tcase_add_loop_test(tcase, consistent_is_refused_unless_an_owner_died, 0, kinds);
    tcase_add_loop_test(tcase, ceilings_are_refused_without_PRIO_PROTECT, 0, kinds);
#ifdef __GLIBC__
    tcase_add_test(tcase, a_robust_ceiling_mutex_is_refused_with_ENOTSUP);
#endif
    return conform_run(suite);
}
