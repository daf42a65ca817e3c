/* SPDX-License-Identifier: MIT */
/* The C library's own functions, for the objects that are handed to it whole and for what only it
   can do. Looked up once, in the constructor; a hand-over before that looks them up itself.
   A function that this C library does not have is null. */
#ifndef FS_INTERPOSE_LIBC_H
#define FS_INTERPOSE_LIBC_H

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/compiler.h"

/* X(member, name, return type, parameters). Looked up by the oldest version of this type and
   meaning, so that it is there: a search that fails would allocate (see libc.c). */
#define FS_LIBC_FUNCTIONS(X)                                                                       \
    X(mutex_init, pthread_mutex_init, int, (pthread_mutex_t *, const pthread_mutexattr_t *))       \
    X(mutex_destroy, pthread_mutex_destroy, int, (pthread_mutex_t *))                              \
    X(mutex_lock, pthread_mutex_lock, int, (pthread_mutex_t *))                                    \
    X(mutex_trylock, pthread_mutex_trylock, int, (pthread_mutex_t *))                              \
    X(mutex_timedlock, pthread_mutex_timedlock, int, (pthread_mutex_t *, const struct timespec *)) \
    X(mutex_clocklock, pthread_mutex_clocklock, int,                                               \
      (pthread_mutex_t *, clockid_t, const struct timespec *))                                     \
    X(mutex_unlock, pthread_mutex_unlock, int, (pthread_mutex_t *))                                \
    X(mutex_consistent, pthread_mutex_consistent, int, (pthread_mutex_t *))                        \
    X(mutex_getprioceiling, pthread_mutex_getprioceiling, int, (const pthread_mutex_t *, int *))   \
    X(mutex_setprioceiling, pthread_mutex_setprioceiling, int, (pthread_mutex_t *, int, int *))    \
    X(cond_init, pthread_cond_init, int, (pthread_cond_t *, const pthread_condattr_t *))           \
    X(cond_destroy, pthread_cond_destroy, int, (pthread_cond_t *))                                 \
    X(cond_wait, pthread_cond_wait, int, (pthread_cond_t *, pthread_mutex_t *))                    \
    X(cond_timedwait, pthread_cond_timedwait, int,                                                 \
      (pthread_cond_t *, pthread_mutex_t *, const struct timespec *))                              \
    X(cond_clockwait, pthread_cond_clockwait, int,                                                 \
      (pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *))                   \
    X(cond_signal, pthread_cond_signal, int, (pthread_cond_t *))                                   \
    X(cond_broadcast, pthread_cond_broadcast, int, (pthread_cond_t *))                             \
    X(rwlock_init, pthread_rwlock_init, int, (pthread_rwlock_t *, const pthread_rwlockattr_t *))   \
    X(rwlock_destroy, pthread_rwlock_destroy, int, (pthread_rwlock_t *))                           \
    X(rwlock_rdlock, pthread_rwlock_rdlock, int, (pthread_rwlock_t *))                             \
    X(rwlock_tryrdlock, pthread_rwlock_tryrdlock, int, (pthread_rwlock_t *))                       \
    X(rwlock_timedrdlock, pthread_rwlock_timedrdlock, int,                                         \
      (pthread_rwlock_t *, const struct timespec *))                                               \
    X(rwlock_clockrdlock, pthread_rwlock_clockrdlock, int,                                         \
      (pthread_rwlock_t *, clockid_t, const struct timespec *))                                    \
    X(rwlock_wrlock, pthread_rwlock_wrlock, int, (pthread_rwlock_t *))                             \
    X(rwlock_trywrlock, pthread_rwlock_trywrlock, int, (pthread_rwlock_t *))                       \
    X(rwlock_timedwrlock, pthread_rwlock_timedwrlock, int,                                         \
      (pthread_rwlock_t *, const struct timespec *))                                               \
    X(rwlock_clockwrlock, pthread_rwlock_clockwrlock, int,                                         \
      (pthread_rwlock_t *, clockid_t, const struct timespec *))                                    \
    X(rwlock_unlock, pthread_rwlock_unlock, int, (pthread_rwlock_t *))                             \
    X(cancel, pthread_cancel, int, (pthread_t))                                                    \
    X(testcancel, pthread_testcancel, void, (void))                                                \
    X(setcanceltype, pthread_setcanceltype, int, (int, int *))                                     \
    X(dlopen, dlopen, void *, (const char *, int))

struct fs_libc {
#define FS_LIBC_MEMBER(member, name, type, parameters) type(*member) parameters;
    FS_LIBC_FUNCTIONS(FS_LIBC_MEMBER)
#undef FS_LIBC_MEMBER
};

/* Read directly only where a null member is handled or the constructor has run. */
extern FS_HIDDEN struct fs_libc fs_libc;

/* The functions, looked up if they have not been. */
const struct fs_libc *fs_libc_functions(void);

/* Hands a call over: ENOSYS if an old one does not have it. */
#define FS_HAND_OVER(member, ...)                                                                  \
    (fs_libc_functions()->member ? fs_libc_functions()->member(__VA_ARGS__) : ENOSYS)

/* The functions, all of them looked up anew. */
const struct fs_libc *fs_libc_look_again(void);

/* A symbol of the C library in one version, or null. */
void *fs_libc_symbol(const char *name, const char *version);

/* A symbol wherever the program finds it first, or null. */
void *fs_program_symbol(const char *name);

#endif
