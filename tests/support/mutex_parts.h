/* SPDX-License-Identifier: MIT */
/*
 * The memory and the parts of the two programs that mutex_mixed.c pairs: what a program that was
 * executed again does with the mutex it is given. Include conform.h first.
 */
#ifndef TESTS_SUPPORT_MUTEX_PARTS_H
#define TESTS_SUPPORT_MUTEX_PARTS_H

#include "futex_calls.h"
#include "mutex_kinds.h"

enum { SHARED_KINDS = MUTEX_PP_KINDS_BEGIN / 2, PAIRS = 2 * SHARED_KINDS, ROUNDS = 20000 };

struct area {
    pthread_mutex_t mutex;
    volatile long counter;
    int stage;
};

static struct area *area;
static int area_fd;
static const struct mutex_kind *kind;
static bool plain_child;

__attribute__((unused)) static void map_area(int fd)
{
    area_fd = fd;
    area = mmap(NULL, sizeof *area, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(area != MAP_FAILED, "mmap: %s", strerror(errno));
}

/* The loop number: the shared kind, and whether the child does without the library. */
__attribute__((unused)) static void choose_kind(int loop)
{
    kind = &mutex_kinds[loop / 8 * 8 + 4 + loop / 2 % 4];
    plain_child = loop % 2;
    conform_context = kind->name;
}

__attribute__((unused)) static void choose(int loop)
{
    char path[] = "/tmp/conform_mixed_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_eq(ftruncate(fd, sizeof *area), 0);
    map_area(fd);
    choose_kind(loop);
    make_mutex(&area->mutex, kind);
}

__attribute__((unused)) static bool is_recursive(void)
{
    return kind->type == PTHREAD_MUTEX_RECURSIVE;
}

__attribute__((unused)) static int count(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        struct timespec real = deadline_in_ms(CLOCK_REALTIME, 100000);
        struct timespec mono = deadline_in_ms(CLOCK_MONOTONIC, 100000);
        int error = i % 4 == 0 ? pthread_mutex_trylock(&area->mutex) : EBUSY;
        if (error == EBUSY && i % 4 == 1)
            error = pthread_mutex_timedlock(&area->mutex, &real);
        else if (error == EBUSY && i % 4 == 2)
            error = pthread_mutex_clocklock(&area->mutex, CLOCK_MONOTONIC, &mono);
        else if (error == EBUSY)
            error = pthread_mutex_lock(&area->mutex);
        REQUIRE(error == 0, "%s: a lock call gives %d", kind->name, error);
        if (is_recursive())
            OK(pthread_mutex_lock(&area->mutex));
        long seen = area->counter;
        area->counter = seen + 1;
        if (is_recursive())
            OK(pthread_mutex_unlock(&area->mutex));
        OK(pthread_mutex_unlock(&area->mutex));
    }
    return 0;
}

__attribute__((unused)) static int part_count(void)
{
    return count(ROUNDS);
}

__attribute__((unused)) static int part_hold_for_ever(void)
{
    OK(pthread_mutex_lock(&area->mutex));
    if (is_recursive())
        OK(pthread_mutex_lock(&area->mutex));
    raise_flag(&area->stage, 1);
    for (;;)
        pause();
}

__attribute__((unused)) static int part_hold_until_told(void)
{
    OK(pthread_mutex_lock(&area->mutex));
    if (is_recursive())
        OK(pthread_mutex_lock(&area->mutex));
    raise_flag(&area->stage, 1);
    wait_for_flag(&area->stage, 2);
    if (is_recursive())
        OK(pthread_mutex_unlock(&area->mutex));
    OK(pthread_mutex_unlock(&area->mutex));
    return 0;
}

__attribute__((unused)) static int part_sleep_for_it(void)
{
    OK(pthread_mutex_lock(&area->mutex));
    area->counter++;
    OK(pthread_mutex_unlock(&area->mutex));
    return 0;
}

__attribute__((unused)) static int part_find_it_held(void)
{
    struct timespec real = deadline_in_ms(CLOCK_REALTIME, 5);
    EXPECT(pthread_mutex_trylock(&area->mutex), EBUSY);
    EXPECT(pthread_mutex_timedlock(&area->mutex, &real), ETIMEDOUT);
    struct timespec mono = deadline_in_ms(CLOCK_MONOTONIC, 5);
    EXPECT(pthread_mutex_clocklock(&area->mutex, CLOCK_MONOTONIC, &mono), ETIMEDOUT);
    if (checks_owner(kind))
        EXPECT(pthread_mutex_unlock(&area->mutex), EPERM);
    if (!is_robust(kind))
        EXPECT(pthread_mutex_destroy(&area->mutex), DESTROY_IN_USE);
    return 0;
}

__attribute__((unused)) static int part_inherit(void)
{
    EXPECT(pthread_mutex_lock(&area->mutex), EOWNERDEAD);
    OK(pthread_mutex_consistent(&area->mutex));
    OK(pthread_mutex_unlock(&area->mutex));
    return 0;
}

__attribute__((unused)) static int part_find_it_unrecoverable(void)
{
    EXPECT(pthread_mutex_lock(&area->mutex), ENOTRECOVERABLE);
    return 0;
}

__attribute__((unused)) static int part_make_it(void)
{
    make_mutex(&area->mutex, kind);
    return 0;
}

static const struct part {
    const char *name;
    int (*play)(void);
} parts[] = {
    {"count", part_count},
    {"hold_for_ever", part_hold_for_ever},
    {"hold_until_told", part_hold_until_told},
    {"sleep_for_it", part_sleep_for_it},
    {"find_it_held", part_find_it_held},
    {"inherit", part_inherit},
    {"find_it_unrecoverable", part_find_it_unrecoverable},
    {"make_it", part_make_it},
};

__attribute__((unused)) static int play_part(char **argv)
{
    map_area(atoi(argv[2]));
    choose_kind(atoi(argv[3]));
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (strcmp(argv[1], parts[i].name) == 0)
            return parts[i].play();
    }
    return 64;
}

__attribute__((unused)) static pid_t execute(const char *part, int loop)
{
    char fd[16], number[16];
    snprintf(fd, sizeof fd, "%d", area_fd);
    snprintf(number, sizeof number, "%d", loop);
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (plain_child)
            unsetenv("LD_PRELOAD");
        execl("/proc/self/exe", "conform_mutex_mixed", part, fd, number, (char *)NULL);
        _exit(65);
    }
    return pid;
}

/* A child sleeps only after it was executed: before, its sleep is not the one to wait for. */
__attribute__((unused)) static void wait_until_asleep_in_exec(pid_t pid)
{
    char path[64], text[64];
    for (int tries = 0; tries < 20000; tries++) {
        snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
        FILE *file = fopen(path, "re");
        REQUIRE(file != NULL, "%s: %s", path, strerror(errno));
        bool got = fgets(text, sizeof text, file) != NULL;
        fclose(file);
        if (got && is_futex_call(strtol(text, NULL, 10))) {
            wait_until_asleep(pid);
            return;
        }
        sleep_ms(1);
    }
    ck_abort_msg("the child never sleeps on a futex");
}

#endif
