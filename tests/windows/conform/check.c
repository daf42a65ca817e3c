/* SPDX-License-Identifier: MIT */
/* Running and counting cases, threads and time, as check.h says. A case that hangs is ended by a
   watchdog, with its name. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define CASE_LIMIT_MS 60000 /* one case, against hangs */
#define NS_PER_MS 1000000
#define NS_PER_S 1000000000

static bool has_library;
static int failures_of_case;
static const char *skipped;
static const char *context;
static const char *running;
static int cases_begun;

bool check_that(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return true;
    check_add(&failures_of_case, 1);
    printf("  %s:%d: %s%snot so: %s\n", file, line, context ? context : "", context ? ": " : "",
           what);
    fflush(stdout);
    return false;
}

bool check_int(int64_t value, int64_t expected, const char *what, const char *file, int line)
{
    char text[256];

    if (value == expected)
        return true;
    snprintf(text, sizeof text, "%s is %lld, not %lld", what, (long long)value,
             (long long)expected);
    return check_that(false, text, file, line);
}

void check_context(const char *what)
{
    context = what;
}

void check_skip(const char *reason)
{
    skipped = reason;
}

bool check_has_library(void)
{
    return has_library;
}

static DWORD WINAPI watch(void *nothing)
{
    int begun;

    do {
        begun = check_load(&cases_begun);
        Sleep(CASE_LIMIT_MS);
    } while (check_load(&cases_begun) != begun);
    printf("not ok %s: it hangs\n", running);
    fflush(stdout);
    return !TerminateProcess(GetCurrentProcess(), 1);
}

/* Otherwise the other cases would say nothing about whom they are meant for. */
static void the_arm_is_the_one_that_was_asked_for(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;

    OK(pthread_mutex_lock(&mutex));
    OK(pthread_cond_init(&cond, NULL));
    OK(pthread_rwlock_init(&rwlock, NULL));
    CHECK_INT(check_is_ours(mutex), has_library);
    CHECK_INT(check_is_ours(cond), has_library);
    CHECK_INT(check_is_ours(rwlock), has_library);
}

/* The same for the programs of Win32's locks. What the library has of a critical section names a
   record of the library's, and what it has in use of an SRW lock its highest bit. */
static void win32_is_whose_it_should_be(void)
{
    static CRITICAL_SECTION section = {(void *)-1, -1, 0, 0, 0, 0};
    SRWLOCK lock = SRWLOCK_INIT;

    EnterCriticalSection(&section);
    CHECK_INT(check_is_of_library(section.DebugInfo), has_library);
    LeaveCriticalSection(&section);
    AcquireSRWLockShared(&lock);
    CHECK_INT((intptr_t)lock.Ptr < 0, has_library);
    ReleaseSRWLockShared(&lock);
    CHECK(!lock.Ptr);
}

bool check_is_of_library(const void *address)
{
    HMODULE owner = NULL;

    return GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                  GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                              address, &owner) &&
           owner && owner == GetModuleHandleA("fastsync.dll");
}

static bool run_case(const struct check_case *one)
{
    failures_of_case = 0;
    skipped = one->only_ours && !has_library ? one->only_ours : NULL;
    context = NULL;
    running = one->name;
    check_add(&cases_begun, 1);
    if (!skipped)
        one->run();
    if (failures_of_case > 0)
        printf("not ok %s\n", one->name);
    else if (skipped)
        printf("SKIP %s: %s\n", one->name, skipped);
    else
        printf("ok %s\n", one->name);
    fflush(stdout);
    return failures_of_case == 0;
}

int check_main(int argc, char **argv, const struct check_case *cases)
{
    static const struct {
        const char *name;
        bool has_library;
        struct check_case first;
    } arms[] = {
        {"winpthreads", false, CHECK_CASE(the_arm_is_the_one_that_was_asked_for)},
        {"fastsync", true, CHECK_CASE(the_arm_is_the_one_that_was_asked_for)},
        {"system", false, CHECK_CASE(win32_is_whose_it_should_be)},
        {"win32", true, CHECK_CASE(win32_is_whose_it_should_be)},
    };
    int count = 1;
    int failures;
    int arm = 0;

    while (arm < 4 && (argc < 2 || strcmp(argv[1], arms[arm].name) != 0))
        arm++;
    if (arm == 4) {
        fprintf(stderr, "usage: %s winpthreads|fastsync|system|win32 [CASE]\n", argv[0]);
        return 2;
    }
    has_library = arms[arm].has_library;
    CloseHandle(CreateThread(NULL, 0, watch, NULL, 0, NULL));
    failures = !run_case(&arms[arm].first);
    for (; cases->name; cases++) {
        if (argc > 2 && strcmp(argv[2], cases->name) != 0)
            continue;
        failures += !run_case(cases);
        count++;
    }
    printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n", 100 * (count - failures) / count, count,
           failures);
    return failures > 0;
}

/* ---- threads ----------------------------------------------------------------- */

static void *trampoline(void *argument)
{
    struct thread *thread = argument;

    thread->result = thread->body(thread->argument);
    return thread;
}

void thread_start(struct thread *thread, int (*body)(void *), void *argument)
{
    thread->body = body;
    thread->argument = argument;
    thread->result = NO_ANSWER;
    OK(pthread_create(&thread->id, NULL, trampoline, thread));
}

int thread_join(struct thread *thread)
{
    OK(pthread_join(thread->id, NULL));
    return thread->result;
}

int in_thread(int (*body)(void *), void *argument)
{
    struct thread thread;

    thread_start(&thread, body, argument);
    return thread_join(&thread);
}

void check_until(const int *word, int least)
{
    while (check_load(word) < least)
        Sleep(1);
}

/* ---- time --------------------------------------------------------------------- */

void check_pause(int ms)
{
    Sleep((DWORD)ms);
}

struct timespec check_after(int ms)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * NS_PER_MS;
    if (at.tv_nsec >= NS_PER_S) {
        at.tv_nsec -= NS_PER_S;
        at.tv_sec++;
    } else if (at.tv_nsec < 0) {
        at.tv_nsec += NS_PER_S;
        at.tv_sec--;
    }
    return at;
}

/* winpthreads counts in milliseconds. */
bool check_is_past(struct timespec at)
{
    struct timespec now = check_after(has_library ? 0 : 1);

    return now.tv_sec > at.tv_sec || (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec);
}

int64_t check_now_ms(void)
{
    LARGE_INTEGER count;
    LARGE_INTEGER per_sec;

    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&per_sec);
    return count.QuadPart * 1000 / per_sec.QuadPart;
}
