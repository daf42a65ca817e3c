/* SPDX-License-Identifier: MIT */
/* Faults that the library has had in ways of its own, each as the least program that shows it:
   mutexes made to inherit priority by FASTSYNC_PI=1 in children, in daemons and in sandboxes, a
   malloc that initialises its locks before anything else has run, and mutexes of no known kind. */
#include <check.h>

#include "child.h"
#include "futex_calls.h"
#include "reused_id.h"
#include "snippet.h"
#include "watchdog.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { COUNTERS = 2, COUNTS = 20000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t nested = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static int failed(const char *sentence)
{
    fprintf(stderr, "%s\n", sentence);
    return 1;
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
    if (pthread_create(thread, NULL, body, argument) != 0)
        abort();
}

/* ---- inherited locks ---- */

static void *lock_and_unlock(void *result)
{
    int error = pthread_mutex_lock(&mutex);

    *(int *)result = error ? error : pthread_mutex_unlock(&mutex);
    return NULL;
}

/* In the child the word names a thread of the parent's, which the kernel must not wait for. */
static int use_inherited_lock(void)
{
    int result = -1;
    pthread_t thread;

    start(&thread, lock_and_unlock, &result);
    usleep(50000);
    if (pthread_mutex_unlock(&mutex) != 0)
        return failed("the child cannot unlock what it inherited");
    pthread_join(thread, NULL);
    return result == 0 ? 0 : failed("a thread of the child cannot lock");
}

static int child_role(void)
{
    pthread_mutex_lock(&mutex);
    pid_t pid = fork();
    if (pid == 0)
        _exit(use_inherited_lock());
    pthread_mutex_unlock(&mutex);
    return exit_status_of(pid);
}

/* ---- ids used again ---- */

static pid_t launcher;
static int inside, may_leave;

static void *hold_as_the_launchers_namesake(void *unused)
{
    if ((pid_t)syscall(SYS_gettid) != launcher)
        return NULL;
    pthread_mutex_lock(&nested);
    __atomic_store_n(&inside, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&may_leave, __ATOMIC_ACQUIRE))
        usleep(1000);
    pthread_mutex_unlock(&nested);
    return &inside;
}

/* The daemon was forked by the launcher, whose id is a thread's of the daemon by now. */
static int daemon_meets_its_launchers_id(void)
{
    while (kill(launcher, 0) == 0)
        usleep(1000);
    for (int tries = 0; tries < 1000; tries++) {
        pthread_t thread;
        void *result;

        if (!choose_next_id(launcher))
            return failed("ids cannot be chosen");
        start(&thread, hold_as_the_launchers_namesake, NULL);
        for (int i = 0; i < 100 && !__atomic_load_n(&inside, __ATOMIC_ACQUIRE); i++)
            usleep(1000);
        int error = pthread_mutex_trylock(&nested);
        bool held = __atomic_load_n(&inside, __ATOMIC_ACQUIRE);
        __atomic_store_n(&may_leave, 1, __ATOMIC_RELEASE);
        if (error == 0)
            pthread_mutex_unlock(&nested);
        pthread_join(thread, &result);
        if (held)
            return error == EBUSY ? 0 : failed("the mutex has two owners");
        __atomic_store_n(&may_leave, 0, __ATOMIC_RELEASE);
        __atomic_store_n(&inside, 0, __ATOMIC_RELEASE);
    }
    return failed("the id is never used again");
}

/* The first process of the namespace inherits the daemon. */
static int launch(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        launcher = getpid();
        pid_t daemon = fork();
        if (daemon == 0)
            _exit(daemon_meets_its_launchers_id());
        _exit(daemon < 0);
    }
    if (exit_status_of(pid) != 0)
        return 1;
    return exit_status_of(-1);
}

static int daemon_role(void)
{
    return in_pid_namespace(launch);
}

/* ---- sandboxes ---- */

/* Refuses two operations of futex(2) with EPERM. */
static bool refuse(uint32_t first, uint32_t second)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_time64, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)FUTEX_CMD_MASK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static long count;

static void *count_up(void *failures)
{
    for (int i = 0; i < COUNTS; i++) {
        *(int *)failures += pthread_mutex_lock(&mutex) != 0;
        count++;
        *(int *)failures += pthread_mutex_unlock(&mutex) != 0;
    }
    return NULL;
}

/* The program knows of no inheritance, so no lock may fail for the lack of it. */
static int sandbox_role(void)
{
    pthread_t threads[COUNTERS];
    int failures[COUNTERS] = {0};

    if (!refuse(FUTEX_LOCK_PI, FUTEX_LOCK_PI2))
        return failed("no filter");
    for (int i = 0; i < COUNTERS; i++)
        start(&threads[i], count_up, &failures[i]);
    for (int i = 0; i < COUNTERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < COUNTERS; i++)
        if (failures[i] != 0)
            return failed("lock or unlock has failed");
    return count == COUNTERS * COUNTS ? 0 : failed("two threads were inside");
}

