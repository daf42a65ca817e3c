/* SPDX-License-Identifier: MIT */
/*
 * Robust mutexes whose owner dies: who learns of it, by which call, and what becomes of the mutex
 * with and without pthread_mutex_consistent. All robust kinds, private and shared, priority
 * inheriting or not. Sleepers are in mutex_heirs.c, owners in other programs in mutex_mixed.c.
 */
#include "conform.h"

#include "robust_kinds.h"
#ifdef __GLIBC__
#include "symbols_generated.h"
#endif

#include <dlfcn.h>

static void *die_by_pthread_exit(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    pthread_exit(NULL);
}

static void *die_by_cancellation(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    pthread_cancel(pthread_self());
    pthread_testcancel();
    return NULL;
}

static int child_dies_by_exit(void *mutex)
{
    die_holding(mutex);
    return 0;
}

static int child_dies_in_a_thread(void *mutex)
{
    in_thread(die_holding, mutex);
    return 0;
}

static int child_dies_by_SIGKILL(void *mutex)
{
    die_holding(mutex);
    raise(SIGKILL);
    return 1;
}

static int child_dies_by_exec(void *mutex)
{
    die_holding(mutex);
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

static void *trylock_is_busy(void *unused)
{
    EXPECT(pthread_mutex_trylock(shared), EBUSY);
    return unused;
}

/* The caller has just been given EOWNERDEAD: it holds the mutex once, however deep the dead was. */
static void repair(void)
{
    in_thread(trylock_is_busy, NULL);
    OK(pthread_mutex_consistent(shared));
    EXPECT(pthread_mutex_consistent(shared), EINVAL);
    if (is_recursive()) {
        OK(pthread_mutex_lock(shared));
        OK(pthread_mutex_unlock(shared));
    } else if (kind->type == PTHREAD_MUTEX_ERRORCHECK) {
        EXPECT(pthread_mutex_lock(shared), EDEADLK);
    }
    in_thread(trylock_is_busy, NULL);
    OK(pthread_mutex_unlock(shared));
    EXPECT(pthread_mutex_unlock(shared), EPERM);
    in_thread(lock_and_unlock, NULL);
    lock_and_unlock(NULL);
}

START_TEST(every_lock_call_after_a_thread_died_gives_EOWNERDEAD_once)
{
    static void *(*const deaths[])(void *) = {die_holding, die_by_pthread_exit,
                                              die_by_cancellation};
    choose(_i);
    for (size_t death = 0; death < COUNT_OF(deaths); death++) {
        for (size_t i = 0; i < COUNT_OF(takes); i++) {
            in_thread(deaths[death], shared);
            EXPECT(takes[i](), EOWNERDEAD);
            repair();
        }
    }
    OK(pthread_mutex_destroy(shared));
}
END_TEST

START_TEST(every_lock_call_after_a_process_died_gives_EOWNERDEAD_once)
{
    static int (*const deaths[])(void *) = {child_dies_by_exit, child_dies_in_a_thread,
                                            child_dies_by_SIGKILL, child_dies_by_exec};
    choose(_i);
    if (kind->pshared != PTHREAD_PROCESS_SHARED)
        return;
    for (size_t death = 0; death < COUNT_OF(deaths); death++) {
        for (size_t i = 0; i < COUNT_OF(takes); i++) {
            child_wait(child_start(deaths[death], shared));
            EXPECT(takes[i](), EOWNERDEAD);
            repair();
        }
    }
}
END_TEST

START_TEST(unlock_without_consistent_makes_it_unrecoverable_until_it_is_made_anew)
{
    choose(_i);
    for (size_t i = 0; i < COUNT_OF(takes); i++) {
        in_thread(die_holding, shared);
        EXPECT(takes[i](), EOWNERDEAD);
        OK(pthread_mutex_unlock(shared));
        is_unrecoverable();
        OK(pthread_mutex_destroy(shared));
#ifdef __GLIBC__ /* musl does not notice the use of a destroyed one */
        EXPECT(pthread_mutex_lock(shared), EINVAL);
#endif
        make_mutex(shared, kind);
        in_thread(lock_and_unlock, NULL);
    }
}
END_TEST

#ifdef __GLIBC__ /* musl does not have it */
typedef int consistent_call(pthread_mutex_t *);

START_TEST(the_old_name_consistent_np_is_the_same_call)
{
    union {
        void *object;
        consistent_call *call;
    } old = {.object = dlvsym(RTLD_DEFAULT, "pthread_mutex_consistent_np",
                              FS_OLDEST_pthread_mutex_consistent_np)};
    ck_assert_ptr_nonnull(old.object);
    choose(_i);
    EXPECT(old.call(shared), EINVAL);
    in_thread(die_holding, shared);
    EXPECT(pthread_mutex_lock(shared), EOWNERDEAD);
    OK(old.call(shared));
    EXPECT(pthread_mutex_consistent(shared), EINVAL);
    OK(pthread_mutex_unlock(shared));
    in_thread(lock_and_unlock, NULL);
}
END_TEST
#endif

static void *inherit_and_die(void *repair_first)
{
    EXPECT(pthread_mutex_lock(shared), EOWNERDEAD);
    if (repair_first)
        OK(pthread_mutex_consistent(shared));
    return NULL;
}

START_TEST(an_heir_that_dies_leaves_it_to_the_next)
{
    choose(_i);
    in_thread(die_holding, shared);
    in_thread(inherit_and_die, NULL);
    in_thread(inherit_and_die, shared);
    in_thread(inherit_and_die, NULL);
    EXPECT(pthread_mutex_lock(shared), EOWNERDEAD);
    repair();
}
END_TEST

static void *unlock_and_die(void *unused)
{
    for (int i = 0; i < 10; i++)
        lock_and_unlock(NULL);
    return unused;
}

START_TEST(an_owner_that_unlocked_before_it_died_is_not_mourned)
{
    choose(_i);
    in_thread(unlock_and_die, NULL);
    OK(pthread_mutex_lock(shared));
    EXPECT(pthread_mutex_consistent(shared), EINVAL);
    OK(pthread_mutex_unlock(shared));
}
END_TEST

enum { MANY = 60 };
static pthread_mutex_t many[MANY];

/* Holds all, releases every third in an order that cuts the list at head, middle and tail. */
static void *die_holding_two_thirds(void *unused)
{
    for (int i = 0; i < MANY; i++)
        OK(pthread_mutex_lock(&many[i]));
    for (int i = 0; i < MANY; i += 6)
        OK(pthread_mutex_unlock(&many[i]));
    for (int i = MANY - 3; i > 0; i -= 6)
        OK(pthread_mutex_unlock(&many[i]));
    return unused;
}

START_TEST(all_that_a_dying_thread_holds_are_inherited_and_no_others)
{
    for (int i = 0; i < MANY; i++) {
        const struct mutex_kind *k = &mutex_kinds[8 + i % 8 + (i % 2 ? 16 : 0)];
        make_mutex(&many[i], k);
    }
    in_thread(die_holding_two_thirds, NULL);
    for (int i = 0; i < MANY; i++) {
        EXPECT(pthread_mutex_lock(&many[i]), i % 3 == 0 ? 0 : EOWNERDEAD);
        if (i % 3 != 0)
            OK(pthread_mutex_consistent(&many[i]));
    }
    for (int i = 0; i < MANY; i++)
        OK(pthread_mutex_unlock(&many[i]));
    for (int i = 0; i < MANY; i++)
        OK(pthread_mutex_destroy(&many[i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_robust");
    TCase *tcase = conform_case(suite, "robust");
    ADD_FOR_ROBUST_KINDS(tcase, every_lock_call_after_a_thread_died_gives_EOWNERDEAD_once);
    ADD_FOR_ROBUST_KINDS(tcase, every_lock_call_after_a_process_died_gives_EOWNERDEAD_once);
    ADD_FOR_ROBUST_KINDS(tcase,
                         unlock_without_consistent_makes_it_unrecoverable_until_it_is_made_anew);
#ifdef __GLIBC__
    ADD_FOR_ROBUST_KINDS(tcase, the_old_name_consistent_np_is_the_same_call);
#endif
    ADD_FOR_ROBUST_KINDS(tcase, an_heir_that_dies_leaves_it_to_the_next);
    ADD_FOR_ROBUST_KINDS(tcase, an_owner_that_unlocked_before_it_died_is_not_mourned);
    tcase_add_test(tcase, all_that_a_dying_thread_holds_are_inherited_and_no_others);
    return conform_run(suite);
}
