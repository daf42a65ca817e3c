/* SPDX-License-Identifier: MIT */
/*
 * Every combination of type, protocol, robustness and sharing that a mutex attribute can ask for,
 * as a table for loop tests, and what glibc does with each where kinds differ. Include conform.h
 * first. Robust priority ceilings are left out: no libc has them.
 */
#ifndef TESTS_SUPPORT_MUTEX_KINDS_H
#define TESTS_SUPPORT_MUTEX_KINDS_H

#include <pthread.h>
#include <stdbool.h>

struct mutex_kind {
    const char *name;
    int type;
    int protocol;
    int robust;
    int pshared;
};

#define MUTEX_FOUR_TYPES(text, protocol, robust, pshared)                                          \
    {"normal" text, PTHREAD_MUTEX_NORMAL, protocol, robust, pshared},                              \
        {"recursive" text, PTHREAD_MUTEX_RECURSIVE, protocol, robust, pshared},                    \
        {"errorcheck" text, PTHREAD_MUTEX_ERRORCHECK, protocol, robust, pshared},                  \
    {                                                                                              \
        "adaptive" text, PTHREAD_MUTEX_ADAPTIVE_NP, protocol, robust, pshared                      \
    }

#define MUTEX_BOTH_SCOPES(text, protocol, robust)                                                  \
    MUTEX_FOUR_TYPES(text, protocol, robust, PTHREAD_PROCESS_PRIVATE),                             \
        MUTEX_FOUR_TYPES(text " pshared", protocol, robust, PTHREAD_PROCESS_SHARED)

/* Plain, robust, PI, robust PI and PP, eight each; the index of a kind is its loop number. */
static const struct mutex_kind mutex_kinds[] = {
    MUTEX_BOTH_SCOPES("", PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED),
    MUTEX_BOTH_SCOPES(" robust", PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST),
    MUTEX_BOTH_SCOPES(" PI", PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED),
    MUTEX_BOTH_SCOPES(" PI robust", PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST),
#ifdef __GLIBC__ /* musl has no priority ceilings */
    MUTEX_BOTH_SCOPES(" PP", PTHREAD_PRIO_PROTECT, PTHREAD_MUTEX_STALLED),
#endif
};

enum {
    MUTEX_KINDS = sizeof mutex_kinds / sizeof mutex_kinds[0],
    MUTEX_PP_KINDS_BEGIN = 32, /* the kinds before it need no priority */
};

__attribute__((unused)) static void make_mutex(pthread_mutex_t *m, const struct mutex_kind *kind)
{
    pthread_mutexattr_t attr;
    conform_context = kind->name;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_settype(&attr, kind->type));
    OK(pthread_mutexattr_setprotocol(&attr, kind->protocol));
    OK(pthread_mutexattr_setrobust(&attr, kind->robust));
    OK(pthread_mutexattr_setpshared(&attr, kind->pshared));
    OK(pthread_mutex_init(m, &attr));
    OK(pthread_mutexattr_destroy(&attr));
}

/* An unlock by a thread that does not hold it is refused with EPERM. */
__attribute__((unused)) static bool checks_owner(const struct mutex_kind *kind)
{
    return kind->type == PTHREAD_MUTEX_RECURSIVE || kind->type == PTHREAD_MUTEX_ERRORCHECK ||
           kind->robust == PTHREAD_MUTEX_ROBUST || kind->protocol == PTHREAD_PRIO_INHERIT;
}

__attribute__((unused)) static bool is_pi(const struct mutex_kind *kind)
{
    return kind->protocol == PTHREAD_PRIO_INHERIT;
}

__attribute__((unused)) static bool is_robust(const struct mutex_kind *kind)
{
    return kind->robust == PTHREAD_MUTEX_ROBUST;
}

/* What a trylock of one's own errorcheck mutex gives. */
__attribute__((unused)) static int own_trylock_error(const struct mutex_kind *kind)
{
#ifdef __GLIBC__
    return is_pi(kind) || is_robust(kind) ? EDEADLK : EBUSY;
#else
    (void)kind;
    return EBUSY;
#endif
}

#endif
