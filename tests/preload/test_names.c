/* SPDX-License-Identifier: MIT */
/* Calls that reach the library by another name or version than the linker's
   default: dlsym and dlvsym, the double-underscore aliases, and the oldest versions.
   All of them have to meet the same mutex. */
#include <check.h>

#include "snippet.h"
#include "symbols_generated.h"
#include "watchdog.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The names that glibc exports for other libraries, not in its headers. */
#define OLD(name) __asm__(".symver old" #name ", " #name "@" FS_OLDEST_##name)
OLD(__pthread_mutex_init);
OLD(__pthread_mutex_destroy);
OLD(__pthread_mutex_lock);
OLD(__pthread_mutex_trylock);
OLD(__pthread_mutex_unlock);
OLD(__pthread_rwlock_init);
OLD(__pthread_rwlock_destroy);
OLD(__pthread_rwlock_rdlock);
OLD(__pthread_rwlock_tryrdlock);
OLD(__pthread_rwlock_wrlock);
OLD(__pthread_rwlock_trywrlock);
OLD(__pthread_rwlock_unlock);
extern int old__pthread_mutex_init(pthread_mutex_t *, const pthread_mutexattr_t *);
extern int old__pthread_mutex_destroy(pthread_mutex_t *);
extern int old__pthread_mutex_lock(pthread_mutex_t *);
extern int old__pthread_mutex_trylock(pthread_mutex_t *);
extern int old__pthread_mutex_unlock(pthread_mutex_t *);
extern int old__pthread_rwlock_init(pthread_rwlock_t *, const pthread_rwlockattr_t *);
extern int old__pthread_rwlock_destroy(pthread_rwlock_t *);
extern int old__pthread_rwlock_rdlock(pthread_rwlock_t *);
extern int old__pthread_rwlock_tryrdlock(pthread_rwlock_t *);
extern int old__pthread_rwlock_wrlock(pthread_rwlock_t *);
extern int old__pthread_rwlock_trywrlock(pthread_rwlock_t *);
extern int old__pthread_rwlock_unlock(pthread_rwlock_t *);

/* The older versions of names that were given a new one later. */
__asm__(".symver old_trylock, pthread_mutex_trylock@" FS_OLDEST_pthread_mutex_trylock);
__asm__(".symver old_rdlock, pthread_rwlock_rdlock@" FS_OLDEST_pthread_rwlock_rdlock);
__asm__(".symver old_unlock, pthread_rwlock_unlock@" FS_OLDEST_pthread_rwlock_unlock);
extern int old_trylock(pthread_mutex_t *);
extern int old_rdlock(pthread_rwlock_t *);
extern int old_unlock(pthread_rwlock_t *);

typedef int mutex_call(pthread_mutex_t *);
typedef int wait_call(pthread_cond_t *, pthread_mutex_t *);
typedef int signal_call(pthread_cond_t *);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int stage;

static const char *file_of(void *function)
{
    Dl_info info;

    ck_assert_ptr_nonnull(function);
    ck_assert_int_ne(dladdr(function, &info), 0);
    return info.dli_fname;
}

START_TEST(the_double_underscore_aliases_meet_the_same_mutex)
{
    ck_assert_int_eq(old__pthread_mutex_init(&mutex, NULL), 0);
    ck_assert_int_eq(old__pthread_mutex_lock(&mutex), 0);
    ck_assert_int_eq(pthread_mutex_trylock(&mutex), EBUSY);
    ck_assert_int_eq(old_trylock(&mutex), EBUSY);
    ck_assert_int_eq(pthread_mutex_unlock(&mutex), 0);
    ck_assert_int_eq(pthread_mutex_lock(&mutex), 0);
    ck_assert_int_eq(old__pthread_mutex_trylock(&mutex), EBUSY);
    ck_assert_int_eq(old__pthread_mutex_unlock(&mutex), 0);
    ck_assert_int_eq(old_trylock(&mutex), 0);
    ck_assert_int_eq(old__pthread_mutex_unlock(&mutex), 0);
    ck_assert_int_eq(old__pthread_mutex_destroy(&mutex), 0);
}
END_TEST

