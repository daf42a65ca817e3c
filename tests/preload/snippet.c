/* SPDX-License-Identifier: MIT */
/* The snippet of snippet.h. Nothing here allocates or prints: it has to run in
   constructors, in destructors and in children of vfork. */
#include "snippet.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <time.h>

static char failure[256];

#define EXPECT(call, want)                                                                         \
    do {                                                                                           \
        int got_ = (call);                                                                         \
        if (got_ != (want)) {                                                                      \
            snprintf(failure, sizeof failure, "%s:%d: %s is %d, not %d", __FILE__, __LINE__,       \
                     #call, got_, (int)(want));                                                    \
            return failure;                                                                        \
        }                                                                                          \
    } while (0)

#define STEP(call)                                                                                 \
    do {                                                                                           \
        const char *failed_ = (call);                                                              \
        if (failed_)                                                                               \
            return failed_;                                                                        \
    } while (0)

static struct timespec from_now(clockid_t clock, long ms)
{
    struct timespec t;

    clock_gettime(clock, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static bool is_past(clockid_t clock, const struct timespec *t)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

static const char *try_only(void)
{
    static const pthread_mutex_t initial[] = {
        PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
        PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP,
        PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP,
    };

    for (size_t i = 0; i < 4; i++) {
        pthread_mutex_t m = initial[i];
        bool recursive = i == 1;
        EXPECT(pthread_mutex_trylock(&m), 0);
        EXPECT(pthread_mutex_trylock(&m), recursive ? 0 : EBUSY);
        EXPECT(pthread_mutex_unlock(&m), 0);
        if (recursive)
            EXPECT(pthread_mutex_unlock(&m), 0);
        EXPECT(pthread_mutex_trylock(&m), 0);
        EXPECT(pthread_mutex_unlock(&m), 0);
    }
    return NULL;
}

static const char *relock(pthread_mutex_t *m, int type)
{
    struct timespec wall = from_now(CLOCK_REALTIME, 2);
    struct timespec steady = from_now(CLOCK_MONOTONIC, 2);

    switch (type) {
    case PTHREAD_MUTEX_RECURSIVE:
        EXPECT(pthread_mutex_lock(m), 0);
        EXPECT(pthread_mutex_timedlock(m, &wall), 0);
        EXPECT(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &steady), 0);
        EXPECT(pthread_mutex_trylock(m), 0);
        for (int i = 0; i < 4; i++)
            EXPECT(pthread_mutex_unlock(m), 0);
        return NULL;
    case PTHREAD_MUTEX_ERRORCHECK:
        EXPECT(pthread_mutex_lock(m), EDEADLK);
        EXPECT(pthread_mutex_timedlock(m, &wall), EDEADLK);
        EXPECT(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &steady), EDEADLK);
        EXPECT(pthread_mutex_trylock(m), EBUSY);
        return NULL;
    default:
        EXPECT(pthread_mutex_trylock(m), EBUSY);
        EXPECT(pthread_mutex_timedlock(m, &wall), ETIMEDOUT);
        EXPECT(is_past(CLOCK_REALTIME, &wall), true);
        EXPECT(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &steady), ETIMEDOUT);
        EXPECT(is_past(CLOCK_MONOTONIC, &steady), true);
        return NULL;
    }
}

static const char *mutex_of_type(int type)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t m;

    EXPECT(pthread_mutexattr_init(&attr), 0);
    EXPECT(pthread_mutexattr_settype(&attr, type), 0);
    EXPECT(pthread_mutex_init(&m, &attr), 0);
    EXPECT(pthread_mutexattr_destroy(&attr), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT(pthread_mutex_lock(&m), 0);
        STEP(relock(&m, type));
        EXPECT(pthread_mutex_destroy(&m), DESTROY_IN_USE);
        EXPECT(pthread_mutex_unlock(&m), 0);
    }
    if (type == PTHREAD_MUTEX_ERRORCHECK || type == PTHREAD_MUTEX_RECURSIVE)
        EXPECT(pthread_mutex_unlock(&m), EPERM);
    EXPECT(pthread_mutex_destroy(&m), 0);
    return NULL;
}

static const char *mutex_with(int robust, int protocol, int shared)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t m;

    EXPECT(pthread_mutexattr_init(&attr), 0);
    EXPECT(pthread_mutexattr_setrobust(&attr, robust), 0);
    EXPECT(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    EXPECT(pthread_mutexattr_setpshared(&attr, shared), 0);
    EXPECT(pthread_mutex_init(&m, &attr), 0);
    EXPECT(pthread_mutexattr_destroy(&attr), 0);
    EXPECT(pthread_mutex_lock(&m), 0);
    EXPECT(pthread_mutex_trylock(&m), EBUSY);
    EXPECT(pthread_mutex_unlock(&m), 0);
    EXPECT(pthread_mutex_trylock(&m), 0);
    EXPECT(pthread_mutex_unlock(&m), 0);
    EXPECT(pthread_mutex_destroy(&m), 0);
    return NULL;
}

