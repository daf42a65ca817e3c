/* SPDX-License-Identifier: MIT */
/* A seccomp filter that a program installs after its threads have begun to use
   locks. What it refuses with EPERM or ENOSYS must cost speed at most. */
#include <check.h>

#include "futex_calls.h"
#include "snippet.h"
#include "watchdog.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    THREADS = 6,
    ROUNDS = 200,
    ANY = -1,
};

/* A refusal: a system call, or one or two operations of futex(2) (commands without flags).

   FUTEX_CMP_REQUEUE_PI is refused only together with FUTEX_WAIT_REQUEUE_PI: the kernel has no
   other call that wakes who sleeps in the latter. */
struct refusal {
    const char *name;
    int call;
    int futex_op;
    int other_op;
    int error;
};

static const struct refusal refusals[] = {
    {"membarrier", SYS_membarrier, ANY, ANY, EPERM},
    {"membarrier", SYS_membarrier, ANY, ANY, ENOSYS},
    {"FUTEX_CMP_REQUEUE", SYS_futex, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE, EPERM},
    {"FUTEX_CMP_REQUEUE", SYS_futex, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE, ENOSYS},
    {"FUTEX_WAKE_OP", SYS_futex, FUTEX_WAKE_OP, FUTEX_WAKE_OP, ENOSYS},
    {"FUTEX_LOCK_PI2", SYS_futex, FUTEX_LOCK_PI2, FUTEX_LOCK_PI2, ENOSYS},
    {"both FUTEX_*_REQUEUE_PI", SYS_futex, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, EPERM},
    {"FUTEX_WAIT_REQUEUE_PI", SYS_futex, FUTEX_WAIT_REQUEUE_PI, FUTEX_WAIT_REQUEUE_PI, ENOSYS},
    {"get_robust_list", SYS_get_robust_list, ANY, ANY, EPERM},
    {"futex_waitv", SYS_futex_waitv, ANY, ANY, EPERM},
};

static pthread_mutex_t mutex;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t filter_in;
static int waiting;
static int generation;
static long count;

/* The offset of an argument is that of its low 32 bits on little-endian machines. */
static bool refuse(const struct refusal *r)
{
    const uint32_t flags = FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME;
    const bool any = r->futex_op == ANY;
    const uint32_t other_call = (uint32_t)(is_futex_call(r->call) ? SYS_futex_time64 : r->call);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->call, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other_call, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, any ? 0 : ~flags),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, any ? 0 : (uint32_t)r->futex_op, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, any ? 0 : (uint32_t)r->other_op, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)r->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

static void *wait_for_generations(void *unused)
{
    for (int i = 1; i <= ROUNDS; i++) {
        if (i == ROUNDS / 2)
            pthread_barrier_wait(&filter_in);
        pthread_mutex_lock(&mutex);
        waiting++;
        while (generation < i)
            pthread_cond_wait(&condition, &mutex);
        count++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void broadcast_generations(const struct refusal *r)
{
    for (int i = 1; i <= ROUNDS; i++) {
        if (i == ROUNDS / 2) {
            ck_assert_msg(refuse(r), "%s", strerror(errno));
            pthread_barrier_wait(&filter_in);
        }
        bool all = false;
        while (!all) {
            pthread_mutex_lock(&mutex);
            all = waiting == THREADS * i;
            if (all) {
                generation = i;
                if (i % 3 != 0)
                    pthread_cond_broadcast(&condition);
            }
            pthread_mutex_unlock(&mutex);
            if (all && i % 3 == 0)
                pthread_cond_broadcast(&condition);
            else if (!all)
                usleep(100);
        }
    }
}

static void run(const struct refusal *r, int protocol)
{
    pthread_mutexattr_t attr;
    pthread_t threads[THREADS];

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, protocol);
    ck_assert_int_eq(pthread_mutex_init(&mutex, &attr), 0);
    pthread_barrier_init(&filter_in, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_generations, NULL), 0);
    broadcast_generations(r);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(count, THREADS * ROUNDS);
    const char *failure = snippet_run(SNIPPET_ALL);
    ck_assert_msg(failure == NULL, "%s", failure);
}

