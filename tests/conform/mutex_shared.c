/* SPDX-License-Identifier: MIT */
/*
 * Process-shared mutexes between a process and its forked children: exclusion, sleeping across
 * processes, ownership by threads of different processes. Deaths are in mutex_robust.c, other
 * programs in mutex_mixed.c.
 */
#include "conform.h"

#include "mutex_kinds.h"

#include <fcntl.h>

struct area {
    pthread_mutex_t mutex;
    volatile long counter;
    int stage;
};

static struct area *area;
static const struct mutex_kind *kind;

/* The loop number counts the shared kinds: every second group of four. */
static void choose(int loop)
{
    kind = &mutex_kinds[loop / 4 * 8 + 4 + loop % 4];
    area = shared_memory(sizeof *area);
    make_mutex(&area->mutex, kind);
}

enum { SHARED_KINDS = MUTEX_PP_KINDS_BEGIN / 2, CHILDREN = 3, ROUNDS = 3000 };

static int count(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, 100000);
        if (i % 3 == 0 && pthread_mutex_trylock(&area->mutex) == 0) {
            /* taken at once */
        } else if (i % 3 == 1) {
            OK(pthread_mutex_clocklock(&area->mutex, CLOCK_MONOTONIC, &deadline));
        } else {
            OK(pthread_mutex_lock(&area->mutex));
        }
        long seen = area->counter;
        area->counter = seen + 1;
        OK(pthread_mutex_unlock(&area->mutex));
    }
    return 0;
}

static void *count_in_thread(void *unused)
{
    count(unused);
    return NULL;
}

static int count_in_two_threads(void *unused)
{
    struct thread t;
    thread_start(&t, count_in_thread, unused);
    count(unused);
    thread_join(&t);
    return 0;
}

START_TEST(processes_and_their_threads_exclude_each_other)
{
    pid_t children[CHILDREN];
    choose(_i);
    for (int i = 0; i < CHILDREN; i++)
        children[i] = child_start(count_in_two_threads, NULL);
    count_in_two_threads(NULL);
    for (int i = 0; i < CHILDREN; i++)
        child_join(children[i]);
    ck_assert_int_eq(area->counter, 2L * (CHILDREN + 1) * ROUNDS);
    OK(pthread_mutex_destroy(&area->mutex));
}
END_TEST

static int hold_until_told(void *unused)
{
    (void)unused;
    OK(pthread_mutex_lock(&area->mutex));
    raise_flag(&area->stage, 1);
    wait_for_flag(&area->stage, 2);
    OK(pthread_mutex_unlock(&area->mutex));
    return 0;
}

START_TEST(a_mutex_that_another_process_holds_is_busy_and_times_out)
{
    choose(_i);
    pid_t child = child_start(hold_until_told, NULL);
    wait_for_flag(&area->stage, 1);
    EXPECT(pthread_mutex_trylock(&area->mutex), EBUSY);
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 10);
    EXPECT(pthread_mutex_timedlock(&area->mutex, &deadline), ETIMEDOUT);
    ck_assert(deadline_passed(CLOCK_REALTIME, deadline));
    deadline = deadline_in_ms(CLOCK_MONOTONIC, 10);
    EXPECT(pthread_mutex_clocklock(&area->mutex, CLOCK_MONOTONIC, &deadline), ETIMEDOUT);
    ck_assert(deadline_passed(CLOCK_MONOTONIC, deadline));
    if (checks_owner(kind))
        EXPECT(pthread_mutex_unlock(&area->mutex), EPERM);
    if (!is_robust(kind))
        EXPECT(pthread_mutex_destroy(&area->mutex), DESTROY_IN_USE);
    raise_flag(&area->stage, 2);
    OK(pthread_mutex_lock(&area->mutex));
    OK(pthread_mutex_unlock(&area->mutex));
    child_join(child);
}
END_TEST

static int lock_and_unlock(void *unused)
{
    (void)unused;
    OK(pthread_mutex_lock(&area->mutex));
    area->counter++;
    OK(pthread_mutex_unlock(&area->mutex));
    return 0;
}

