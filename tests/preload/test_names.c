/* SPDX-License-Identifier: MIT */
/* Calls that reach the library by another name or version than the linker's
   default: dlsym and dlvsym, the double-underscore aliases, and the condition
   variables of version GLIBC_2.2.5, whose type is one pointer. All of them have
   to meet the same mutex. */
#include <check.h>

#include "snippet.h"
#include "watchdog.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The names that glibc exports for other libraries, not in its headers. */
#define OLD(name) __asm__(".symver old" name ", " name "@GLIBC_2.2.5")
OLD("__pthread_mutex_init");
OLD("__pthread_mutex_destroy");
OLD("__pthread_mutex_lock");
OLD("__pthread_mutex_trylock");
OLD("__pthread_mutex_unlock");
OLD("__pthread_rwlock_init");
OLD("__pthread_rwlock_destroy");
OLD("__pthread_rwlock_rdlock");
OLD("__pthread_rwlock_tryrdlock");
OLD("__pthread_rwlock_wrlock");
OLD("__pthread_rwlock_trywrlock");
OLD("__pthread_rwlock_unlock");
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

/* The condition variable of GLIBC_2.2.5: static zero, or initialised by its own init. */
typedef struct {
    void *pointer;
} old_cond;

OLD("pthread_cond_init");
OLD("pthread_cond_destroy");
OLD("pthread_cond_wait");
OLD("pthread_cond_timedwait");
OLD("pthread_cond_signal");
OLD("pthread_cond_broadcast");
extern int oldpthread_cond_init(old_cond *, const pthread_condattr_t *);
extern int oldpthread_cond_destroy(old_cond *);
extern int oldpthread_cond_wait(old_cond *, pthread_mutex_t *);
extern int oldpthread_cond_timedwait(old_cond *, pthread_mutex_t *, const struct timespec *);
extern int oldpthread_cond_signal(old_cond *);
extern int oldpthread_cond_broadcast(old_cond *);

/* The older versions of names that were given a new one later. */
__asm__(".symver old_trylock, pthread_mutex_trylock@GLIBC_2.2.5");
__asm__(".symver old_rdlock, pthread_rwlock_rdlock@GLIBC_2.2.5");
__asm__(".symver old_unlock, pthread_rwlock_unlock@GLIBC_2.2.5");
extern int old_trylock(pthread_mutex_t *);
extern int old_rdlock(pthread_rwlock_t *);
extern int old_unlock(pthread_rwlock_t *);

typedef int mutex_call(pthread_mutex_t *);
typedef int wait_call(pthread_cond_t *, pthread_mutex_t *);
typedef int signal_call(pthread_cond_t *);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static old_cond old_condition;
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

    ck_assert_ptr_null(snippet_misdirected());
    ck_assert_str_eq(file_of(dlsym(RTLD_DEFAULT, "pthread_mutex_lock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_DEFAULT, "pthread_mutex_trylock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_DEFAULT, "pthread_rwlock_rdlock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_DEFAULT, "mtx_lock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_NEXT, "pthread_mutex_lock")), file);
    ck_assert_str_eq(file_of(dlsym(RTLD_NEXT, "pthread_cond_wait")), file);
    ck_assert_str_eq(file_of(dlvsym(RTLD_DEFAULT, "pthread_mutex_trylock", "GLIBC_2.2.5")), file);
    ck_assert_str_eq(file_of(dlvsym(RTLD_DEFAULT, "pthread_mutex_trylock", "GLIBC_2.34")), file);
    ck_assert_str_eq(file_of(dlvsym(RTLD_NEXT, "pthread_cond_wait", "GLIBC_2.3.2")), file);
    ck_assert_str_eq(file_of(dlvsym(RTLD_NEXT, "pthread_cond_wait", "GLIBC_2.2.5")), file);
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
    wait_call *wait =
        (wait_call *)(uintptr_t)dlvsym(RTLD_DEFAULT, "pthread_cond_wait", "GLIBC_2.3.2");

    ck_assert(wait != NULL);
    for (int kind = 0; kind < 2; kind++) {
        void *signal = dlvsym(RTLD_DEFAULT, signals[kind], "GLIBC_2.3.2");
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

static void *answer_old(void *unused)
{
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 200; i++) {
        while (stage != 1)
            oldpthread_cond_wait(&old_condition, &mutex);
        stage = 0;
        oldpthread_cond_broadcast(&old_condition);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void use_old_condition(int type)
{
    pthread_mutexattr_t attr;
    pthread_t thread;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, type);
    ck_assert_int_eq(pthread_mutex_init(&mutex, &attr), 0);
    pthread_mutexattr_destroy(&attr);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_old, NULL), 0);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(pthread_mutex_lock(&mutex), 0);
        while (stage != 0)
            ck_assert_int_eq(oldpthread_cond_wait(&old_condition, &mutex), 0);
        stage = 1;
        ck_assert_int_eq(oldpthread_cond_signal(&old_condition), 0);
        ck_assert_int_eq(pthread_mutex_unlock(&mutex), 0);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(pthread_mutex_destroy(&mutex), 0);
}

START_TEST(the_oldest_condition_variable_works_when_it_is_static)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};

    use_old_condition(types[_i]);
}
END_TEST

START_TEST(the_oldest_condition_variable_works_when_it_is_initialised)
{
    ck_assert_int_eq(oldpthread_cond_init(&old_condition, NULL), 0);
    use_old_condition(PTHREAD_MUTEX_NORMAL);
    ck_assert_int_eq(oldpthread_cond_destroy(&old_condition), 0);
}
END_TEST

START_TEST(the_oldest_timedwait_times_out_and_is_not_early)
{
    struct timespec deadline, now;
    int err;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_nsec += 20000000;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    ck_assert_int_eq(pthread_mutex_lock(&mutex), 0);
    while ((err = oldpthread_cond_timedwait(&old_condition, &mutex, &deadline)) == 0)
        continue;
    clock_gettime(CLOCK_REALTIME, &now);
    ck_assert_int_eq(err, ETIMEDOUT);
    ck_assert(now.tv_sec > deadline.tv_sec ||
              (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec));
    ck_assert_int_eq(pthread_mutex_trylock(&mutex), EBUSY);
    ck_assert_int_eq(pthread_mutex_unlock(&mutex), 0);
    ck_assert_int_eq(pthread_mutex_trylock(&mutex), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&mutex), 0);
}
END_TEST

START_TEST(the_oldest_condition_variable_touches_one_pointer_only)
{
    struct {
        old_cond condition;
        unsigned char after[64];
    } object;

    memset(&object, 0xa5, sizeof object);
    object.condition.pointer = NULL;
    ck_assert_int_eq(oldpthread_cond_signal(&object.condition), 0);
    ck_assert_int_eq(oldpthread_cond_broadcast(&object.condition), 0);
    for (size_t i = 0; i < sizeof object.after; i++)
        ck_assert_uint_eq(object.after[i], 0xa5);
    ck_assert_int_eq(oldpthread_cond_destroy(&object.condition), 0);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("names");
    watchdog_watch("mutex", &mutex, sizeof mutex);
    watchdog_watch("condition", &condition, sizeof condition);
    watchdog_watch("old_condition", &old_condition, sizeof old_condition);
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
    tcase_add_loop_test(tcase, the_oldest_condition_variable_works_when_it_is_static, 0, 4);
    tcase_add_test(tcase, the_oldest_condition_variable_works_when_it_is_initialised);
    tcase_add_test(tcase, the_oldest_timedwait_times_out_and_is_not_early);
    tcase_add_test(tcase, the_oldest_condition_variable_touches_one_pointer_only);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