START_TEST(a_filter_that_comes_later_is_no_harm_to_mutexes_and_conditions)
{
    run(&refusals[_i], PTHREAD_PRIO_NONE);
}
END_TEST

START_TEST(a_filter_that_comes_later_is_no_harm_with_priority_inheritance)
{
    run(&refusals[_i], PTHREAD_PRIO_INHERIT);
}
END_TEST

START_TEST(a_filter_that_comes_first_is_no_harm)
{
    const struct refusal *r = &refusals[_i];

    ck_assert_msg(refuse(r), "%s", strerror(errno));
    const char *failure = snippet_run(SNIPPET_ALL);
    ck_assert_msg(failure == NULL, "%s refused: %s", r->name, failure);
}
END_TEST

/* The C library's own wait takes the mutex off the thread's robust list. A thread of its own: it
   has not used that list before. */
static void *wait_with_a_robust_mutex(void *shared_condition)
{
    struct timespec past = {0, 0};

    if (pthread_mutex_lock(&mutex) != 0)
        return NULL;
    count = pthread_cond_timedwait(shared_condition, &mutex, &past);
    return pthread_mutex_unlock(&mutex) == 0 ? shared_condition : NULL;
}

START_TEST(without_get_robust_list_a_robust_mutex_waits_on_a_shared_condition)
{
    pthread_condattr_t condition_attr;
    pthread_mutexattr_t attr;
    pthread_cond_t shared;
    pthread_t thread;
    void *result;

    pthread_condattr_init(&condition_attr);
    pthread_condattr_setpshared(&condition_attr, PTHREAD_PROCESS_SHARED);
    ck_assert_int_eq(pthread_cond_init(&shared, &condition_attr), 0);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attr, _i ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
    ck_assert_int_eq(pthread_mutex_init(&mutex, &attr), 0);
    ck_assert(refuse(&(struct refusal){"", SYS_get_robust_list, ANY, ANY, EPERM}));
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_with_a_robust_mutex, &shared), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, &shared);
    ck_assert_int_eq(count, ETIMEDOUT);
}
END_TEST

START_TEST(the_filter_does_refuse)
{
    uint32_t word = 0;

    ck_assert_ptr_null(snippet_misdirected());
    ck_assert(refuse(&refusals[3]));
    errno = 0;
    ck_assert_int_eq(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, &word, 0), -1);
    ck_assert_int_eq(errno, ENOSYS);
    ck_assert_int_eq(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
    ck_assert(refuse(&refusals[0]));
    ck_assert_int_eq(syscall(SYS_membarrier, 0, 0, 0), -1);
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("sandbox");
    watchdog_watch("mutex", &mutex, sizeof mutex);
    watchdog_watch("condition", &condition, sizeof condition);
    watchdog_start(40, 0);
}

int main(void)
{
    const int refusal_count = sizeof refusals / sizeof *refusals;

    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
        printf("SKIP sandbox: this kernel has no seccomp\n");
        return 77;
    }
    Suite *suite = suite_create("sandbox");
    TCase *tcase = tcase_create("sandbox");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_test(tcase, the_filter_does_refuse);
    tcase_add_loop_test(tcase, a_filter_that_comes_first_is_no_harm, 0, refusal_count);
    tcase_add_loop_test(tcase, a_filter_that_comes_later_is_no_harm_to_mutexes_and_conditions, 0,
                        refusal_count);
    tcase_add_loop_test(tcase, a_filter_that_comes_later_is_no_harm_with_priority_inheritance, 0,
                        refusal_count);
    tcase_add_loop_test(tcase, without_get_robust_list_a_robust_mutex_waits_on_a_shared_condition,
                        0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