START_TEST(an_unlock_wakes_sleepers_in_other_processes)
{
    pid_t children[CHILDREN];
    choose(_i);
    OK(pthread_mutex_lock(&area->mutex));
    for (int i = 0; i < CHILDREN; i++)
        children[i] = child_start(lock_and_unlock, NULL);
    for (int i = 0; i < CHILDREN; i++)
        wait_until_asleep(children[i]);
    ck_assert_int_eq(area->counter, 0);
    OK(pthread_mutex_unlock(&area->mutex));
    for (int i = 0; i < CHILDREN; i++)
        child_join(children[i]);
    ck_assert_int_eq(area->counter, CHILDREN);
    OK(pthread_mutex_destroy(&area->mutex));
}
END_TEST

static int unlock_is_as_for_a_stranger(void *unused)
{
    (void)unused;
    EXPECT(pthread_mutex_unlock(&area->mutex), checks_owner(kind) ? EPERM : 0);
    return 0;
}

START_TEST(a_child_is_a_stranger_to_what_its_parent_holds)
{
    choose(_i);
    OK(pthread_mutex_lock(&area->mutex));
    child_join(child_start(unlock_is_as_for_a_stranger, NULL));
    if (checks_owner(kind))
        OK(pthread_mutex_unlock(&area->mutex));
    OK(pthread_mutex_trylock(&area->mutex));
    OK(pthread_mutex_unlock(&area->mutex));
}
END_TEST

START_TEST(two_mappings_of_one_file_hold_one_mutex)
{
    char path[] = "/tmp/conform_mutex_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_eq(ftruncate(fd, 4096), 0);
    struct area *view[2];
    for (int i = 0; i < 2; i++)
        view[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert(view[0] != MAP_FAILED && view[1] != MAP_FAILED);
    choose(_i);
    make_mutex(&view[0]->mutex, kind);
    OK(pthread_mutex_lock(&view[0]->mutex));
    if (kind->type == PTHREAD_MUTEX_RECURSIVE) {
        OK(pthread_mutex_trylock(&view[1]->mutex));
        OK(pthread_mutex_unlock(&view[1]->mutex));
    }
    area = view[1];
    pid_t child = child_start(lock_and_unlock, NULL);
    wait_until_asleep(child);
    OK(pthread_mutex_unlock(&view[0]->mutex));
    child_join(child);
    ck_assert_int_eq(view[0]->counter, 1);
}
END_TEST

/* A program's mistake that works under glibc as long as nobody has to sleep. */
static int trylock_a_private_one(void *mutex)
{
    EXPECT(pthread_mutex_trylock(mutex), EBUSY);
    return 0;
}

START_TEST(a_private_mutex_in_shared_memory_still_shows_that_it_is_held)
{
    pthread_mutex_t *m = shared_memory(sizeof *m);
    make_mutex(m, &mutex_kinds[_i]);
    OK(pthread_mutex_lock(m));
    child_join(child_start(trylock_a_private_one, m));
    OK(pthread_mutex_unlock(m));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_shared");
    TCase *tcase = conform_case(suite, "shared");
    tcase_add_loop_test(tcase, processes_and_their_threads_exclude_each_other, 0, SHARED_KINDS);
    tcase_add_loop_test(tcase, a_mutex_that_another_process_holds_is_busy_and_times_out, 0,
                        SHARED_KINDS);
    tcase_add_loop_test(tcase, an_unlock_wakes_sleepers_in_other_processes, 0, SHARED_KINDS);
    tcase_add_loop_test(tcase, a_child_is_a_stranger_to_what_its_parent_holds, 0, SHARED_KINDS);
    tcase_add_loop_test(tcase, two_mappings_of_one_file_hold_one_mutex, 0, SHARED_KINDS);
    tcase_add_loop_test(tcase, a_private_mutex_in_shared_memory_still_shows_that_it_is_held, 0, 4);
    return conform_run(suite);
}
