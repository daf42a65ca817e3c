/* SPDX-License-Identifier: MIT */
/*
 * Helpers for the plain POSIX programs of the conformance suite: deadlines, threads that report
 * their id, "wait until it sleeps", children, skips, and a call that checks result and errno.
 * Include it before any other header. What is tested is decided by each program.
 */
#ifndef TESTS_SUPPORT_CONFORM_H
#define TESTS_SUPPORT_CONFORM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#define DESTROY_IN_USE EBUSY /* to destroy a mutex in use */
#else
#include "musl.h"
#endif

#define CONFORM_TIMEOUT 60.0 /* seconds for one test; tests/conform/meson.build allows more */
#define CONFORM_ERRNO 4711   /* no error has this number */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What the running test is about (the kind of an object, say): every failed EXPECT shows it. */
__attribute__((unused)) static const char *conform_context = "here";

/* EXPECT(call, want): the call returns want and leaves errno alone. Usable in any thread, and cheap
 * enough for a loop: Check hears only of failures. */
#define EXPECT(call, want)                                                                         \
    do {                                                                                           \
        errno = CONFORM_ERRNO;                                                                     \
        int expect_got_ = (call);                                                                  \
        int expect_errno_ = errno;                                                                 \
        int expect_want_ = (want);                                                                 \
        if (expect_got_ != expect_want_)                                                           \
            ck_abort_msg("%s: %s gives %d (%s), not %d (%s)", conform_context, #call, expect_got_, \
                         strerrorname(expect_got_), expect_want_, strerrorname(expect_want_));     \
        if (expect_errno_ != CONFORM_ERRNO)                                                        \
            ck_abort_msg("%s: %s changes errno to %d", conform_context, #call, expect_errno_);     \
    } while (0)

#define OK(call) EXPECT(call, 0)

/* An assertion that costs nothing while it holds, so that it may stand in threads and children. */
#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

/* SKIP_TEST("reason %s", why): one line on stdout, and out of the test. */
#define SKIP_TEST(...)                                                                             \
    do {                                                                                           \
        skip_line(__func__, __VA_ARGS__);                                                          \
        return;                                                                                    \
    } while (0)

__attribute__((unused)) static const char *strerrorname(int error)
{
    const char *name = strerrorname_np(error);
    return name ? name : "?";
}

/* Check names the function of test x "x_fn". */
__attribute__((unused, format(printf, 2, 3))) static void skip_line(const char *function,
                                                                    const char *format, ...)
{
    size_t length = strlen(function);
    if (length > 3 && strcmp(function + length - 3, "_fn") == 0)
        length -= 3;
    printf("SKIP %.*s: ", (int)length, function);
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
    fflush(stdout);
}

/* FASTSYNC_SOAK asks for the long run, unless it is empty or 0. */
__attribute__((unused)) static bool is_soak(void)
{
    const char *soak = getenv("FASTSYNC_SOAK");
    return soak && *soak && strcmp(soak, "0") != 0;
}

/* How often to do what only repeats, and of what many are needed: an emulator, which works a
 * millisecond to start a thread, gets through a tenth. The build of Check for a target tells. */
__attribute__((unused)) static int repeats(int count)
{
#ifdef EMULATOR_SYS_FUTEX
    return (count + 9) / 10;
#else
    return count;
#endif
}

/* ---- time ---- */

/* The shortest pause of a loop. */
__attribute__((unused)) static inline void pause_spinning(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/* Both ends of time_t, and the moment in it that is nearest to a number of seconds. */
#define TIME_END ((time_t)(sizeof(time_t) == 8 ? INT64_MAX : INT32_MAX))
#define TIME_BEGINNING ((time_t)(sizeof(time_t) == 8 ? INT64_MIN : INT32_MIN))
#define NEAREST_TIME(s)                                                                            \
    ((time_t)((s) > TIME_END ? TIME_END : (s) < TIME_BEGINNING ? TIME_BEGINNING : (s)))

__attribute__((unused)) static struct timespec time_on(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now;
}

/* An absolute deadline; ms may be negative for one that has passed. */
__attribute__((unused)) static struct timespec deadline_in_ms(clockid_t clock, long ms)
{
    struct timespec t = time_on(clock);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_nsec -= 1000000000L;
        t.tv_sec++;
    } else if (t.tv_nsec < 0) {
        t.tv_nsec += 1000000000L;
        t.tv_sec--;
    }
    return t;
}

/* True once the deadline has been reached: what "never early" asserts after a time-out. */
__attribute__((unused)) static bool deadline_passed(clockid_t clock, struct timespec deadline)
{
    struct timespec now = time_on(clock);
    return now.tv_sec > deadline.tv_sec ||
           (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec);
}

__attribute__((unused)) static double elapsed_ms(clockid_t clock, struct timespec since)
{
    struct timespec now = time_on(clock);
    return (double)(now.tv_sec - since.tv_sec) * 1e3 + (double)(now.tv_nsec - since.tv_nsec) / 1e6;
}

__attribute__((unused)) static void sleep_ms(long ms)
{
    struct timespec end = deadline_in_ms(CLOCK_MONOTONIC, ms);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR) {
    }
}

