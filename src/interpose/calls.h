/* SPDX-License-Identifier: MIT */
/* The implementations behind the exported names, for those of them that build on one another. */
#ifndef FS_INTERPOSE_CALLS_H
#define FS_INTERPOSE_CALLS_H

#include <pthread.h>
#include <threads.h>
#include <time.h>

int fs_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int fs_pthread_mutex_destroy(pthread_mutex_t *mutex);
int fs_pthread_mutex_lock(pthread_mutex_t *mutex);
int fs_pthread_mutex_trylock(pthread_mutex_t *mutex);
int fs_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *abstime);
int fs_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                               const struct timespec *abstime);
int fs_pthread_mutex_unlock(pthread_mutex_t *mutex);
int fs_pthread_mutex_consistent(pthread_mutex_t *mutex);
int fs_pthread_mutex_getprioceiling(const pthread_mutex_t *mutex, int *ceiling);
int fs_pthread_mutex_setprioceiling(pthread_mutex_t *mutex, int ceiling, int *old);

int fs_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int fs_pthread_cond_destroy(pthread_cond_t *cond);
int fs_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int fs_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                              const struct timespec *abstime);
int fs_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                              const struct timespec *abstime);
int fs_pthread_cond_signal(pthread_cond_t *cond);
int fs_pthread_cond_broadcast(pthread_cond_t *cond);

int fs_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attr);
int fs_pthread_rwlock_destroy(pthread_rwlock_t *lock);
int fs_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *abstime);
int fs_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                  const struct timespec *abstime);
int fs_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_trywrlock(pthread_rwlock_t *lock);
int fs_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *abstime);
int fs_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                  const struct timespec *abstime);
int fs_pthread_rwlock_unlock(pthread_rwlock_t *lock);

int fs_mtx_init(mtx_t *mutex, int type);
void fs_mtx_destroy(mtx_t *mutex);
int fs_mtx_lock(mtx_t *mutex);
int fs_mtx_trylock(mtx_t *mutex);
int fs_mtx_timedlock(mtx_t *mutex, const struct timespec *at);
int fs_mtx_unlock(mtx_t *mutex);
int fs_cnd_init(cnd_t *cond);
void fs_cnd_destroy(cnd_t *cond);
int fs_cnd_wait(cnd_t *cond, mtx_t *mutex);
int fs_cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *at);
int fs_cnd_signal(cnd_t *cond);
int fs_cnd_broadcast(cnd_t *cond);

int fs_old_pthread_cond_init(void *cond, const void *attr);
int fs_old_pthread_cond_destroy(void *cond);
int fs_old_pthread_cond_wait(void *cond, pthread_mutex_t *mutex);
int fs_old_pthread_cond_timedwait(void *cond, pthread_mutex_t *mutex,
                                  const struct timespec *abstime);
int fs_old_pthread_cond_signal(void *cond);
int fs_old_pthread_cond_broadcast(void *cond);

int fs_pthread_cancel(pthread_t thread);

/* time32.c */
struct fs_time32;

int fs_time32_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct fs_time32 *at);
int fs_time32_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                      const struct fs_time32 *at);
int fs_time32_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                     const struct fs_time32 *at);
int fs_time32_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                     const struct fs_time32 *at);
int fs_time32_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct fs_time32 *at);
int fs_time32_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                         const struct fs_time32 *at);
int fs_time32_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct fs_time32 *at);
int fs_time32_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                         const struct fs_time32 *at);
int fs_time32_mtx_timedlock(mtx_t *mutex, const struct fs_time32 *at);
int fs_time32_cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct fs_time32 *at);

#endif
