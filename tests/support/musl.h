/* SPDX-License-Identifier: MIT */
/*
 * What glibc has and musl does not, for programs that are to run under both. The calls with a clock
 * are the library's own where it is preloaded; else, and for an object that is musl's, the call
 * without a clock does it with the deadline carried over. Types and kinds that musl does not know
 * become those it treats alike, so that the loops over them stay the same; programs on what makes
 * them different leave those out by themselves. conform.h includes it.
 */
#ifndef TESTS_SUPPORT_MUSL_H
#define TESTS_SUPPORT_MUSL_H

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define DESTROY_IN_USE 0 /* it does not look */
#define PTHREAD_MUTEX_ADAPTIVE_NP PTHREAD_MUTEX_NORMAL
/* No macros of musl's, but what its pthread_mutex_init makes. */
#define MUSL_MUTEX_OF_TYPE(type)                                                                   \
    {                                                                                              \
        .__u = {.__i = {type} }                                                                    \
    }
#define PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP MUSL_MUTEX_OF_TYPE(PTHREAD_MUTEX_RECURSIVE)
#define PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP MUSL_MUTEX_OF_TYPE(PTHREAD_MUTEX_ERRORCHECK)
#define PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP MUSL_MUTEX_OF_TYPE(PTHREAD_MUTEX_ADAPTIVE_NP)
#define PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP PTHREAD_RWLOCK_INITIALIZER
#define RTLD_DEEPBIND 0 /* it binds like musl anyway */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* of all processors */
#endif
#define PTHREAD_RWLOCK_PREFER_READER_NP 0
#define PTHREAD_RWLOCK_PREFER_WRITER_NP 1
#define PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP 2
#define PTHREAD_RWLOCK_DEFAULT_NP PTHREAD_RWLOCK_PREFER_READER_NP

__attribute__((unused)) static int pthread_rwlockattr_setkind_np(pthread_rwlockattr_t *attr,
                                                                 int kind)
{
    if (kind < 0 || kind > 2)
        return EINVAL;
    attr->__attr[1] = (unsigned)kind; /* musl does not use it */
    return 0;
}

__attribute__((unused)) static int pthread_rwlockattr_getkind_np(const pthread_rwlockattr_t *attr,
                                                                 int *kind)
{
    *kind = (int)attr->__attr[1];
    return 0;
}

__attribute__((unused)) static const char *strerrorname_np(int error)
{
    return strerror(error);
}

/* The library's call, if it is preloaded. What is missing is looked for once: dlsym allocates for
   its error message. */
__attribute__((unused)) static void *musl_find(const char *name)
{
    int saved = errno;
    void *found = dlsym(RTLD_DEFAULT, name);
    errno = saved;
    return found;
}

/* A time that time_t cannot hold becomes the last or the first that it can. */
__attribute__((unused)) static struct timespec musl_carry(const struct timespec *at,
                                                          clockid_t clock, clockid_t other)
{
    struct timespec here, there, carried = *at;
    if (clock == other || at->tv_nsec < 0 || at->tv_nsec >= 1000000000)
        return carried;
    clock_gettime(clock, &here);
    clock_gettime(other, &there);
    time_t seconds = there.tv_sec - here.tv_sec;
    carried.tv_nsec += there.tv_nsec - here.tv_nsec;
    if (carried.tv_nsec < 0) {
        carried.tv_nsec += 1000000000;
        seconds--;
    } else if (carried.tv_nsec >= 1000000000) {
        carried.tv_nsec -= 1000000000;
        seconds++;
    }
    if (__builtin_add_overflow(at->tv_sec, seconds, &carried.tv_sec))
        carried.tv_sec = seconds > 0 ? INT64_MAX : INT64_MIN; /* a time_t of 64 bits */
    return carried;
}

/* TIMED decides: 0, ETIMEDOUT too early for the clock: again. */
#define MUSL_CALL(name, other, timed_call, ...)                                                    \
    do {                                                                                           \
        static void *found;                                                                        \
        void *const none = &found;                                                                 \
        if (!__atomic_load_n(&found, __ATOMIC_RELAXED)) {                                          \
            void *there = musl_find(name);                                                         \
            __atomic_store_n(&found, there ? there : none, __ATOMIC_RELAXED);                      \
        }                                                                                          \
        int (*call)(MUSL_TYPES) = found == none ? NULL : (int (*)(MUSL_TYPES))(uintptr_t)found;    \
        int result = call ? call(__VA_ARGS__) : ENOSYS;                                            \
        if (result != ENOSYS)                                                                      \
            return result;                                                                         \
        if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)                                   \
            return EINVAL;                                                                         \
        for (;;) {                                                                                 \
            struct timespec carried, now;                                                          \
            if (at)                                                                                \
                carried = musl_carry(at, clock, other);                                            \
            result = timed_call;                                                                   \
            if (result != ETIMEDOUT)                                                               \
                return result;                                                                     \
            clock_gettime(clock, &now);                                                            \
            if (now.tv_sec > at->tv_sec ||                                                         \
                (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec))                          \
                return ETIMEDOUT;                                                                  \
        }                                                                                          \
    } while (0)

#define MUSL_TYPES pthread_mutex_t *, clockid_t, const struct timespec *
__attribute__((unused)) static int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                                           const struct timespec *at)
{
    MUSL_CALL("pthread_mutex_clocklock", CLOCK_REALTIME,
              pthread_mutex_timedlock(mutex, at ? &carried : NULL), mutex, clock, at);
}
#undef MUSL_TYPES

#define MUSL_TYPES pthread_rwlock_t *, clockid_t, const struct timespec *
__attribute__((unused)) static int
pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *at)
{
    MUSL_CALL("pthread_rwlock_clockrdlock", CLOCK_REALTIME,
              pthread_rwlock_timedrdlock(lock, at ? &carried : NULL), lock, clock, at);
}

__attribute__((unused)) static int
pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *at)
{
    MUSL_CALL("pthread_rwlock_clockwrlock", CLOCK_REALTIME,
              pthread_rwlock_timedwrlock(lock, at ? &carried : NULL), lock, clock, at);
}
#undef MUSL_TYPES

/* musl keeps the clock of a condition variable in its fifth int. */
#define MUSL_TYPES pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *
__attribute__((unused)) static int pthread_cond_clockwait(pthread_cond_t *cond,
                                                          pthread_mutex_t *mutex, clockid_t clock,
                                                          const struct timespec *at)
{
    MUSL_CALL("pthread_cond_clockwait", cond->__u.__i[4],
              pthread_cond_timedwait(cond, mutex, at ? &carried : NULL), cond, mutex, clock, at);
}
#undef MUSL_TYPES

#endif