/* ---- malloc ---- */

static void *allocate(void *unused)
{
    for (size_t i = 0; i < 2000; i++) {
        void *volatile block = malloc(i % 300 + 1); /* volatile: or the compiler leaves all out */

        block = realloc(block, 400);
        free(block);
    }
    return unused;
}

static int malloc_role(void)
{
    pthread_t threads[4];
    const char *failure = snippet_run(SNIPPET_ALL);
    void *calls = dlsym(RTLD_DEFAULT, "interposed_malloc_calls");

    if (failure)
        return failed(failure);
    if (!calls)
        return failed("the malloc library is not in");
    for (int i = 0; i < 4; i++)
        start(&threads[i], allocate, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    if (((unsigned long (*)(void))(uintptr_t)calls)() < 4 * 2000 * 3)
        return failed("malloc calls were lost");
    return 0;
}

/* ---- the tests ---- */

/* Returns the exit status, after complaining about anything but success or `other`. */
static int run_role(const char *role, const char *const extra[], int other)
{
    struct child child;

    child_run_role(&child, role, extra);
    if (WIFEXITED(child.status) && WEXITSTATUS(child.status) == other)
        return other;
    ck_assert_msg(child_succeeded(&child), "%s: status %#x: %s", role, child.status, child.message);
    ck_assert_str_eq(child.output, "");
    ck_assert_str_eq(child.message, "");
    return 0;
}

/* The loop index of the next three: FASTSYNC_PI=1. */
START_TEST(a_thread_of_a_fork_child_waits_for_a_lock_that_the_child_inherited)
{
    const char *const extra[] = {_i ? "FASTSYNC_PI=1" : NULL, NULL};

    run_role("child", extra, 0);
}
END_TEST

START_TEST(a_thread_with_the_id_of_a_daemons_launcher_excludes_the_daemon)
{
    const char *const extra[] = {_i ? "FASTSYNC_PI=1" : NULL, NULL};

    if (run_role("daemon", extra, NAMESPACE_REFUSED) == NAMESPACE_REFUSED)
        printf("SKIP a_thread_with_the_id_of_a_daemons_launcher_excludes_the_daemon: "
               "no permission for a pid namespace\n");
}
END_TEST

START_TEST(a_sandbox_without_FUTEX_LOCK_PI_fails_no_ordinary_lock)
{
    const char *const extra[] = {_i ? "FASTSYNC_PI=1" : NULL, NULL};

    run_role("sandbox", extra, 0);
}
END_TEST

START_TEST(a_timed_wait_with_a_PI_mutex_times_out_in_a_sandbox_without_FUTEX_WAIT_REQUEUE_PI)
{
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    pthread_mutexattr_t attr;
    struct timespec end;
    int error = 0;

    ck_assert_int_eq(pthread_mutexattr_init(&attr), 0);
    ck_assert_int_eq(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
    ck_assert_int_eq(pthread_mutex_init(&mutex, &attr), 0);
    ck_assert(refuse(FUTEX_WAIT_REQUEUE_PI, FUTEX_WAIT_REQUEUE_PI));
    ck_assert_int_eq(pthread_mutex_lock(&mutex), 0);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec++;
    while (error == 0)
        error = pthread_cond_timedwait(&condition, &mutex, &end);
    ck_assert_int_eq(error, ETIMEDOUT);
    ck_assert_int_eq(pthread_mutex_trylock(&mutex), EBUSY);
    ck_assert_int_eq(pthread_mutex_unlock(&mutex), 0);
}
END_TEST

/* The loop index: bit 0, which library stands in front; bit 1, FASTSYNC=0; bit 2, whether malloc
   initialises its mutexes. */
START_TEST(a_malloc_with_mutexes_works_in_every_order_switched_on_or_off)
{
    const char *ours = getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "";
    const char *theirs = _i & 4 ? MALLOC_INITIALISES_PATH : MALLOC_PATH;
    char both[8192];

    snprintf(both, sizeof both, "LD_PRELOAD=%s:%s", _i & 1 ? ours : theirs, _i & 1 ? theirs : ours);
    const char *const extra[] = {both, _i & 2 ? "FASTSYNC=0" : NULL, NULL};
    run_role("malloc", extra, 0);
}
END_TEST

#ifdef __GLIBC__ /* musl ignores bits that it does not know */
/* Bits that no type has, two protocols at once, or a robust priority ceiling. */
static bool is_no_kind(int kind)
{
    return kind & 0x0c || (kind & 0x60) == 0x60 || (kind & 0x50) == 0x50;
}

START_TEST(a_mutex_of_no_known_kind_gives_EINVAL)
{
    struct timespec past = {1, 0};

    for (int kind = 0; kind < 256; kind++) {
        pthread_mutex_t odd = PTHREAD_MUTEX_INITIALIZER;

        if (!is_no_kind(kind))
            continue;
        odd.__data.__kind = kind;
        ck_assert_msg(pthread_mutex_lock(&odd) == EINVAL, "lock of kind %#x", kind);
        ck_assert_msg(pthread_mutex_trylock(&odd) == EINVAL, "trylock of kind %#x", kind);
        ck_assert_msg(pthread_mutex_timedlock(&odd, &past) == EINVAL, "timedlock of kind %#x",
                      kind);
        ck_assert_msg(pthread_mutex_unlock(&odd) == EINVAL, "unlock of kind %#x", kind);
    }
}
END_TEST
#endif

/* ---- held twice, and not consistent: the owner field does not name the holder ---- */

static pthread_mutex_t heirloom;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int came_back;

static void *die_holding_it(void *unused)
{
    ck_assert_int_eq(pthread_mutex_lock(&heirloom), 0);
    return unused;
}

/* With glibc the inner unlock, and so the wait, gives ENOTRECOVERABLE; musl's wait takes the owner
   for a stranger. */
#ifdef __GLIBC__
#define ERROR_OF_LIBC ENOTRECOVERABLE
#else
#define ERROR_OF_LIBC EPERM
#endif

static void *inherit_and_wait(void *unused)
{
    bool is_libc = dlsym(RTLD_DEFAULT, "fastsync_version") == NULL;

    ck_assert_int_eq(pthread_mutex_lock(&heirloom), EOWNERDEAD);
    ck_assert_int_eq(pthread_mutex_lock(&heirloom), 0);
    ck_assert_int_eq(pthread_cond_wait(&changed, &heirloom), is_libc ? ERROR_OF_LIBC : 0);
    __atomic_store_n(&came_back, 1, __ATOMIC_RELEASE);
    if (is_libc)
        return unused;
    ck_assert_int_eq(pthread_mutex_unlock(&heirloom), 0);
    ck_assert_int_eq(pthread_mutex_consistent(&heirloom), 0);
    ck_assert_int_eq(pthread_mutex_unlock(&heirloom), 0);
    return unused;
}

START_TEST(a_wait_at_depth_two_with_an_inconsistent_PI_mutex_is_signalled)
{
    pthread_mutexattr_t attr;
    pthread_t thread;

    ck_assert_int_eq(pthread_mutexattr_init(&attr), 0);
    ck_assert_int_eq(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE), 0);
    ck_assert_int_eq(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    ck_assert_int_eq(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
    ck_assert_int_eq(pthread_mutex_init(&heirloom, &attr), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, die_holding_it, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, inherit_and_wait, NULL), 0);
    for (; !__atomic_load_n(&came_back, __ATOMIC_ACQUIRE); usleep(10000))
        ck_assert_int_eq(pthread_cond_signal(&changed), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static void start_watchdog(void)
{
    watchdog_name("regress");
    watchdog_start(50, 0);
}

static int run_suite(void)
{
    Suite *suite = suite_create("regress");
    TCase *tcase = tcase_create("regress");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_watchdog, watchdog_stop);
    tcase_add_loop_test(tcase, a_thread_of_a_fork_child_waits_for_a_lock_that_the_child_inherited,
                        0, 2);
    tcase_add_loop_test(tcase, a_thread_with_the_id_of_a_daemons_launcher_excludes_the_daemon, 0,
                        2);
    tcase_add_loop_test(tcase, a_sandbox_without_FUTEX_LOCK_PI_fails_no_ordinary_lock, 0, 2);
    tcase_add_test(
        tcase, a_timed_wait_with_a_PI_mutex_times_out_in_a_sandbox_without_FUTEX_WAIT_REQUEUE_PI);
    tcase_add_loop_test(tcase, a_malloc_with_mutexes_works_in_every_order_switched_on_or_off, 0, 8);
#ifdef __GLIBC__
    tcase_add_test(tcase, a_mutex_of_no_known_kind_gives_EINVAL);
#endif
    tcase_add_test(tcase, a_wait_at_depth_two_with_an_inconsistent_PI_mutex_is_signalled);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } roles[] = {
        {"child", child_role},
        {"daemon", daemon_role},
        {"sandbox", sandbox_role},
        {"malloc", malloc_role},
    };

    for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(argv[1], roles[i].name) == 0)
            return roles[i].run();
    }
    return argc > 1 ? 64 : run_suite();
}