/* ---- threads ---- */

/* A zeroed thread that thread_start has filled; tid is known when thread_start returns. */
struct thread {
    pthread_t id;
    pid_t tid;
    void *(*body)(void *);
    void *argument;
};

__attribute__((unused)) static void *thread_trampoline(void *argument)
{
    struct thread *t = argument;
    void *(*body)(void *) = t->body;
    void *body_argument = t->argument;
    __atomic_store_n(&t->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    return body(body_argument);
}

__attribute__((unused)) static void thread_start_with(struct thread *t, const pthread_attr_t *attr,
                                                      void *(*body)(void *), void *argument)
{
    t->tid = 0;
    t->body = body;
    t->argument = argument;
    int error = pthread_create(&t->id, attr, thread_trampoline, t);
    REQUIRE(error == 0, "pthread_create: %s", strerror(error));
    while (__atomic_load_n(&t->tid, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
}

__attribute__((unused)) static void thread_start(struct thread *t, void *(*body)(void *),
                                                 void *argument)
{
    thread_start_with(t, NULL, body, argument);
}

__attribute__((unused)) static void *thread_join(struct thread *t)
{
    void *result = NULL;
    int error = pthread_join(t->id, &result);
    REQUIRE(error == 0, "pthread_join: %s", strerror(error));
    return result;
}

/* Runs the body in a new thread to its end. */
__attribute__((unused)) static void *in_thread(void *(*body)(void *), void *argument)
{
    struct thread t;
    thread_start(&t, body, argument);
    return thread_join(&t);
}

/* The state letter of a thread of any process; 0 when it is gone. */
__attribute__((unused)) static char thread_state(pid_t tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)tid, (int)tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] ? end[2] : 0;
}

/* Returns when the thread was seen asleep several times in a row; fails the test after 20 s. */
__attribute__((unused)) static void wait_until_asleep(pid_t tid)
{
    struct timespec begin = time_on(CLOCK_MONOTONIC);
    for (int seen = 0; seen < 4;) {
        char state = thread_state(tid);
        REQUIRE(state != 0, "thread %d has ended instead of sleeping", (int)tid);
        REQUIRE(elapsed_ms(CLOCK_MONOTONIC, begin) < 20000, "thread %d never sleeps: %c", (int)tid,
                state);
        seen = state == 'S' ? seen + 1 : 0;
        sleep_ms(1);
    }
}

/* Spins politely until *flag is at least value; fails the test after 20 s. */
__attribute__((unused)) static void wait_for_flag(const int *flag, int value)
{
    struct timespec begin = time_on(CLOCK_MONOTONIC);
    while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) < value) {
        REQUIRE(elapsed_ms(CLOCK_MONOTONIC, begin) < 20000, "flag never reaches %d", value);
        sleep_ms(1);
    }
}

__attribute__((unused)) static void raise_flag(int *flag, int value)
{
    __atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

/* ---- processes ---- */

/* Zeroed memory that forked children share. */
__attribute__((unused)) static void *shared_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(p != MAP_FAILED, "mmap: %s", strerror(errno));
    return p;
}

/* A forked child that runs the body and ends with _exit; 0 from the body means success. */
__attribute__((unused)) static pid_t child_start(int (*body)(void *), void *argument)
{
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0)
        _exit(body(argument));
    return pid;
}

/* The wait status of an ended child. */
__attribute__((unused)) static int child_wait(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0)
        REQUIRE(errno == EINTR, "waitpid: %s", strerror(errno));
    return status;
}

/* Waits for the child and demands that it ended by _exit(0). */
__attribute__((unused)) static void child_join(pid_t pid)
{
    int status = child_wait(pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with status %#x",
            status);
}

/* ---- programs ---- */

__attribute__((unused)) static TCase *conform_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, CONFORM_TIMEOUT);
    suite_add_tcase(suite, tcase);
    return tcase;
}

/* The loader only says so and goes on when it cannot preload: then a run with the library would be
   one with libc. */
__attribute__((unused)) static bool library_is_missing(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "libfastsync") && !dlsym(RTLD_DEFAULT, "fastsync_cond_wait");
}

/* The end of every main: return conform_run(suite). */
__attribute__((unused)) static int conform_run(Suite *suite)
{
    if (library_is_missing()) {
        fprintf(stderr, "the library that LD_PRELOAD names is not there\n");
        return 1;
    }
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
