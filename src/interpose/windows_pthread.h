/* SPDX-License-Identifier: MIT */
/* The implementations that take the place of winpthreads'. Its later versions have a pair of each
   call with a moment or a time-out, for either width of time_t. */
#ifndef FS_INTERPOSE_WINDOWS_PTHREAD_H
#define FS_INTERPOSE_WINDOWS_PTHREAD_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

struct fs_timespec32 {
    int32_t tv_sec;
    int32_t tv_nsec;
};

struct fs_timespec64 {
    int64_t tv_sec;
    int32_t tv_nsec;
};

/* The calls without a width in their names have that of the processor. */
_Static_assert(sizeof(struct timespec) == 2 * sizeof(void *), "winpthreads' struct timespec");

int fs_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int fs_pthread_mutex_destroy(pthread_mutex_t *mutex);
int fs_pthread_mutex_lock(pthread_mutex_t *mutex);
int fs_pthread_mutex_trylock(pthread_mutex_t *mutex);
int fs_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *at);
int fs_pthread_mutex_timedlock32(pthread_mutex_t *mutex, const struct fs_timespec32 *at);
int fs_pthread_mutex_timedlock64(pthread_mutex_t *mutex, const struct fs_timespec64 *at);
int fs_pthread_mutex_unlock(pthread_mutex_t *mutex);

/* Of a mutex that is ours, with winpthreads' results. */
struct fs_mutex;
int fs_mutex_unlock(struct fs_mutex *m);

int fs_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int fs_pthread_cond_destroy(pthread_cond_t *cond);
int fs_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int fs_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                              const struct timespec *at);
int fs_pthread_cond_timedwait32(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                const struct fs_timespec32 *at);
int fs_pthread_cond_timedwait64(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                const struct fs_timespec64 *at);
int fs_pthread_cond_timedwait_relative_np(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                          const struct timespec *timeout);
int fs_pthread_cond_timedwait32_relative_np(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                            const struct fs_timespec32 *timeout);
int fs_pthread_cond_timedwait64_relative_np(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                            const struct fs_timespec64 *timeout);
int fs_pthread_cond_signal(pthread_cond_t *cond);
int fs_pthread_cond_broadcast(pthread_cond_t *cond);

int fs_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr);
int fs_pthread_rwlock_destroy(pthread_rwlock_t *lock);
int fs_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *at);
int fs_pthread_rwlock_timedrdlock32(pthread_rwlock_t *lock, const struct fs_timespec32 *at);
int fs_pthread_rwlock_timedrdlock64(pthread_rwlock_t *lock, const struct fs_timespec64 *at);
int fs_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_trywrlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *at);
int fs_pthread_rwlock_timedwrlock32(pthread_rwlock_t *lock, const struct fs_timespec32 *at);
int fs_pthread_rwlock_timedwrlock64(pthread_rwlock_t *lock, const struct fs_timespec64 *at);
int fs_pthread_rwlock_unlock(pthread_rwlock_t *lock);

int fs_pthread_cancel(pthread_t thread);
int fs_pthread_kill(pthread_t thread, int signal);
int fs_pthread_setcanceltype(int type, int *old);

#endif
