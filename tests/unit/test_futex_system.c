/* SPDX-License-Identifier: MIT */
/* What the futex layer asks of the system besides futexes: thread ids, priorities,
   processors, clocks, memory that fork wipes, and the probes. */
#define _GNU_SOURCE
#include "sleepers.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int own_id(void *arg)
{
    (void)arg;
    return QUIET((int)fs_system_thread_id());
}

START_TEST(every_thread_has_its_own_id)
{
    struct sleeper s;

    ck_assert_int_eq(own_id(NULL), (int)syscall(SYS_gettid));
    sleeper_start(&s, own_id, NULL);
    ck_assert_int_ne(sleeper_join(&s), own_id(NULL));
}
END_TEST

/* By the system call: musl's function refuses everything with ENOSYS. */
static long set_policy(int policy, const struct sched_param *param)
{
    return syscall(SYS_sched_setscheduler, 0, policy, param);
}

START_TEST(an_ordinary_thread_has_priority_0)
{
    struct sched_param none = {0};

    ck_assert_int_eq(set_policy(SCHED_BATCH, &none), 0);
    ck_assert_int_eq(QUIET((int)fs_system_thread_priority()), 0);
    ck_assert_int_eq(set_policy(SCHED_OTHER, &none), 0);
    ck_assert_int_eq(QUIET((int)fs_system_thread_priority()), 0);
}
END_TEST

START_TEST(a_real_time_thread_has_its_priority)
{
    struct sched_param low = {.sched_priority = 1}, high = {.sched_priority = 42};

    if (set_policy(SCHED_RR, &low) != 0)
        SKIP("a_real_time_thread_has_its_priority", "real-time policies are not permitted");
    ck_assert_uint_eq(fs_system_thread_priority(), 1);
    ck_assert_int_eq(set_policy(SCHED_FIFO | SCHED_RESET_ON_FORK, &high), 0);
    ck_assert_int_eq(QUIET((int)fs_system_thread_priority()), 42);
}
END_TEST

START_TEST(the_processors_are_those_of_the_affinity_mask)
{
    cpu_set_t set, one;
    int first = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
    ck_assert_int_eq(QUIET((int)fs_system_processor_count()), CPU_COUNT(&set));
    while (!CPU_ISSET(first, &set))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_uint_eq(fs_system_processor_count(), 1);
}
END_TEST

START_TEST(now_lies_between_two_readings_of_the_clock)
{
    clockid_t id = _i == FS_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    struct timespec before, after;
    struct fs_deadline now;

    clock_gettime(id, &before);
    errno = UNTOUCHED;
    now = fs_system_now((enum fs_clock)_i);
    ck_assert_int_eq(errno, UNTOUCHED);
    clock_gettime(id, &after);
    ck_assert_int_eq(now.clock, _i);
    ck_assert(fs_deadline_is_valid(&now));
    ck_assert(now.sec > before.tv_sec || (now.sec == before.tv_sec && now.nsec >= before.tv_nsec));
    ck_assert(now.sec < after.tv_sec || (now.sec == after.tv_sec && now.nsec <= after.tv_nsec));
}
END_TEST

START_TEST(yield_keeps_errno)
{
    errno = UNTOUCHED;
    fs_system_yield();
    ck_assert_int_eq(errno, UNTOUCHED);
}
END_TEST

static int *map_four_pages(const char *name)
{
    bool wiped = false;
    int *memory;

    errno = UNTOUCHED;
    memory = fs_system_map_wiped(4 * 4096, &wiped);
    ck_assert_int_eq(errno, UNTOUCHED);
    ck_assert_ptr_nonnull(memory);
    ck_assert_uint_eq((uintptr_t)memory % 4096, 0);
    for (int i = 0; i < 4096; i++)
        ck_assert_int_eq(memory[i], 0);
    if (wiped)
        return memory;
    printf("SKIP %s: the system does nothing for MADV_WIPEONFORK\n", name);
    return NULL;
}