START_TEST(the_double_underscore_aliases_meet_the_same_rwlock)
{
    pthread_rwlock_t l;

    ck_assert_int_eq(old__pthread_rwlock_init(&l, NULL), 0);
    ck_assert_int_eq(old__pthread_rwlock_rdlock(&l), 0);
    ck_assert_int_eq(pthread_rwlock_trywrlock(&l), EBUSY);
    ck_assert_int_eq(old__pthread_rwlock_tryrdlock(&l), 0);
    ck_assert_int_eq(old_rdlock(&l), 0);
    ck_assert_int_eq(old_unlock(&l), 0);
    ck_assert_int_eq(pthread_rwlock_unlock(&l), 0);
    ck_assert_int_eq(old__pthread_rwlock_unlock(&l), 0);
    ck_assert_int_eq(old__pthread_rwlock_wrlock(&l), 0);
    ck_assert_int_eq(pthread_rwlock_tryrdlock(&l), EBUSY);
    ck_assert_int_eq(pthread_rwlock_unlock(&l), 0);
    ck_assert_int_eq(pthread_rwlock_wrlock(&l), 0);
    ck_assert_int_eq(old__pthread_rwlock_trywrlock(&l), EBUSY);
    ck_assert_int_eq(old__pthread_rwlock_unlock(&l), 0);
    ck_assert_int_eq(old__pthread_rwlock_destroy(&l), 0);
}
END_TEST

START_TEST(dlsym_finds_the_same_functions_as_the_linker)
{
    const char *file = snippet_resolved_to();
    const char *oldest = FS_OLDEST_pthread_mutex_trylock; /* as old as this port of glibc */
    const char *first = FS_OLDEST_pthread_cond_wait;      /* of this type */

    ck_assert_ptr_null(snippet_misdirected());
    ck_assert_str_eq(file_of(dlsym(RTLD_DEFAULT, "pthread_mutex_lock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_DEFAULT, "pthread_mutex_trylock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_DEFAULT, "pthread_rwlock_rdlock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_DEFAULT, "mtx_lock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_NEXT, "pthread_mutex_lock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_NEXT, "pthread_cond_wait")), file);
    ck_assert_str_eq(file_of(dlvsym(RTLD_DEFAULT, "pthread_mutex_trylock", oldest)), file);
    ck_assert_str_eq(file_of(dlvsym(RTLD_DEFAULT, "pthread_mutex_trylock", "GLIBC_2.34")), file);
    ck_assert_str_eq(file_of(dlvsym(RTLD_NEXT, "pthread_cond_wait", first)), file);
    ck_assert_str_eq(file_of(dlvsym(RTLD_NEXT, "pthread_cond_wait", oldest)), file);
    ck_assert_ptr_null(dlvsym(RTLD_DEFAULT, "pthread_mutex_lock", "GLIBC_2.99"));
}
END_TEST

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void *signal_by_name(void *signal)
{
    mutex_call *lock = (mutex_call *)(uintptr_t)dlsym(RTLD_NEXT, "pthread_mutex_lock");
    mutex_call *unlock = (mutex_call *)(uintptr_t)dlsym(RTLD_DEFAULT, "pthread_mutex_unlock");

    for (int i = 1; i <= 100; i++) {
        lock(&mutex);
        stage = i;
        ((signal_call *)(uintptr_t)signal)(&condition);
        unlock(&mutex);
        while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) != 0)
            sched_yield();
    }
    return NULL;
}

START_TEST(functions_found_by_dlvsym_work_with_those_of_the_linker)
{
    static const char *const signals[] = {"pthread_cond_signal", "pthread_cond_broadcast"};
    pthread_t thread;
    wait_call *wait = (wait_call *)(uintptr_t)dlvsym(RTLD_DEFAULT, "pthread_cond_wait",
                                                     FS_OLDEST_pthread_cond_wait);

    ck_assert(wait != NULL);
    for (int kind = 0; kind < 2; kind++) {
        void *signal = dlvsym(RTLD_DEFAULT, signals[kind], FS_OLDEST_pthread_cond_wait);
        ck_assert_ptr_nonnull(signal);
        ck_assert_int_eq(pthread_create(&thread, NULL, signal_by_name, signal), 0);
        for (int i = 1; i <= 100; i++) {
            pthread_mutex_lock(&mutex);
            while (stage != i)
                ck_assert_int_eq(wait(&condition, &mutex), 0);
            __atomic_store_n(&stage, 0, __ATOMIC_RELEASE);
            pthread_mutex_unlock(&mutex);
        }
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("names");
    watchdog_watch("mutex", &mutex, sizeof mutex);
    watchdog_watch("condition", &condition, sizeof condition);
    watchdog_watch("stage", &stage, sizeof stage);
    watchdog_start(40, 0);
}

int main(void)
{
    Suite *suite = suite_create("names");
    TCase *tcase = tcase_create("names");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_test(tcase, the_double_underscore_aliases_meet_the_same_mutex);
    tcase_add_test(tcase, the_double_underscore_aliases_meet_the_same_rwlock);
    tcase_add_test(tcase, dlsym_finds_the_same_functions_as_the_linker);
    tcase_add_test(tcase, functions_found_by_dlvsym_work_with_those_of_the_linker);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
