/* SPDX-License-Identifier: MIT */
/* What a lock asks of Windows besides sleeping and waking: the calling thread, the clocks, the
   processors, memory and the barrier in all threads; and the line that a fault leaves. */
#include "sleepers.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <time.h>

#include "base/fatal.h"
#include "futex/thread.h"
#include "quiet.h"

static int own_id(void *unused)
{
    uint32_t id = GetCurrentThreadId();

    return fs_system_thread_id() == id && fs_thread_id() == id ? (int)id : 0;
}

START_TEST(each_thread_has_the_systems_id)
{
    struct sleeper other;
    int id;

    sleeper_start(&other, own_id, NULL);
    id = sleeper_join(&other);
    ck_assert_int_ne(id, 0);
    ck_assert_int_ne(own_id(NULL), 0);
    ck_assert_int_ne(own_id(NULL), id);
}
END_TEST

static int64_t as_ns(int64_t sec, int64_t nsec)
{
    return sec * FS_NSEC_PER_SEC + nsec;
}

static int64_t programs_clock(clockid_t clock)
{
    struct timespec now;

    ck_assert_int_eq(clock_gettime(clock, &now), 0);
    return as_ns(now.tv_sec, now.tv_nsec);
}

/* The loop index is the clock. Neither is ahead of the other: who sees a deadline passed by ours
   sees it passed by the program's. One nanosecond is what rounding may make. */
START_TEST(the_clocks_are_those_of_the_program)
{
    clockid_t clock = _i == FS_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;

    for (int i = 0; i < 1000; i++) {
        int64_t before = programs_clock(clock);
        struct fs_deadline d = fs_system_now((enum fs_clock)_i);
        int64_t after = programs_clock(clock);

        ck_assert(fs_deadline_is_valid(&d));
        ck_assert_int_eq(d.clock, _i);
        ck_assert_int_le(before, as_ns(d.sec, d.nsec) + 1);
        ck_assert_int_le(as_ns(d.sec, d.nsec), after);
    }
}
END_TEST

START_TEST(the_processors_of_the_process_are_counted)
{
    DWORD_PTR process, all;
    unsigned count;

    SetLastError(UNTOUCHED);
    count = fs_system_processor_count();
    ck_assert_uint_eq(GetLastError(), UNTOUCHED);
    ck_assert(GetProcessAffinityMask(GetCurrentProcess(), &process, &all));
    ck_assert_uint_eq(count, (unsigned)__builtin_popcountll(process));
    ck_assert(SetProcessAffinityMask(GetCurrentProcess(), process & -process));
    ck_assert_uint_eq(fs_system_processor_count(), 1);
}
END_TEST

START_TEST(fresh_memory_is_zeroed)
{
    bool wiped = false;
    unsigned char *memory;

    SetLastError(UNTOUCHED);
    memory = fs_system_map_wiped(100000, &wiped);
    ck_assert_uint_eq(GetLastError(), UNTOUCHED);
    ck_assert_ptr_nonnull(memory);
    ck_assert(wiped); /* there is no fork */
    ck_assert_uint_eq((uintptr_t)memory % 4096, 0);
    for (int i = 0; i < 100000; i++)
        ck_assert_uint_eq(memory[i], 0);
    memset(memory, 1, 100000);
}
END_TEST

START_TEST(memory_that_is_not_there_is_not_given)
{
    bool wiped;
    void *memory;

    SetLastError(UNTOUCHED);
    memory = fs_system_map_wiped(SIZE_MAX / 2, &wiped);
    ck_assert_uint_eq(GetLastError(), UNTOUCHED);
    ck_assert_ptr_null(memory);
}
END_TEST

START_TEST(a_yield_and_a_barrier_leave_no_trace)
{
    ck_assert(STILL(fs_system_order_threads()));
    SetLastError(UNTOUCHED);
    fs_system_yield();
    ck_assert_uint_eq(GetLastError(), UNTOUCHED);
    ck_assert_uint_eq(fs_system_thread_priority(), 0);
    ck_assert_ptr_null(fs_system_robust_list());
}
END_TEST

/* What is written to standard error by the call. */
#define WRITTEN(call, text)                                                                        \
    do {                                                                                           \
        HANDLE from, to;                                                                           \
        DWORD size;                                                                                \
        ck_assert(CreatePipe(&from, &to, NULL, 65536));                                            \
        SetStdHandle(STD_ERROR_HANDLE, to);                                                        \
        SetLastError(UNTOUCHED);                                                                   \
        call;                                                                                      \
        ck_assert_uint_eq(GetLastError(), UNTOUCHED);                                              \
        ck_assert(ReadFile(from, text, sizeof text - 1, &size, NULL));                             \
        text[size] = '\0';                                                                         \
    } while (0)

START_TEST(a_report_is_one_line)
{
    char number[24];
    char text[2000];
    char many[600];

    WRITTEN(fs_report("spin ", fs_format_number(-2147483647 - 1, number), (char *)0), text);
    ck_assert_int_eq(strcmp(text, "fastsync: spin -2147483648\n"), 0);
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    WRITTEN(fs_report(many, many, (char *)0), text);
    ck_assert_uint_eq(strlen(text), 512);
    ck_assert_int_eq(text[511], '\n');
    SetStdHandle(STD_ERROR_HANDLE, NULL);
    fs_report("nobody reads this", (char *)0);
}
END_TEST

START_TEST(a_fault_ends_the_process)
{
    SetStdHandle(STD_ERROR_HANDLE, NULL);
    fs_fatal("test", 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("system");
    TCase *tests = tcase_create("system");

    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, each_thread_has_the_systems_id);
    tcase_add_loop_test(tests, the_clocks_are_those_of_the_program, 0, 2);
    tcase_add_test(tests, the_processors_of_the_process_are_counted);
    tcase_add_test(tests, fresh_memory_is_zeroed);
    tcase_add_test(tests, memory_that_is_not_there_is_not_given);
    tcase_add_test(tests, a_yield_and_a_barrier_leave_no_trace);
    tcase_add_test(tests, a_report_is_one_line);
    tcase_add_test_raise_signal(tests, a_fault_ends_the_process, SIGABRT);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
