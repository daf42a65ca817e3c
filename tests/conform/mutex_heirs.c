/* SPDX-License-Identifier: MIT */
/*
 * Threads that already sleep for a robust mutex when its owner dies: exactly one inherits, and the
 * others find the mutex as the heir left it. Who comes later is tested in mutex_robust.c.
 */
#include "conform.h"

#include "robust_kinds.h"

#include <stdint.h>

enum { WAITERS = 4 };
static bool repairs;
static int deaths_seen, quiet, unrecoverable;

static void *sleep_for_it(void *take)
{
    int error = (*(take_call *const *)take)();
    if (error == EOWNERDEAD) {
        __atomic_add_fetch(&deaths_seen, 1, __ATOMIC_RELAXED);
        if (repairs)
            OK(pthread_mutex_consistent(shared));
    } else if (error == ENOTRECOVERABLE) {
        __atomic_add_fetch(&unrecoverable, 1, __ATOMIC_RELAXED);
    } else {
        REQUIRE(error == 0, "%s: a sleeper gets %d", kind->name, error);
        __atomic_add_fetch(&quiet, 1, __ATOMIC_RELAXED);
    }
    if (error != ENOTRECOVERABLE)
        OK(pthread_mutex_unlock(shared));
    return NULL;
}

static int told;

static void *hold_until_told_and_die(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    raise_flag(&told, 1);
    wait_for_flag(&told, 2);
    return NULL;
}

static void owner_dies_before_sleepers(int count)
{
    static take_call *const sleepers[WAITERS] = {by_lock, by_timedlock, by_clocklock, by_lock};
    struct thread owner, waiters[WAITERS];
    thread_start(&owner, hold_until_told_and_die, shared);
    wait_for_flag(&told, 1);
    for (int i = 0; i < count; i++)
        thread_start(&waiters[i], sleep_for_it, (void *)(uintptr_t)&sleepers[i]);
    for (int i = 0; i < count; i++)
        wait_until_asleep(waiters[i].tid);
    raise_flag(&told, 2);
    thread_join(&owner);
    for (int i = 0; i < count; i++)
        thread_join(&waiters[i]);
}

START_TEST(of_several_sleepers_one_inherits_and_the_others_find_it_repaired)
{
    choose(_i);
    repairs = true;
    owner_dies_before_sleepers(WAITERS);
    ck_assert_int_eq(deaths_seen, 1);
    ck_assert_int_eq(quiet, WAITERS - 1);
    lock_and_unlock(NULL);
}
END_TEST

static bool libc_is_replaced(void)
{
#ifndef __GLIBC__
    return false;
#endif
    const char *preload = getenv("LD_PRELOAD"), *off = getenv("FASTSYNC");
    return preload && strstr(preload, "libfastsync") && !(off && strcmp(off, "0") == 0);
}

/* glibc 2.36 leaves all but two sleepers asleep for ever: it wakes them one by one and takes the
 * waiters' bit of the word for a minus sign. So with libc only two are
 * asked; with musl too, which does the same and keeps robust mutexes to itself. */
START_TEST(of_several_sleepers_one_inherits_and_the_others_find_it_unrecoverable)
{
    choose(_i);
    repairs = false;
    int count = libc_is_replaced() ? WAITERS : 2;
    owner_dies_before_sleepers(count);
    ck_assert_int_eq(deaths_seen, 1);
    ck_assert_int_eq(unrecoverable, count - 1);
    is_unrecoverable();
}
END_TEST

START_TEST(a_sleeper_inherits_from_a_killed_process)
{
    static take_call *const take[] = {by_lock, by_timedlock, by_clocklock};
    choose(_i);
    if (kind->pshared != PTHREAD_PROCESS_SHARED)
        return;
    repairs = true;
    for (size_t i = 0; i < COUNT_OF(take); i++) {
        int *ready = shared_memory(sizeof *ready);
        struct thread waiter;
        pid_t owner = fork();
        if (owner == 0) {
            OK(pthread_mutex_lock(shared));
            raise_flag(ready, 1);
            for (;;)
                pause();
        }
        wait_for_flag(ready, 1);
        thread_start(&waiter, sleep_for_it, (void *)(uintptr_t)&take[i]);
        wait_until_asleep(waiter.tid);
        kill(owner, SIGKILL);
        child_wait(owner);
        thread_join(&waiter);
        ck_assert_int_eq(deaths_seen, (int)i + 1);
    }
    lock_and_unlock(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_heirs");
    TCase *tcase = conform_case(suite, "heirs");
    ADD_FOR_ROBUST_KINDS(tcase, of_several_sleepers_one_inherits_and_the_others_find_it_repaired);
    ADD_FOR_ROBUST_KINDS(tcase,
                         of_several_sleepers_one_inherits_and_the_others_find_it_unrecoverable);
    ADD_FOR_ROBUST_KINDS(tcase, a_sleeper_inherits_from_a_killed_process);
    return conform_run(suite);
}
