/* SPDX-License-Identifier: MIT */
/* Sleeping and waking on one word, against the running kernel: every answer of the
   three waits and the two wakes, in both scopes and on both clocks. The loop index
   of a test is the scope. */
#include "sleepers.h"

#include <sys/wait.h>
#include <unistd.h>

#include "eventually.h"

#define FAR_NS (INT64_C(600) * FS_NSEC_PER_SEC)

struct wait {
    fs_word word;
    uint32_t expected;
    uint32_t bits; /* 0: fs_futex_wait */
    const struct fs_deadline *deadline;
    int64_t timeout_ns; /* only of a relative wait */
    enum fs_scope scope;
};

static int do_wait(void *arg)
{
    struct wait *w = arg;

    if (w->bits)
        return QUIET(fs_futex_wait_bitset(&w->word, w->expected, w->bits, w->deadline, w->scope));
    return QUIET(fs_futex_wait(&w->word, w->expected, w->deadline, w->scope));
}

static int do_wait_relative(void *arg)
{
    struct wait *w = arg;

    return QUIET(fs_futex_wait_relative(&w->word, w->expected, w->timeout_ns, w->scope));
}

START_TEST(a_wake_wakes_a_sleeper)
{
    struct wait w = {.scope = (enum fs_scope)_i};
    struct sleeper s;

    sleeper_put_to_sleep(&s, do_wait, &w);
    ck_assert_int_eq(QUIET(fs_futex_wake(&w.word, 1, w.scope)), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake(&w.word, 1, w.scope)), 0);
}
END_TEST

