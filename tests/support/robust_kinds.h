/* SPDX-License-Identifier: MIT */
/*
 * What the programs about robust mutexes share: the mutex under test, an owner that dies, every
 * call that can inherit, and how an unrecoverable mutex shows. Include conform.h first.
 */
#ifndef TESTS_SUPPORT_ROBUST_KINDS_H
#define TESTS_SUPPORT_ROBUST_KINDS_H

#include "mutex_kinds.h"

/* Adds a loop test for every robust kind. */
#define ADD_FOR_ROBUST_KINDS(tcase, test)                                                          \
    do {                                                                                           \
        tcase_add_loop_test(tcase, test, 8, 16);                                                   \
        tcase_add_loop_test(tcase, test, 24, 32);                                                  \
    } while (0)

static const struct mutex_kind *kind;
static pthread_mutex_t *shared; /* in memory that children share */

__attribute__((unused)) static void choose(int loop)
{
    kind = &mutex_kinds[loop];
    if (!shared)
        shared = shared_memory(sizeof *shared);
    make_mutex(shared, kind);
}

__attribute__((unused)) static bool is_recursive(void)
{
    return kind->type == PTHREAD_MUTEX_RECURSIVE;
}

__attribute__((unused)) static void *die_holding(void *mutex)
{
    OK(pthread_mutex_lock(mutex));
    if (is_recursive())
        OK(pthread_mutex_lock(mutex));
    return NULL;
}

/* ---- ways to inherit ---- */

__attribute__((unused)) static int by_lock(void)
{
    return pthread_mutex_lock(shared);
}

__attribute__((unused)) static int by_trylock(void)
{
    return pthread_mutex_trylock(shared);
}

__attribute__((unused)) static int by_timedlock(void)
{
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 50000);
    return pthread_mutex_timedlock(shared, &deadline);
}

__attribute__((unused)) static int by_clocklock(void)
{
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 50000);
    return pthread_mutex_clocklock(shared, CLOCK_MONOTONIC, &deadline);
}

__attribute__((unused)) static int by_past_deadline(void)
{
    return pthread_mutex_timedlock(shared, &(struct timespec){1, 0});
}

typedef int take_call(void);
__attribute__((unused)) static take_call *const takes[] = {by_lock, by_trylock, by_timedlock,
                                                           by_clocklock, by_past_deadline};

__attribute__((unused)) static void *lock_and_unlock(void *unused)
{
    OK(pthread_mutex_lock(shared));
    OK(pthread_mutex_unlock(shared));
    return unused;
}

/* trylock comes last, since glibc 2.36 leaves the mutex taken when that gives ENOTRECOVERABLE. */
__attribute__((unused)) static void is_unrecoverable(void)
{
    for (size_t i = 0; i < COUNT_OF(takes); i++) {
        if (takes[i] != by_trylock)
            EXPECT(takes[i](), ENOTRECOVERABLE);
    }
#ifdef __GLIBC__
    EXPECT(pthread_mutex_consistent(shared), EINVAL);
#else /* nobody owns it; a PI one that had sleepers has lost the mark */
    int error = pthread_mutex_consistent(shared);
    REQUIRE(error == EPERM || (is_pi(kind) && error == EINVAL), "%s: consistent gives %s",
            conform_context, strerrorname(error));
#endif
    EXPECT(pthread_mutex_unlock(shared), EPERM);
    EXPECT(pthread_mutex_trylock(shared), ENOTRECOVERABLE);
}

#endif
