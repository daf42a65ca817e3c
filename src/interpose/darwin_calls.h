/* SPDX-License-Identifier: MIT */
/* The implementations that take the place of libpthread's on macOS. */
#ifndef FS_INTERPOSE_DARWIN_CALLS_H
#define FS_INTERPOSE_DARWIN_CALLS_H

#include <pthread.h>
#include <time.h>

int fs_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int fs_pthread_mutex_destroy(pthread_mutex_t *mutex);
int fs_pthread_mutex_lock(pthread_mutex_t *mutex);
int fs_pthread_mutex_trylock(pthread_mutex_t *mutex);
int fs_pthread_mutex_unlock(pthread_mutex_t *mutex);
int fs_pthread_mutex_getprioceiling(const pthread_mutex_t *mutex, int *ceiling);
int fs_pthread_mutex_setprioceiling(pthread_mutex_t *mutex, int ceiling, int *old);

int fs_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int fs_pthread_cond_destroy(pthread_cond_t *cond);
int fs_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int fs_pthread_cond_wait_nocancel(pthread_cond_t *cond, pthread_mutex_t *mutex);
int fs_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                              const struct timespec *abstime);
int fs_pthread_cond_timedwait_nocancel(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                       const struct timespec *abstime);
int fs_pthread_cond_timedwait_relative_np(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                          const struct timespec *timeout);
int fs_pthread_cond_signal(pthread_cond_t *cond);
int fs_pthread_cond_signal_thread_np(pthread_cond_t *cond, pthread_t thread);
int fs_pthread_cond_broadcast(pthread_cond_t *cond);

int fs_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr);
int fs_pthread_rwlock_destroy(pthread_rwlock_t *lock);
int fs_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_trywrlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_unlock(pthread_rwlock_t *lock);

int fs_pthread_cancel(pthread_t thread);

#endif