START_TEST(a_wake_wakes_a_relative_sleeper)
{
    struct wait w = {.timeout_ns = FAR_NS, .scope = (enum fs_scope)_i};
    struct wait endless = {.timeout_ns = -1, .scope = (enum fs_scope)_i};
    struct sleeper s;

    sleeper_put_to_sleep(&s, do_wait_relative, &w);
    ck_assert_int_eq(fs_futex_wake(&w.word, 1, w.scope), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
    sleeper_start(&s, do_wait_relative, &endless);
    EVENTUALLY(fs_futex_wake(&endless.word, 1, endless.scope) == 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

START_TEST(a_wake_wakes_no_more_than_its_count)
{
    struct wait w = {.scope = (enum fs_scope)_i};
    struct sleeper s[5];

    for (int i = 0; i < 5; i++)
        sleeper_put_to_sleep(&s[i], do_wait, &w);
    ck_assert_int_eq(QUIET(fs_futex_wake(&w.word, 0, w.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake(&w.word, -1, w.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(&w.word, 0, 1, w.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake(&w.word, 2, w.scope)), 2);
    ck_assert_int_eq(QUIET(fs_futex_wake(&w.word, FS_WAKE_ALL, w.scope)), 3);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(sleeper_join(&s[i]), 0);
}
END_TEST

START_TEST(a_wake_with_bits_wakes_only_who_shares_one)
{
    struct wait two = {.bits = 2, .scope = (enum fs_scope)_i};
    struct wait six = two;
    struct sleeper first, second;
    fs_word *w = &two.word;

    six.bits = 6;
    sleeper_put_to_sleep(&first, do_wait, &two);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(w, FS_WAKE_ALL, 4, two.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(w, FS_WAKE_ALL, 3, two.scope)), 1);
    ck_assert_int_eq(sleeper_join(&first), 0);

    sleeper_put_to_sleep(&second, do_wait, &six);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(&six.word, 1, 9, two.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake(&six.word, 1, two.scope)), 1);
    ck_assert_int_eq(sleeper_join(&second), 0);
}
END_TEST

START_TEST(a_wait_on_a_changed_word_gives_EAGAIN)
{
    fs_word w = {7};
    enum fs_scope scope = (enum fs_scope)_i;
    struct fs_deadline past = moment(FS_CLOCK_MONOTONIC, -1000);

    ck_assert_int_eq(QUIET(fs_futex_wait(&w, 8, NULL, scope)), EAGAIN);
    ck_assert_int_eq(QUIET(fs_futex_wait_bitset(&w, 8, 1, NULL, scope)), EAGAIN);
    ck_assert_int_eq(QUIET(fs_futex_wait_relative(&w, 8, -1, scope)), EAGAIN);
    ck_assert_int_eq(QUIET(fs_futex_wait(&w, 8, &past, scope)), EAGAIN);
    past.sec = -5;
    ck_assert_int_eq(QUIET(fs_futex_wait(&w, 8, &past, scope)), EAGAIN);
}
END_TEST

START_TEST(a_deadline_ends_the_wait_and_never_early)
{
    enum fs_scope scope = (enum fs_scope)_i;

    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline d = moment((enum fs_clock)clock, 30);
        fs_word w = {7};

        ck_assert_int_eq(QUIET(fs_futex_wait(&w, 7, &d, scope)), ETIMEDOUT);
        ck_assert(has_come(&d));
        d = moment((enum fs_clock)clock, 30);
        ck_assert_int_eq(QUIET(fs_futex_wait_bitset(&w, 7, 4, &d, scope)), ETIMEDOUT);
        ck_assert(has_come(&d));
    }
}
END_TEST

START_TEST(a_relative_timeout_ends_the_wait_and_never_early)
{
    struct fs_deadline d = moment(FS_CLOCK_MONOTONIC, 1020);
    fs_word w = {7};

    ck_assert_int_eq(QUIET(fs_futex_wait_relative(&w, 7, 1020000000, (enum fs_scope)_i)),
                     ETIMEDOUT);
    ck_assert(has_come(&d));
    ck_assert_int_eq(QUIET(fs_futex_wait_relative(&w, 7, 0, (enum fs_scope)_i)), ETIMEDOUT);
}
END_TEST

START_TEST(a_past_deadline_gives_ETIMEDOUT)
{
    enum fs_scope scope = (enum fs_scope)_i;
    static const int64_t seconds[] = {0, -1, INT64_MIN};

    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++)
        for (int i = 0; i < 3; i++) {
            struct fs_deadline d = {seconds[i], 999999999, (enum fs_clock)clock};
            fs_word w = {7};

            d.nsec = i == 0 ? 0 : d.nsec;
            ck_assert_int_eq(QUIET(fs_futex_wait(&w, 7, &d, scope)), ETIMEDOUT);
        }
}
END_TEST

START_TEST(a_deadline_after_the_end_of_time_waits_for_a_wake)
{
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline d = {INT64_MAX, 999999999, (enum fs_clock)clock};
        struct wait w = {.deadline = &d, .scope = (enum fs_scope)_i};
        struct sleeper s;

        sleeper_put_to_sleep(&s, do_wait, &w);
        ck_assert_int_eq(fs_futex_wake(&w.word, 1, w.scope), 1);
        ck_assert_int_eq(sleeper_join(&s), 0);
    }
}
END_TEST

START_TEST(a_signal_handler_ends_the_wait_with_EINTR)
{
    struct fs_deadline far = moment(FS_CLOCK_MONOTONIC, 600000);
    struct wait plain = {.scope = (enum fs_scope)_i};
    struct wait timed = {.deadline = &far, .scope = (enum fs_scope)_i};
    struct wait relative = {.timeout_ns = FAR_NS, .scope = (enum fs_scope)_i};
    struct sleeper s;

    SKIP_IF_GENERIC("a_signal_handler_ends_the_wait_with_EINTR", NO_EINTR);
    sleeper_put_to_sleep(&s, do_wait, &plain);
    sleeper_interrupt(&s);
    ck_assert_int_eq(sleeper_join(&s), EINTR);
    sleeper_put_to_sleep(&s, do_wait, &timed);
    sleeper_interrupt(&s);
    ck_assert_int_eq(sleeper_join(&s), EINTR);
    sleeper_put_to_sleep(&s, do_wait_relative, &relative);
    sleeper_interrupt(&s);
    ck_assert_int_eq(sleeper_join(&s), EINTR);
}
END_TEST

START_TEST(a_wait_on_unmapped_memory_gives_EFAULT)
{
    fs_word *w = unmapped_word();

    SKIP_IF_GENERIC("a_wait_on_unmapped_memory_gives_EFAULT", NO_EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_wait(w, 0, NULL, (enum fs_scope)_i)), EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_wait_relative(w, 0, 0, (enum fs_scope)_i)), EFAULT);
}
END_TEST

