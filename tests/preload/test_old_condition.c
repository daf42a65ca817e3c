/* SPDX-License-Identifier: MIT */
/* The condition variables from before GLIBC_2.3.2, whose type is one pointer. Their waits are the C
   library's own code, which has to meet the same mutex as everybody else. Only for processors whose
   glibc is as old as that. */
#include <check.h>

#include "plugin_waiting.h"
#include "symbols_generated.h"
#include "watchdog.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Static zero, or initialised by its own init. */
typedef struct {
    void *pointer;
} old_cond;

#define OLD(call)                                                                                  \
    __asm__(".symver old_" #call ", pthread_cond_" #call "@" FS_OLDEST_old_pthread_cond_##call)
OLD(init);
OLD(destroy);
OLD(wait);
OLD(timedwait);
OLD(signal);
OLD(broadcast);
extern int old_init(old_cond *, const pthread_condattr_t *);
extern int old_destroy(old_cond *);
extern int old_wait(old_cond *, pthread_mutex_t *);
extern int old_timedwait(old_cond *, pthread_mutex_t *, const struct timespec *);
extern int old_signal(old_cond *);
extern int old_broadcast(old_cond *);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static old_cond old_condition;
static int stage;

static void *answer_old(void *unused)
{
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 200; i++) {
        while (stage != 1)
            old_wait(&old_condition, &mutex);
        stage = 0;
        old_broadcast(&old_condition);
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
            ck_assert_int_eq(old_wait(&old_condition, &mutex), 0);
        stage = 1;
        ck_assert_int_eq(old_signal(&old_condition), 0);
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
    ck_assert_int_eq(old_init(&old_condition, NULL), 0);
    use_old_condition(PTHREAD_MUTEX_NORMAL);
    ck_assert_int_eq(old_destroy(&old_condition), 0);
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
    while ((err = old_timedwait(&old_condition, &mutex, &deadline)) == 0)
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
    ck_assert_int_eq(old_signal(&object.condition), 0);
    ck_assert_int_eq(old_broadcast(&object.condition), 0);
    for (size_t i = 0; i < sizeof object.after; i++)
        ck_assert_uint_eq(object.after[i], 0xa5);
    ck_assert_int_eq(old_destroy(&object.condition), 0);
}
END_TEST

/* ---- the loader's lock is held by another thread ---- */

int constructor_waits, program_has_called, constructor_had_answer;

static void *signal_meanwhile(void *unused)
{
    while (!__atomic_load_n(&constructor_waits, __ATOMIC_ACQUIRE))
        usleep(1000);
    old_signal(&old_condition);
    __atomic_store_n(&program_has_called, 1, __ATOMIC_RELEASE);
    return unused;
}

START_TEST(an_old_condition_variable_is_signalled_while_a_constructor_waits_for_it)
{
    pthread_t thread;

    ck_assert_int_eq(old_init(&old_condition, NULL), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, signal_meanwhile, NULL), 0);
    ck_assert_msg(dlopen(PLUGIN_WAITING_PATH, RTLD_NOW) != NULL, "%s", dlerror());
    pthread_join(thread, NULL);
    ck_assert_int_eq(constructor_had_answer, 1);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("old_condition");
    watchdog_watch("mutex", &mutex, sizeof mutex);
    watchdog_watch("old_condition", &old_condition, sizeof old_condition);
    watchdog_watch("stage", &stage, sizeof stage);
    watchdog_start(40, 0);
}

int main(void)
{
    Suite *suite = suite_create("old_condition");
    TCase *tcase = tcase_create("old_condition");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_loop_test(tcase, the_oldest_condition_variable_works_when_it_is_static, 0, 4);
    tcase_add_test(tcase, the_oldest_condition_variable_works_when_it_is_initialised);
    tcase_add_test(tcase, the_oldest_timedwait_times_out_and_is_not_early);
    tcase_add_test(tcase, the_oldest_condition_variable_touches_one_pointer_only);
    tcase_add_test(tcase, an_old_condition_variable_is_signalled_while_a_constructor_waits_for_it);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
