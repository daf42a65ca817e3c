/* SPDX-License-Identifier: MIT */
/*
 * Every preference and scope that a reader-writer lock attribute can ask for, as a table for loop
 * tests. What the kinds differ in is decided by each program. Include conform.h first.
 */
#ifndef TESTS_SUPPORT_RWLOCK_KINDS_H
#define TESTS_SUPPORT_RWLOCK_KINDS_H

#include <pthread.h>

static const struct rwlock_kind {
    const char *name;
    int preference;
    int pshared;
} rwlock_kinds[] = {
    {"readers", PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_PROCESS_PRIVATE},
    {"writers", PTHREAD_RWLOCK_PREFER_WRITER_NP, PTHREAD_PROCESS_PRIVATE},
    {"nonrecursive", PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, PTHREAD_PROCESS_PRIVATE},
    {"readers pshared", PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_PROCESS_SHARED},
    {"writers pshared", PTHREAD_RWLOCK_PREFER_WRITER_NP, PTHREAD_PROCESS_SHARED},
    {"nonrecursive pshared", PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, PTHREAD_PROCESS_SHARED},
};

enum {
    RWLOCK_KINDS = sizeof rwlock_kinds / sizeof rwlock_kinds[0],
    RWLOCK_SHARED_KINDS_BEGIN = RWLOCK_KINDS / 2, /* those are libc's in any case */
};

__attribute__((unused)) static void make_rwlock(pthread_rwlock_t *l, int i)
{
    pthread_rwlockattr_t attr;
    conform_context = rwlock_kinds[i].name;
    OK(pthread_rwlockattr_init(&attr));
    OK(pthread_rwlockattr_setkind_np(&attr, rwlock_kinds[i].preference));
    OK(pthread_rwlockattr_setpshared(&attr, rwlock_kinds[i].pshared));
    OK(pthread_rwlock_init(l, &attr));
    OK(pthread_rwlockattr_destroy(&attr));
}

#endif
