/* SPDX-License-Identifier: MIT */
/*
 * Uncontended pairs of every kind, called through the PLT in a loop as a program calls them.
 * Whether the process has ever had a second thread is decided by how the worker was started:
 * libc skips its atomic operations until then, so the two need separate processes.
 */
#include "bench.h"

#include <pthread.h>
#include <string.h>
#include <threads.h>

#define BATCH 512

static _Alignas(BENCH_LINE) pthread_mutex_t mutex;
static _Alignas(BENCH_LINE) pthread_rwlock_t rwlock;
static _Alignas(BENCH_LINE) pthread_cond_t cond;
static _Alignas(BENCH_LINE) mtx_t c11;

#define DEFINE_LOOP(name, first, second)                                                           \
    static void name(unsigned long n)                                                              \
    {                                                                                              \
        for (unsigned long i = 0; i < n; i++) {                                                    \
            first;                                                                                 \
            second;                                                                                \
        }                                                                                          \
    }

DEFINE_LOOP(loop_mutex, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex))
DEFINE_LOOP(loop_try, pthread_mutex_trylock(&mutex), pthread_mutex_unlock(&mutex))
DEFINE_LOOP(loop_read, pthread_rwlock_rdlock(&rwlock), pthread_rwlock_unlock(&rwlock))
DEFINE_LOOP(loop_write, pthread_rwlock_wrlock(&rwlock), pthread_rwlock_unlock(&rwlock))
DEFINE_LOOP(loop_signal, pthread_cond_signal(&cond), (void)0)
DEFINE_LOOP(loop_broadcast, pthread_cond_broadcast(&cond), (void)0)
DEFINE_LOOP(loop_c11, mtx_lock(&c11), mtx_unlock(&c11))

static void set_type(pthread_mutexattr_t *attr, int type)
{
    pthread_mutexattr_settype(attr, type);
}

static void set_protocol(pthread_mutexattr_t *attr, int protocol)
{
    pthread_mutexattr_setprotocol(attr, protocol);
}

static void set_robust(pthread_mutexattr_t *attr, int robust)
{
    pthread_mutexattr_setrobust(attr, robust);
}

static void set_shared(pthread_mutexattr_t *attr, int shared)
{
    pthread_mutexattr_setpshared(attr, shared);
}

static const struct kind {
    const char *name;
    void (*loop)(unsigned long n);
    void (*set)(pthread_mutexattr_t *attr, int value);
    int value;
} kinds[] = {
    {"normal", loop_mutex, set_type, PTHREAD_MUTEX_NORMAL},
    {"recursive", loop_mutex, set_type, PTHREAD_MUTEX_RECURSIVE},
    {"errorcheck", loop_mutex, set_type, PTHREAD_MUTEX_ERRORCHECK},
    {"adaptive", loop_mutex, set_type, PTHREAD_MUTEX_ADAPTIVE_NP},
    {"pi", loop_mutex, set_protocol, PTHREAD_PRIO_INHERIT},
    {"robust", loop_mutex, set_robust, PTHREAD_MUTEX_ROBUST},
    {"pshared", loop_mutex, set_shared, PTHREAD_PROCESS_SHARED},
    {"trylock", loop_try, NULL, 0},
    {"c11", loop_c11, NULL, 0},
    {"rdlock", loop_read, NULL, 0},
    {"wrlock", loop_write, NULL, 0},
    {"signal", loop_signal, NULL, 0},
    {"broadcast", loop_broadcast, NULL, 0},
};

static const struct kind *find_kind(const char *spec)
{
    size_t length = strcspn(spec, "/");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, spec, length) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static void make_objects(const struct kind *kind)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    if (kind->set != NULL) {
        kind->set(&attr, kind->value);
    }
    pthread_mutex_init(&mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    pthread_rwlock_init(&rwlock, NULL);
    pthread_cond_init(&cond, NULL);
    mtx_init(&c11, mtx_plain);
}

static void drop_objects(void)
{
    mtx_destroy(&c11);
    pthread_cond_destroy(&cond);
    pthread_rwlock_destroy(&rwlock);
    pthread_mutex_destroy(&mutex);
}

bool run_uncontended(const char *spec, int milliseconds, struct bench_sample *out)
{
    const struct kind *kind = find_kind(spec);
    struct bench_usage from, to;
    uint64_t end;

    if (kind == NULL) {
        return false;
    }
    make_objects(kind);
    kind->loop(BATCH);
    bench_usage(&from);
    end = from.wall_ns + (uint64_t)milliseconds * 1000000;
    do {
        kind->loop(BATCH);
        out->operations += BATCH;
    } while (bench_now() < end);
    bench_usage(&to);
    bench_usage_between(&from, &to, out);
    drop_objects();
    return true;
}

bool count_uncontended(const char *spec, unsigned long operations)
{
    const struct kind *kind = find_kind(spec);

    if (kind == NULL) {
        return false;
    }
    make_objects(kind);
    kind->loop(operations);
    drop_objects();
    return true;
}
