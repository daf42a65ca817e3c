/* SPDX-License-Identifier: MIT */
/* The watcher is a process made by a raw clone(2): no fork handler of the test
   runs, and with exit signal 0 no wait(2) of the test reaps it. It reads the
   test's memory with process_vm_readv(2), has a debugger print the stacks, then
   sends a signal whose handler calls _exit(1), and SIGKILL if that has no
   effect. Between clone and exec it uses only system calls and snprintf. */
#include "watchdog.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_WORDS = 64,
    DEBUGGER_SECONDS = 60,
};

struct area {
    const char *name;
    const void *address;
    size_t size;
};

static struct area areas[WATCHDOG_AREAS];
static size_t area_count;
static const char *test_name = "(unnamed)";
static uint64_t test_seed;
static pid_t watcher;

static int end_signal(void)
{
    return SIGRTMAX - 1;
}

static void end_with_failure(int sig)
{
    _exit(1);
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length > (int)sizeof line - 1)
        length = sizeof line - 1;
    for (int done = 0; done < length;) {
        ssize_t n = write(STDERR_FILENO, line + done, (size_t)(length - done));
        if (n <= 0)
            return;
        done += (int)n;
    }
}

static bool read_other(pid_t pid, const void *remote, void *local, size_t size)
{
    struct iovec to = {local, size};
    struct iovec from = {(void *)(uintptr_t)remote, size};

    return process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)size;
}

static void report_area(pid_t pid, const struct area *area)
{
    uint32_t words[MAX_WORDS];
    size_t size = area->size < sizeof words ? area->size & ~(size_t)3 : sizeof words;

    say("watchdog: %s at %p, %zu bytes:", area->name, area->address, area->size);
    if (!read_other(pid, area->address, words, size)) {
        say(" unreadable\n");
        return;
    }
    for (size_t i = 0; i < size / 4; i++)
        say("%s%08x", i % 8 == 0 ? "\n    " : " ", words[i]);
    say("%s\n", size < area->size ? " ..." : "");
}

/* The debugger must not be preloaded with the library under test. */
static char **environment_without_preload(void)
{
    static char *kept[512];
    size_t n = 0;

    for (char **e = environ; e && *e && n < 511; e++) {
        if (strncmp(*e, "LD_PRELOAD=", 11) != 0)
            kept[n++] = *e;
    }
    kept[n] = NULL;
    return kept;
}

static bool run_debugger(char *const argv[])
{
    int status;

    if (access(argv[0], X_OK) != 0)
        return false;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        alarm(DEBUGGER_SECONDS);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execve(argv[0], argv, environment_without_preload());
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 127;
}

static void report_stacks(pid_t pid)
{
    char text[16];
    snprintf(text, sizeof text, "%d", (int)pid);
    char *eu_stack[] = {(char[]){"/usr/bin/eu-stack"}, (char[]){"-p"}, text, NULL};
    char *gdb[] = {(char[]){"/usr/bin/gdb"},
                   (char[]){"-nx"},
                   (char[]){"-p"},
                   text,
                   (char[]){"-batch"},
                   (char[]){"-ex"},
                   (char[]){"thread apply all bt"},
                   NULL};

    if (!run_debugger(eu_stack) && !run_debugger(gdb))
        say("watchdog: no stacks: neither eu-stack nor gdb could be run\n");
}

static void report(pid_t pid, unsigned seconds)
{
    struct area seen[WATCHDOG_AREAS];
    size_t count = 0;

    say("\nwatchdog: test %s did not end within %u s, seed %llu, process %d\n", test_name, seconds,
        (unsigned long long)test_seed, (int)pid);
    if (read_other(pid, &area_count, &count, sizeof count) &&
        read_other(pid, areas, seen, sizeof seen)) {
        for (size_t i = 0; i < count && i < WATCHDOG_AREAS; i++) {
            char name[64] = "";
            if (read_other(pid, seen[i].name, name, sizeof name - 1) ||
                read_other(pid, seen[i].name, name, 8))
                seen[i].name = name;
            report_area(pid, &seen[i]);
        }
    } else {
        say("watchdog: the memory of the process cannot be read\n");
    }
    report_stacks(pid);
}

/* Sleeps until the deadline; false when the watched process ended before it. */
static bool outlives(pid_t pid, int pidfd, unsigned seconds)
{
    if (pidfd >= 0) {
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        int n;
        while ((n = poll(&ended, 1, (int)seconds * 1000)) < 0 && errno == EINTR)
            continue;
        return n == 0;
    }
    for (unsigned tick = 0; tick < seconds * 20; tick++) {
        poll(NULL, 0, 50);
        if (getppid() != pid)
            return false;
    }
    return true;
}

__attribute__((noreturn)) static void watch(pid_t pid, unsigned seconds)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (getppid() != pid || !outlives(pid, pidfd, seconds))
        _exit(0);
    report(pid, seconds);
    kill(pid, end_signal());
    if (outlives(pid, pidfd, 2))
        kill(pid, SIGKILL);
    _exit(0);
}

/* Under qemu's user mode clone(2) makes no process without an exit signal: there the test's wait(2)
   could see the watcher. */
static pid_t begin_watcher(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);

    return child < 0 && errno == EINVAL ? _Fork() : child;
}

void watchdog_name(const char *test)
{
    test_name = test;
}

void watchdog_watch(const char *name, const void *area, size_t size)
{
    if (area_count == WATCHDOG_AREAS)
        return;
    areas[area_count] = (struct area){name, area, size};
    area_count++;
}

void watchdog_forget(void)
{
    area_count = 0;
}

void watchdog_start(unsigned seconds, uint64_t seed)
{
    struct sigaction end = {.sa_handler = end_with_failure};

    watchdog_stop();
    test_seed = seed;
    sigaction(end_signal(), &end, NULL);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    pid_t self = getpid();
    pid_t child = begin_watcher();
    if (child == 0)
        watch(self, seconds);
    if (child < 0) {
        say("watchdog: cannot start: %s\n", strerror(errno));
        _exit(1);
    }
    watcher = child;
}

void watchdog_stop(void)
{
    if (watcher <= 0)
        return;
    /* A fork child inherits the number, but the watcher is not its child. */
    siginfo_t info;
    if (waitid(P_PID, (id_t)watcher, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0) {
        kill(watcher, SIGKILL);
        waitpid(watcher, NULL, __WALL);
    }
    watcher = 0;
}
