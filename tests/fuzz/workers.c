/* SPDX-License-Identifier: MIT */
/*
 * The threads of workers.h. That nothing moves any more is read from the kernel: a thread that
 * sleeps ('S'), and whose count of times it was given a processor is the same as a moment before,
 * has not run in between; once that holds for all of them at once, nobody is left to wake another.
 */
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct worker workers[THREADS];

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store_and_wake(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void finish(struct worker *w, int result)
{
    w->result = result;
    w->was_early = result == ETIMEDOUT && !time_is_past(w->order.clock, &w->order.deadline);
    __atomic_store_n(&w->finished, w->taken, __ATOMIC_RELEASE);
}

/* The thread unwinds: its last order was a wait, and the mutex has been unlocked. */
static void finish_cancelled(void *worker)
{
    finish(worker, CANCELLED);
}

static void *work(void *argument)
{
    struct worker *w = argument;

    pthread_cleanup_push(finish_cancelled, w);
    __atomic_store_n(&w->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    for (bool goes_on = true; goes_on;) {
        uint32_t ordered;

        while ((ordered = load(&w->ordered)) == w->taken)
            syscall(SYS_futex, &w->ordered, FUTEX_WAIT_PRIVATE, ordered, NULL, NULL, 0);
        w->taken = ordered;
        goes_on = w->order.call.op != OP_EXIT;
        finish(w, perform(&w->order));
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static int open_of_thread(pid_t tid, const char *name)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)tid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(path);
        exit(2);
    }
    return fd;
}

static void start(struct worker *w)
{
    int err;

    w->tid = 0;
    w->taken = w->finished = w->ordered;
    err = pthread_create(&w->id, NULL, work, w);
    if (err != 0) {
        fprintf(stderr, "pthread_create: %s\n", strerror(err));
        exit(2);
    }
    while (__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    w->state_fd = open_of_thread(w->tid, "stat");
    w->ran_fd = open_of_thread(w->tid, "schedstat");
}

void workers_start(void)
{
    for (int t = 0; t < THREADS; t++)
        start(&workers[t]);
}

void worker_replace(int t)
{
    close(workers[t].state_fd);
    close(workers[t].ran_fd);
    pthread_join(workers[t].id, NULL);
    start(&workers[t]);
}

void worker_order(int t, const struct order *order)
{
    struct worker *w = &workers[t];

    w->order = *order;
    store_and_wake(&w->ordered, w->ordered + 1);
}

bool worker_is_done(int t)
{
    return load(&workers[t].finished) == workers[t].ordered;
}

static char state_of(const struct worker *w)
{
    char text[512];
    ssize_t length = pread(w->state_fd, text, sizeof text - 1, 0);
    const char *end;

    if (length <= 0)
        return 0;
    text[length] = '\0';
    end = strrchr(text, ')');
    return end && end[1] ? end[2] : 0;
}

/* How often the thread was given a processor. */
static unsigned long runs_of(const struct worker *w)
{
    char text[128];
    unsigned long long on, waited;
    unsigned long runs = 0;
    ssize_t length = pread(w->ran_fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return 0;
    text[length] = '\0';
    return sscanf(text, "%llu %llu %lu", &on, &waited, &runs) == 3 ? runs : 0;
}

bool workers_are_at_rest(const bool in_call[THREADS])
{
    unsigned long runs[THREADS] = {0};

    for (int t = 0; t < THREADS; t++) {
        if (!in_call[t])
            continue;
        runs[t] = runs_of(&workers[t]);
        if (state_of(&workers[t]) != 'S')
            return false;
    }
    for (int t = 0; t < THREADS; t++)
        if (in_call[t] &&
            (worker_is_done(t) || state_of(&workers[t]) != 'S' || runs_of(&workers[t]) != runs[t]))
            return false;
    return true;
}
