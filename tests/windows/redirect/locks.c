/* SPDX-License-Identifier: MIT */
/* One call after the other on objects of its own; what each must return is what winpthreads
   returns, so the program passes without the library as well. */
#include "locks.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define EXPECT(call, result)                                                                       \
    do {                                                                                           \
        if ((call) != (result))                                                                    \
            return __LINE__;                                                                       \
    } while (0)

static const struct timespec past = {1, 0};

static int use_mutex(void)
{
    pthread_mutex_t mutex;

    EXPECT(pthread_mutex_init(&mutex, NULL), 0);
    EXPECT(pthread_mutex_lock(&mutex), 0);
    EXPECT(pthread_mutex_trylock(&mutex), EBUSY);
    EXPECT(pthread_mutex_timedlock(&mutex, &past), ETIMEDOUT);
    EXPECT(pthread_mutex_unlock(&mutex), 0);
    EXPECT(pthread_mutex_lock(&mutex), 0);
    EXPECT(pthread_mutex_unlock(&mutex), 0);
    EXPECT(pthread_mutex_destroy(&mutex), 0);
    return 0;
}

static int use_rwlock(void)
{
    pthread_rwlock_t lock;

    EXPECT(pthread_rwlock_init(&lock, NULL), 0);
    EXPECT(pthread_rwlock_rdlock(&lock), 0);
    EXPECT(pthread_rwlock_tryrdlock(&lock), 0);
    EXPECT(pthread_rwlock_timedrdlock(&lock, &past), 0);
    EXPECT(pthread_rwlock_trywrlock(&lock), EBUSY);
    EXPECT(pthread_rwlock_timedwrlock(&lock, &past), ETIMEDOUT);
    EXPECT(pthread_rwlock_unlock(&lock), 0);
    EXPECT(pthread_rwlock_unlock(&lock), 0);
    EXPECT(pthread_rwlock_unlock(&lock), 0);
    EXPECT(pthread_rwlock_wrlock(&lock), 0);
    EXPECT(pthread_rwlock_unlock(&lock), 0);
    EXPECT(pthread_rwlock_destroy(&lock), 0);
    return 0;
}

static pthread_mutex_t flag_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t flag_changed;
static int flag;

static void *set_flag(void *unused)
{
    pthread_mutex_lock(&flag_mutex);
    flag = 1;
    pthread_cond_signal(&flag_changed);
    pthread_mutex_unlock(&flag_mutex);
    return unused;
}

static int use_condition(void)
{
    const struct timespec none = {0, 1};
    pthread_condattr_t attr;
    pthread_t thread;

    EXPECT(pthread_condattr_init(&attr), 0);
    EXPECT(pthread_cond_init(&flag_changed, &attr), 0);
    EXPECT(pthread_mutex_lock(&flag_mutex), 0);
    EXPECT(pthread_cond_timedwait(&flag_changed, &flag_mutex, &past), ETIMEDOUT);
    EXPECT(pthread_cond_timedwait_relative_np(&flag_changed, &flag_mutex, &none), ETIMEDOUT);
    flag = 0;
    EXPECT(pthread_create(&thread, NULL, set_flag, NULL), 0);
    while (!flag)
        EXPECT(pthread_cond_wait(&flag_changed, &flag_mutex), 0);
    EXPECT(pthread_cond_broadcast(&flag_changed), 0);
    EXPECT(pthread_mutex_unlock(&flag_mutex), 0);
    EXPECT(pthread_join(thread, NULL), 0);
    EXPECT(pthread_cond_destroy(&flag_changed), 0);
    return 0;
}

static void *wait_for_cancellation(void *unused)
{
    const struct timespec moment = {0, 1000000};
    int old;

    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old);
    for (;;) {
        pthread_testcancel();
        nanosleep(&moment, NULL);
    }
    return unused;
}

static int use_cancel(void)
{
    pthread_t thread;

    EXPECT(pthread_create(&thread, NULL, wait_for_cancellation, NULL), 0);
    EXPECT(pthread_kill(thread, 0), 0);
    EXPECT(pthread_cancel(thread), 0);
    EXPECT(pthread_join(thread, NULL), 0);
    return 0;
}

int use_locks(void)
{
    int (*const uses[])(void) = {use_mutex, use_rwlock, use_condition, use_cancel};
    int line = 0;

    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]) && !line; i++)
        line = uses[i]();
    return line;
}

#ifdef PLUGIN
__declspec(dllexport) int plugin(void);

int plugin(void)
{
    return use_locks();
}
#endif