static const char *condition_alone(void)
{
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t c = PTHREAD_COND_INITIALIZER;
    struct timespec wall = from_now(CLOCK_REALTIME, 3);
    struct timespec steady = from_now(CLOCK_MONOTONIC, 3);
    int err;

    EXPECT(pthread_cond_signal(&c), 0);
    EXPECT(pthread_cond_broadcast(&c), 0);
    EXPECT(pthread_mutex_lock(&m), 0);
    while ((err = pthread_cond_timedwait(&c, &m, &wall)) == 0)
        continue;
    EXPECT(err, ETIMEDOUT);
    EXPECT(is_past(CLOCK_REALTIME, &wall), true);
    EXPECT(pthread_mutex_trylock(&m), EBUSY);
    while ((err = pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &steady)) == 0)
        continue;
    EXPECT(err, ETIMEDOUT);
    EXPECT(is_past(CLOCK_MONOTONIC, &steady), true);
    EXPECT(pthread_mutex_unlock(&m), 0);
    EXPECT(pthread_cond_destroy(&c), 0);
    EXPECT(pthread_mutex_destroy(&m), 0);
    return NULL;
}

static const char *rwlock_alone(void)
{
    pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
    struct timespec wall = from_now(CLOCK_REALTIME, 2);
    struct timespec steady = from_now(CLOCK_MONOTONIC, 2);

    EXPECT(pthread_rwlock_rdlock(&l), 0);
    EXPECT(pthread_rwlock_tryrdlock(&l), 0);
    EXPECT(pthread_rwlock_timedrdlock(&l, &wall), 0);
    EXPECT(pthread_rwlock_clockrdlock(&l, CLOCK_MONOTONIC, &steady), 0);
    EXPECT(pthread_rwlock_trywrlock(&l), EBUSY);
    EXPECT(pthread_rwlock_timedwrlock(&l, &wall), ETIMEDOUT);
    EXPECT(pthread_rwlock_clockwrlock(&l, CLOCK_MONOTONIC, &steady), ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        EXPECT(pthread_rwlock_unlock(&l), 0);
    EXPECT(pthread_rwlock_wrlock(&l), 0);
#ifdef __GLIBC__ /* musl's writer waits for itself */
    EXPECT(pthread_rwlock_rdlock(&l), EDEADLK);
    EXPECT(pthread_rwlock_wrlock(&l), EDEADLK);
#endif
    EXPECT(pthread_rwlock_tryrdlock(&l), EBUSY);
    EXPECT(pthread_rwlock_trywrlock(&l), EBUSY);
    EXPECT(pthread_rwlock_unlock(&l), 0);
    EXPECT(pthread_rwlock_destroy(&l), 0);
    EXPECT(pthread_rwlock_init(&l, NULL), 0);
    EXPECT(pthread_rwlock_trywrlock(&l), 0);
    EXPECT(pthread_rwlock_unlock(&l), 0);
    EXPECT(pthread_rwlock_destroy(&l), 0);
    return NULL;
}

static const char *c11_alone(void)
{
    mtx_t m;
    cnd_t c;
    struct timespec wall = from_now(CLOCK_REALTIME, 3);
    int err;

    EXPECT(mtx_init(&m, mtx_timed | mtx_recursive), thrd_success);
    EXPECT(mtx_lock(&m), thrd_success);
    EXPECT(mtx_trylock(&m), thrd_success);
    EXPECT(mtx_timedlock(&m, &wall), thrd_success);
    for (int i = 0; i < 3; i++)
        EXPECT(mtx_unlock(&m), thrd_success);
    mtx_destroy(&m);

    EXPECT(mtx_init(&m, mtx_plain), thrd_success);
    EXPECT(cnd_init(&c), thrd_success);
    EXPECT(cnd_signal(&c), thrd_success);
    EXPECT(cnd_broadcast(&c), thrd_success);
    EXPECT(mtx_lock(&m), thrd_success);
    EXPECT(mtx_trylock(&m), thrd_busy);
    while ((err = cnd_timedwait(&c, &m, &wall)) == thrd_success)
        continue;
    EXPECT(err, thrd_timedout);
    EXPECT(mtx_unlock(&m), thrd_success);
    cnd_destroy(&c);
    mtx_destroy(&m);
    return NULL;
}

static const char *one_thread(void)
{
    STEP(mutex_of_type(PTHREAD_MUTEX_NORMAL));
    STEP(mutex_of_type(PTHREAD_MUTEX_RECURSIVE));
    STEP(mutex_of_type(PTHREAD_MUTEX_ERRORCHECK));
    STEP(mutex_of_type(PTHREAD_MUTEX_ADAPTIVE_NP));
    for (int i = 0; i < 8; i++)
        STEP(mutex_with(i & 1 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED,
                        i & 2 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE,
                        i & 4 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE));
    STEP(condition_alone());
    STEP(rwlock_alone());
    STEP(c11_alone());
    return NULL;
}

struct pair {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_rwlock_t rwlock;
    mtx_t c11_mutex;
    cnd_t c11_condition;
    int stage;
};

static const char *answer(struct pair *p)
{
    EXPECT(pthread_mutex_lock(&p->mutex), 0);
    while (p->stage != 1)
        EXPECT(pthread_cond_wait(&p->condition, &p->mutex), 0);
    p->stage = 2;
    EXPECT(pthread_cond_broadcast(&p->condition), 0);
    EXPECT(pthread_mutex_unlock(&p->mutex), 0);
    EXPECT(pthread_rwlock_wrlock(&p->rwlock), 0);
    EXPECT(pthread_rwlock_unlock(&p->rwlock), 0);
    EXPECT(mtx_lock(&p->c11_mutex), thrd_success);
    p->stage = 3;
    EXPECT(cnd_signal(&p->c11_condition), thrd_success);
    EXPECT(mtx_unlock(&p->c11_mutex), thrd_success);
    return NULL;
}

static void *answer_thread(void *pair)
{
    return (void *)(uintptr_t)answer(pair);
}

static const char *ask(struct pair *p)
{
    struct timespec late = from_now(CLOCK_REALTIME, 60000);

    EXPECT(pthread_mutex_lock(&p->mutex), 0);
    p->stage = 1;
    EXPECT(pthread_cond_signal(&p->condition), 0);
    while (p->stage != 2)
        EXPECT(pthread_cond_timedwait(&p->condition, &p->mutex, &late), 0);
    EXPECT(pthread_mutex_unlock(&p->mutex), 0);
    EXPECT(mtx_lock(&p->c11_mutex), thrd_success);
    EXPECT(pthread_rwlock_unlock(&p->rwlock), 0);
    while (p->stage != 3)
        EXPECT(cnd_wait(&p->c11_condition, &p->c11_mutex), thrd_success);
    EXPECT(mtx_unlock(&p->c11_mutex), thrd_success);
    return NULL;
}

static const char *two_threads(void)
{
    static struct pair p;
    pthread_t thread;
    void *answered;

    p = (struct pair){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                      PTHREAD_RWLOCK_INITIALIZER, .stage = 0};
    EXPECT(mtx_init(&p.c11_mutex, mtx_plain), thrd_success);
    EXPECT(cnd_init(&p.c11_condition), thrd_success);
    EXPECT(pthread_rwlock_rdlock(&p.rwlock), 0);
    EXPECT(pthread_create(&thread, NULL, answer_thread, &p), 0);
    STEP(ask(&p));
    EXPECT(pthread_join(thread, &answered), 0);
    STEP((const char *)answered);
    EXPECT(pthread_mutex_destroy(&p.mutex), 0);
    EXPECT(pthread_cond_destroy(&p.condition), 0);
    EXPECT(pthread_rwlock_destroy(&p.rwlock), 0);
    cnd_destroy(&p.c11_condition);
    mtx_destroy(&p.c11_mutex);
    return NULL;
}

const char *snippet_run(unsigned what)
{
    if (what & SNIPPET_TRY)
        STEP(try_only());
    if (what & SNIPPET_CALLS)
        STEP(one_thread());
    if (what & SNIPPET_THREADS)
        STEP(two_threads());
    return NULL;
}

const char *snippet_resolved_to(void)
{
    Dl_info info;
#ifdef SNIPPET_FIXED_ADDRESS
    /* Here the address of a function is that of the program's own linkage table. */
    void *lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
#else
    int (*function)(pthread_mutex_t *) = pthread_mutex_lock;
    void *lock = (void *)(uintptr_t)function;
#endif

    if (!dladdr(lock, &info) || !info.dli_fname)
        return "(nothing)";
    return info.dli_fname;
}

const char *snippet_misdirected(void)
{
    const char *file = snippet_resolved_to();
    bool ours = strstr(file, "libfastsync") != NULL;

    if (ours == (getenv("FASTSYNC_EXPECTED") != NULL))
        return NULL;
    snprintf(failure, sizeof failure, "pthread_mutex_lock is resolved to %s", file);
    return failure;
}
