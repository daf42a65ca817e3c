/* SPDX-License-Identifier: MIT */
/* The part of check.h that is not inline: running and counting cases, output without stdio, and the
   loader's functions, which are weak so that they are null on macOS. */
#include "check.h"

#include <string.h>
#include <unistd.h>

__attribute__((weak_import)) uint64_t loader_count(const char *name);
__attribute__((weak_import)) int loader_asleep(void);
__attribute__((weak_import)) void loader_poll(const int *word, int least);
__attribute__((weak_import)) const char *loader_emulator(void);
__attribute__((weak_import)) void *loader_native(const char *name);
__attribute__((weak_import)) void loader_step_wall_clock(int64_t ns);

static bool has_library;
static bool failed;
static const char *skipped;

static void say(const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, text, size);

        if (written <= 0)
            return;
        text += written;
        size -= (size_t)written;
    }
}

static void say_number(int64_t number)
{
    char text[24];
    unsigned at = sizeof text - 1;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        text[--at] = '-';
    say(text + at);
}

void check_that(bool holds, const char *what, int line)
{
    if (holds)
        return;
    __atomic_store_n(&failed, true, __ATOMIC_SEQ_CST);
    say("  line ");
    say_number(line);
    say(": not so: ");
    say(what);
    say("\n");
}

void check_int(int64_t value, int64_t expected, const char *what, int line)
{
    if (value == expected)
        return;
    check_that(false, what, line);
    say("  it is ");
    say_number(value);
    say(", not ");
    say_number(expected);
    say("\n");
}

void check_skip(const char *reason)
{
    skipped = reason;
}

static void end_case(const char *name, int *failures)
{
    if (failed) {
        say("not ok ");
        (*failures)++;
    } else if (skipped) {
        say("SKIP ");
    } else {
        say("ok ");
    }
    say(name);
    if (skipped) {
        say(": ");
        say(skipped);
    }
    say("\n");
}

static void sum_up(int cases, int failures)
{
    say_number(cases > 0 ? 100 * (cases - failures) / cases : 0);
    say("%: Checks: ");
    say_number(cases);
    say(", Failures: ");
    say_number(failures);
    say(", Errors: 0\n");
}

/* Otherwise the other cases would say nothing about whom they are meant for. */
static void the_arm_is_the_one_that_was_asked_for(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    uint64_t before;

    if (!check_has_loader()) {
        check_skip("macOS does not tell who is called");
        return;
    }
    before = check_calls("pthread_mutex_lock");
    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
    CHECK_INT(check_calls("pthread_mutex_lock") - before, has_library ? 0 : 1);
}

static void run_case(const struct check_case *one, int *failures)
{
    failed = false;
    skipped = NULL;
    say("case ");
    say(one->name);
    say("\n");
    one->run();
    end_case(one->name, failures);
}

int check_main(int argc, char **argv, const struct check_case *cases)
{
    static const struct check_case arm = CHECK_CASE(the_arm_is_the_one_that_was_asked_for);
    int count = 1;
    int failures = 0;

    if (argc < 2 || (strcmp(argv[1], "native") != 0 && strcmp(argv[1], "fastsync") != 0)) {
        say("the first argument is native or fastsync\n");
        return 2;
    }
    has_library = strcmp(argv[1], "fastsync") == 0;
    run_case(&arm, &failures);
    for (; cases->name; cases++) {
        if (argc > 2 && strcmp(argv[2], cases->name) != 0)
            continue;
        if (cases->of_library && !has_library)
            continue;
        run_case(cases, &failures);
        count++;
    }
    sum_up(count, failures);
    return failures > 0 || count == 1;
}

bool check_has_failed(void)
{
    return failed;
}

bool check_has_library(void)
{
    return has_library;
}

bool check_has_loader(void)
{
    return loader_count != NULL;
}

bool check_has_qemu(void)
{
    const char *name = check_has_loader() ? loader_emulator() : NULL;

    return name && strcmp(name, "qemu") == 0;
}

uint64_t check_calls(const char *name)
{
    return loader_count(name);
}

void *check_native(const char *name)
{
    return loader_native(name);
}

void check_step_wall_clock(int64_t ns)
{
    loader_step_wall_clock(ns);
}

/* ---- threads and time -------------------------------------------------------------- */

void check_start(pthread_t *thread, void *(*start)(void *), void *argument)
{
    CHECK_INT(pthread_create(thread, NULL, start, argument), 0);
}

void *check_join(pthread_t thread)
{
    void *result = NULL;

    CHECK_INT(pthread_join(thread, &result), 0);
    return result;
}

void check_pause(int64_t ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

void check_until_asleep(int count)
{
    if (!check_has_loader())
        check_pause(100);
    else
        while (loader_asleep() < count)
            check_pause(1);
}

void check_until(const int *word, int least)
{
    if (check_has_loader())
        loader_poll(word, least);
    while (check_load(word) < least)
        check_pause(1);
}

struct timespec check_after(int64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec < 0) {
        at.tv_nsec += 1000000000;
        at.tv_sec--;
    }
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

int64_t check_now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
