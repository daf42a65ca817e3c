/* SPDX-License-Identifier: MIT */
/* The base room: validity of deadlines, atomic words, numbers in messages, the
   report line and the fatal end, and the pause of a spinning thread. */
#include "sleepers.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fatal.h"
#include "base/spin.h"

START_TEST(nanoseconds_of_a_valid_deadline_are_below_a_second)
{
    static const struct {
        int64_t nsec;
        bool valid;
    } cases[] = {
        {0, true},           {1, true},   {999999999, true},  {1000000000, false},
        {1000000001, false}, {-1, false}, {INT64_MAX, false}, {INT64_MIN, false},
    };

    for (int i = 0; i < 8; i++) {
        struct fs_deadline d = {0, cases[i].nsec, FS_CLOCK_MONOTONIC};

        ck_assert_int_eq(fs_deadline_is_valid(&d), cases[i].valid);
    }
}
END_TEST

START_TEST(any_second_is_valid)
{
    struct fs_deadline d = {INT64_MIN, 0, FS_CLOCK_REALTIME};

    ck_assert(fs_deadline_is_valid(&d));
    d.sec = INT64_MAX;
    ck_assert(fs_deadline_is_valid(&d));
}
END_TEST

START_TEST(numbers_are_written_in_decimal)
{
    static const long numbers[] = {0,   1,    -1,       9,        10,           -10,
                                   100, 4711, LONG_MAX, LONG_MIN, LONG_MAX - 1, LONG_MIN + 1};
    char buffer[24], expected[24];

    for (int i = 0; i < 12; i++) {
        snprintf(expected, sizeof(expected), "%ld", numbers[i]);
        ck_assert_str_eq(fs_format_number(numbers[i], buffer), expected);
    }
}
END_TEST

static void report_parts(void)
{
    errno = UNTOUCHED;
    fs_report("one", " ", "two", (char *)0);
    if (errno != UNTOUCHED)
        abort();
}

static void report_a_long_line(void)
{
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fs_report(text, text, (char *)0);
}

static void end_fatally(void)
{
    fs_fatal("the thing", -42);
}

/* What act() writes to standard error in a process of its own; returns its status. */
static int capture(void (*act)(void), char *text, size_t size)
{
    int ends[2], status;
    size_t used = 0;
    ssize_t got;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

START_TEST(a_report_is_one_line_and_keeps_errno)
{
    char text[4096];

    ck_assert_int_eq(capture(report_parts, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "fastsync: one two\n");
}
END_TEST

START_TEST(a_report_too_long_is_cut_and_still_ends_its_line)
{
    char text[4096];

    ck_assert_int_eq(capture(report_a_long_line, text, sizeof(text)), 0);
    ck_assert_uint_gt(strlen(text), 100);
    ck_assert_uint_le(strlen(text), 512);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

START_TEST(a_report_to_a_closed_stream_is_harmless)
{
    close(STDERR_FILENO);
    report_parts();
}
END_TEST

START_TEST(a_fatal_end_names_what_failed_and_aborts)
{
    char text[4096];
    int status = capture(end_fatally, text, sizeof(text));

    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
    ck_assert_ptr_nonnull(strstr(text, "fastsync: the thing"));
    ck_assert_ptr_nonnull(strstr(text, "-42"));
}
END_TEST

START_TEST(compare_and_swap_reports_what_it_found)
{
    fs_word w = {7};
    uint32_t old = 8;

    ck_assert(!fs_cas_acquire(&w, &old, 9));
    ck_assert_uint_eq(old, 7);
    ck_assert(fs_cas_acquire(&w, &old, 9));
    ck_assert(fs_cas_release(&w, &(uint32_t){9}, 10));
    ck_assert(fs_cas_relaxed(&w, &(uint32_t){10}, 11));
    ck_assert(fs_cas_seq_cst(&w, &(uint32_t){11}, 12));
    ck_assert_uint_eq(fs_load_seq_cst(&w), 12);
}
END_TEST

START_TEST(read_modify_writes_return_the_old_value)
{
    fs_word w = {1};

    ck_assert_uint_eq(fs_exchange_acquire(&w, 2), 1);
    ck_assert_uint_eq(fs_exchange_release(&w, 3), 2);
    ck_assert_uint_eq(fs_exchange_acq_rel(&w, 4), 3);
    ck_assert_uint_eq(fs_add_seq_cst(&w, 1), 4);
    ck_assert_uint_eq(fs_add_release(&w, (uint32_t)-1), 5);
    ck_assert_uint_eq(fs_or_relaxed(&w, 3), 4);
    ck_assert_uint_eq(fs_and_release(&w, 6), 7);
    ck_assert_uint_eq(fs_load_acquire(&w), 6);
}
END_TEST

START_TEST(a_pointer_is_swapped_only_from_what_it_held)
{
    int first, second;
    fs_pointer p = {NULL};
    void *old = &first;

    ck_assert(!fs_cas_pointer_acq_rel(&p, &old, &second));
    ck_assert_ptr_null(old);
    ck_assert(fs_cas_pointer_acq_rel(&p, &old, &second));
    ck_assert_ptr_eq(fs_load_pointer_acquire(&p), &second);
    fs_store_pointer_release(&p, &first);
    ck_assert_ptr_eq(fs_load_pointer_relaxed(&p), &first);
}
END_TEST

START_TEST(a_pause_returns)
{
    for (int i = 0; i < 1000; i++)
        fs_spin_pause();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");

    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, nanoseconds_of_a_valid_deadline_are_below_a_second);
    tcase_add_test(tests, any_second_is_valid);
    tcase_add_test(tests, numbers_are_written_in_decimal);
    tcase_add_test(tests, a_report_is_one_line_and_keeps_errno);
    tcase_add_test(tests, a_report_too_long_is_cut_and_still_ends_its_line);
    tcase_add_test(tests, a_report_to_a_closed_stream_is_harmless);
    tcase_add_test(tests, a_fatal_end_names_what_failed_and_aborts);
    tcase_add_test(tests, compare_and_swap_reports_what_it_found);
    tcase_add_test(tests, read_modify_writes_return_the_old_value);
    tcase_add_test(tests, a_pointer_is_swapped_only_from_what_it_held);
    tcase_add_test(tests, a_pause_returns);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
