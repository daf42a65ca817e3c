/* SPDX-License-Identifier: MIT */
/*
 * Mutexes across fork: what a child inherits free, what its parent held, the usual protection by
 * pthread_atfork handlers for each kind, and children that use threads themselves. Children are
 * made by fork, by _Fork, and by vfork for a program.
 */
#include "conform.h"

#include "mutex_kinds.h"

enum { KINDS = MUTEX_PP_KINDS_BEGIN, FORKS = 40 };

static pthread_mutex_t shared;
static const struct mutex_kind *kind;
static volatile long counter;
static int stop;

static void choose(int loop)
{
    kind = &mutex_kinds[loop];
    make_mutex(&shared, kind);
}

static void *count(void *unused)
{
    for (int i = 0; i < 500; i++) {
        OK(pthread_mutex_lock(&shared));
        long seen = counter;
        counter = seen + 1;
        OK(pthread_mutex_unlock(&shared));
    }
    return unused;
}

static int use_it(void *unused)
{
    struct thread threads[2];
    long before = counter;
    (void)unused;
    OK(pthread_mutex_trylock(&shared));
    OK(pthread_mutex_unlock(&shared));
    count(NULL);
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], count, NULL);
    for (int i = 0; i < 2; i++)
        thread_join(&threads[i]);
    REQUIRE(counter == before + 1500, "counter %ld", counter - before);
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
    OK(pthread_mutex_destroy(&shared));
    return 0;
}

START_TEST(a_child_uses_what_was_free_at_the_fork)
{
    choose(_i);
    child_join(child_start(use_it, NULL));
    in_thread(count, NULL);
    count(NULL);
    child_join(child_start(use_it, NULL));
}
END_TEST

START_TEST(a_child_of__Fork_uses_what_was_free)
{
    choose(_i);
    in_thread(count, NULL);
    count(NULL);
    pid_t pid = _Fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(use_it(NULL));
    child_join(pid);
}
END_TEST

static void *fork_from_here(void *unused)
{
    child_join(child_start(use_it, NULL));
    count(NULL);
    return unused;
}

START_TEST(a_child_of_a_thread_uses_what_was_free)
{
    choose(_i);
    in_thread(fork_from_here, NULL);
    count(NULL);
}
END_TEST

/* The child's only thread is another one than the holder, for all that asks who the owner is. */
static int inherit_locked(void *unused)
{
    (void)unused;
    if (checks_owner(kind)) {
        EXPECT(pthread_mutex_trylock(&shared), EBUSY);
        EXPECT(pthread_mutex_unlock(&shared), EPERM);
        struct timespec soon = deadline_in_ms(CLOCK_MONOTONIC, 5);
        if (!is_pi(kind))
            EXPECT(pthread_mutex_clocklock(&shared, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
        make_mutex(&shared, kind);
        return use_it(NULL);
    }
    EXPECT(pthread_mutex_trylock(&shared), EBUSY);
    OK(pthread_mutex_unlock(&shared));
    return use_it(NULL);
}

START_TEST(a_child_does_not_own_what_its_parent_held)
{
    choose(_i);
    if (kind->pshared == PTHREAD_PROCESS_SHARED)
        return;
    OK(pthread_mutex_lock(&shared));
    child_join(child_start(inherit_locked, NULL));
    EXPECT(pthread_mutex_trylock(&shared), kind->type == PTHREAD_MUTEX_RECURSIVE ? 0
                                           : kind->type == PTHREAD_MUTEX_ERRORCHECK
                                               ? own_trylock_error(kind)
                                               : EBUSY);
    if (kind->type == PTHREAD_MUTEX_RECURSIVE)
        OK(pthread_mutex_unlock(&shared));
    OK(pthread_mutex_unlock(&shared));
    in_thread(count, NULL);
}
END_TEST

/* ---- protection by handlers ---- */

static int unlock_in_child;

static void before_fork(void)
{
    OK(pthread_mutex_lock(&shared));
}

static void after_in_parent(void)
{
    OK(pthread_mutex_unlock(&shared));
}

static void after_in_child(void)
{
    EXPECT(pthread_mutex_unlock(&shared), unlock_in_child);
    if (unlock_in_child != 0)
        make_mutex(&shared, kind);
}

static void *count_until_stopped(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        OK(pthread_mutex_lock(&shared));
        long seen = counter;
        counter = seen + 1;
        OK(pthread_mutex_unlock(&shared));
    }
    return unused;
}

START_TEST(fork_handlers_keep_a_mutex_usable_under_contention)
{
    struct thread threads[3];
    choose(_i);
    unlock_in_child = checks_owner(kind) ? EPERM : 0;
    ck_assert_int_eq(pthread_atfork(before_fork, after_in_parent, after_in_child), 0);
    for (int i = 0; i < 3; i++)
        thread_start(&threads[i], count_until_stopped, NULL);
    for (int i = 0; i < repeats(FORKS); i++)
        child_join(child_start(use_it, NULL));
    raise_flag(&stop, 1);
    for (int i = 0; i < 3; i++)
        thread_join(&threads[i]);
    OK(pthread_mutex_lock(&shared));
    OK(pthread_mutex_unlock(&shared));
    OK(pthread_mutex_destroy(&shared));
}
END_TEST

START_TEST(a_fork_during_contention_leaves_other_mutexes_usable)
{
    static pthread_mutex_t busy;
    struct thread threads[3];
    choose(_i);
    memcpy(&busy, &shared, sizeof busy);
    for (int i = 0; i < 3; i++)
        thread_start(&threads[i], count_until_stopped, NULL);
    for (int i = 0; i < repeats(FORKS); i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            memcpy(&shared, &busy, sizeof shared);
            _exit(use_it(NULL));
        }
        child_join(pid);
    }
    raise_flag(&stop, 1);
    for (int i = 0; i < 3; i++)
        thread_join(&threads[i]);
}
END_TEST

START_TEST(a_vfork_for_a_program_changes_nothing_here)
{
    choose(_i);
    OK(pthread_mutex_lock(&shared));
    for (int i = 0; i < 5; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        child_join(pid);
    }
    if (kind->type == PTHREAD_MUTEX_ERRORCHECK)
        EXPECT(pthread_mutex_lock(&shared), EDEADLK);
    OK(pthread_mutex_unlock(&shared));
    in_thread(count, NULL);
    count(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_fork");
    TCase *tcase = conform_case(suite, "fork");
    static const TTest *const *const all[] = {
        &a_child_uses_what_was_free_at_the_fork,
        &a_child_of__Fork_uses_what_was_free,
        &a_child_of_a_thread_uses_what_was_free,
        &a_child_does_not_own_what_its_parent_held,
        &fork_handlers_keep_a_mutex_usable_under_contention,
        &a_fork_during_contention_leaves_other_mutexes_usable,
        &a_vfork_for_a_program_changes_nothing_here,
    };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        tcase_add_loop_test(tcase, *all[i], 0, KINDS);
    return conform_run(suite);
}