START_TEST(a_wake_on_unmapped_memory_wakes_nobody)
{
    fs_word *w = unmapped_word();

    ck_assert_int_eq(QUIET(fs_futex_wake(w, 1, (enum fs_scope)_i)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(w, 1, 1, (enum fs_scope)_i)), 0);
}
END_TEST

START_TEST(a_wait_with_an_unlisted_result_aborts)
{
    fs_word w = {0};

    fs_futex_wait_bitset(&w, 0, 0, NULL, (enum fs_scope)_i);
}
END_TEST

START_TEST(a_shared_wake_reaches_another_process)
{
    struct wait *w = shared_page();
    int status;
    pid_t child;

    SKIP_IF_GENERIC("a_shared_wake_reaches_another_process", NO_OTHER_PROCESS);
    w->scope = FS_SCOPE_SHARED;
    child = fork();
    if (child == 0)
        _exit(fs_futex_wait(&w->word, 0, NULL, FS_SCOPE_SHARED) == 0 ? 0 : 1);
    while (fs_futex_wake(&w->word, 1, FS_SCOPE_SHARED) == 0)
        fs_system_yield();
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(scopes_do_not_meet)
{
    struct wait *w = shared_page();
    struct sleeper s;

    w->scope = (enum fs_scope)_i;
    sleeper_put_to_sleep(&s, do_wait, w);
    ck_assert_int_eq(fs_futex_wake(&w->word, 1, (enum fs_scope) !_i), 0);
    ck_assert_int_eq(fs_futex_wake(&w->word, 1, w->scope), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: wait and wake");
    TCase *scopes = tcase_create("both scopes");

    tcase_set_timeout(scopes, 30);
    tcase_add_loop_test(scopes, a_wake_wakes_a_sleeper, 0, 2);
    tcase_add_loop_test(scopes, a_wake_wakes_a_relative_sleeper, 0, 2);
    tcase_add_loop_test(scopes, a_wake_wakes_no_more_than_its_count, 0, 2);
    tcase_add_loop_test(scopes, a_wake_with_bits_wakes_only_who_shares_one, 0, 2);
    tcase_add_loop_test(scopes, a_wait_on_a_changed_word_gives_EAGAIN, 0, 2);
    tcase_add_loop_test(scopes, a_deadline_ends_the_wait_and_never_early, 0, 2);
    tcase_add_loop_test(scopes, a_relative_timeout_ends_the_wait_and_never_early, 0, 2);
    tcase_add_loop_test(scopes, a_past_deadline_gives_ETIMEDOUT, 0, 2);
    tcase_add_loop_test(scopes, a_deadline_after_the_end_of_time_waits_for_a_wake, 0, 2);
    tcase_add_loop_test(scopes, a_signal_handler_ends_the_wait_with_EINTR, 0, 2);
    tcase_add_loop_test(scopes, a_wait_on_unmapped_memory_gives_EFAULT, 0, 2);
    tcase_add_loop_test(scopes, a_wake_on_unmapped_memory_wakes_nobody, 0, 2);
    tcase_add_loop_test_raise_signal(scopes, a_wait_with_an_unlisted_result_aborts, 6, 0, 2);
    tcase_add_loop_test(scopes, scopes_do_not_meet, 0, 2);
    tcase_add_test(scopes, a_shared_wake_reaches_another_process);
    suite_add_tcase(suite, scopes);
    return run_suite(suite);
}
