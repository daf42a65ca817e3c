/* SPDX-License-Identifier: MIT */
/*
 * What the demonstrations share: time, numbers from the command line, real-time priorities, and
 * the end of a program. Each prints lines "name=value" for `fastsync doctor` and ends with
 * 0 (no fault seen), 1 (the fault was shown), 77 (this machine cannot show it: reason=...).
 */
#ifndef DEMONSTRATIONS_DEMONSTRATION_H
#define DEMONSTRATIONS_DEMONSTRATION_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { NOT_SHOWN = 0, SHOWN = 1, BROKEN = 2, CANNOT = 77 };

/* For calls that cannot fail in a sound program. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        int must_error_ = (call);                                                                  \
        if (must_error_ != 0) {                                                                    \
            fprintf(stderr, "%s: %s\n", #call, strerror(must_error_));                             \
            exit(BROKEN);                                                                          \
        }                                                                                          \
    } while (0)

__attribute__((unused)) static double seconds_on(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

__attribute__((unused)) static void sleep_s(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) != 0) {
    }
}

__attribute__((unused)) static double number_or_exit(const char *text)
{
    char *end = NULL;
    double value = text ? strtod(text, &end) : -1;
    if (text == NULL || end == text || *end != '\0' || !(value >= 0 && value < 1e9)) {
        fprintf(stderr, "not a number: %s\n", text ? text : "(missing)");
        exit(BROKEN);
    }
    return value;
}

/* Whose locks these are: libc's, or the library's if it was preloaded. */
__attribute__((unused)) static void report_implementation(void)
{
    printf("implementation=%s\n", dlsym(RTLD_DEFAULT, "fastsync_version") ? "library" : "libc");
}

__attribute__((noreturn, unused)) static void cannot(const char *what, int error)
{
    printf("reason=%s: %s\n", what, strerror(error));
    exit(CANNOT);
}

/* 0 or an error number; priority 0 is the ordinary one. */
__attribute__((unused)) static int set_priority(pthread_t thread, int priority)
{
    struct sched_param param = {.sched_priority = priority};
    return pthread_setschedparam(thread, priority ? SCHED_FIFO : SCHED_OTHER, &param);
}

__attribute__((unused)) static void require_real_time(void)
{
    int error = set_priority(pthread_self(), 1);
    if (error)
        cannot("SCHED_FIFO is refused", error);
    MUST(set_priority(pthread_self(), 0));
}

/* The n-th CPU that this program may use, counted from the end; -1 if it has fewer. */
__attribute__((unused)) static int usable_cpu(int n)
{
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return -1;
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
        if (CPU_ISSET(cpu, &all) && n-- == 0)
            return cpu;
    }
    return -1;
}

/* The calling thread and those that it creates from now on stay on this CPU. */
__attribute__((unused)) static void pin_to(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    MUST(pthread_setaffinity_np(pthread_self(), sizeof one, &one));
}

/* The state letter of a thread of this process; 0 when it is gone. */
__attribute__((unused)) static char thread_state(pid_t tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] ? end[2] : 0;
}

__attribute__((unused)) static pid_t my_tid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

#endif