START_TEST(wiped_memory_is_zero_in_a_fork_child_and_kept_in_the_parent)
{
    int *memory = map_four_pages("wiped_memory_is_zero_in_a_fork_child_and_kept_in_the_parent");
    int status;
    pid_t child;

    if (!memory)
        return;
    memory[0] = 42;
    memory[4095] = 43;
    child = fork();
    if (child == 0)
        _exit(memory[0] == 0 && memory[4095] == 0 ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(memory[0], 42);
    ck_assert_int_eq(memory[4095], 43);
}
END_TEST

START_TEST(wiped_memory_is_kept_in_a_vfork_child)
{
    int *volatile memory = map_four_pages("wiped_memory_is_kept_in_a_vfork_child");
    int status;
    pid_t child;

    if (!memory)
        return;
    memory[0] = 42;
    child = vfork();
    if (child == 0)
        _exit(memory[0] == 42 ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(memory[0], 42);
}
END_TEST

START_TEST(too_much_memory_gives_null)
{
    bool wiped = true;

    errno = UNTOUCHED;
    ck_assert_ptr_null(fs_system_map_wiped(SIZE_MAX - 65536, &wiped));
    ck_assert_int_eq(errno, UNTOUCHED);
    ck_assert(!wiped);
}
END_TEST

START_TEST(every_feature_is_probed_and_has_its_own_name)
{
    for (int f = 0; f < FS_FEATURE_COUNT; f++) {
        const char *name = fs_system_feature_name((enum fs_futex_feature)f);
        int has = QUIET(fs_system_has((enum fs_futex_feature)f));

        ck_assert_int_eq(fs_system_has((enum fs_futex_feature)f), has);
        ck_assert_uint_gt(strlen(name), 0);
        for (int other = 0; other < f; other++)
            ck_assert_str_ne(name, fs_system_feature_name((enum fs_futex_feature)other));
        if (!has)
            printf("SKIP feature: the kernel has no %s\n", name);
    }
}
END_TEST

START_TEST(the_probes_agree_with_the_calls)
{
    fs_word w = {0}, other = {0};
    struct fs_futex_waiter waiter = {&w, 1, FS_SCOPE_PRIVATE};
    struct fs_futex_wake_op op = {FS_OP_SET, false, 0, FS_CMP_EQ, 0};
    unsigned woken;

    ck_assert_int_eq(fs_futex_wait_any(&waiter, 1, NULL, &woken) != ENOSYS,
                     fs_system_has(FS_FEATURE_WAIT_ANY));
    ck_assert_int_eq(fs_futex_wake_op(&w, &other, 1, 1, &op, FS_SCOPE_PRIVATE, NULL) != ENOSYS,
                     fs_system_has(FS_FEATURE_WAKE_OP));
    ck_assert_int_eq(fs_futex_cmp_requeue_pi(&w, &other, 0, 0, FS_SCOPE_PRIVATE, NULL) != ENOSYS,
                     fs_system_has(FS_FEATURE_REQUEUE_PI));
    ck_assert_int_eq(fs_futex_trylock_pi(&w, FS_SCOPE_PRIVATE) != ENOSYS,
                     fs_system_has(FS_FEATURE_PI));
    ck_assert_int_eq(fs_futex_lock_pi2(&other, NULL, FS_SCOPE_PRIVATE) != ENOSYS,
                     fs_system_has(FS_FEATURE_LOCK_PI2));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: the system");
    TCase *tests = tcase_create("system");

    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, every_thread_has_its_own_id);
    tcase_add_test(tests, an_ordinary_thread_has_priority_0);
    tcase_add_test(tests, a_real_time_thread_has_its_priority);
    tcase_add_test(tests, the_processors_are_those_of_the_affinity_mask);
    tcase_add_loop_test(tests, now_lies_between_two_readings_of_the_clock, 0, 2);
    tcase_add_test(tests, yield_keeps_errno);
    tcase_add_test(tests, wiped_memory_is_zero_in_a_fork_child_and_kept_in_the_parent);
    tcase_add_test(tests, wiped_memory_is_kept_in_a_vfork_child);
    tcase_add_test(tests, too_much_memory_gives_null);
    tcase_add_test(tests, every_feature_is_probed_and_has_its_own_name);
    tcase_add_test(tests, the_probes_agree_with_the_calls);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
