/* SPDX-License-Identifier: MIT */
/* futex_waitv(2): sleeping on 1 to 128 words at once, and which word the kernel
   names, against the running kernel. Where the kernel is older than 5.16 the
   answer is ENOSYS and the other tests are skipped. */
#include "sleepers.h"

#define MOST FS_FUTEX_WAIT_ANY_MAX

struct many {
    fs_word words[MOST];
    struct fs_futex_waiter waiters[MOST];
    unsigned n;
    unsigned woken;
    const struct fs_deadline *deadline;
};

static struct many many;

#define SKIP_IF_LACKING(name)                                                                      \
    if (!fs_system_has(FS_FEATURE_WAIT_ANY))                                                       \
    SKIP(name, "the kernel has no futex_waitv")

/* n words of both scopes in turn, each expected to hold its index. */
static void prepare(unsigned n)
{
    many = (struct many){.n = n, .woken = MOST};
    for (unsigned i = 0; i < n; i++) {
        fs_store_relaxed(&many.words[i], i);
        many.waiters[i] = (struct fs_futex_waiter){&many.words[i], i, (enum fs_scope)(i % 2)};
    }
}

static int wait_any(void *arg)
{
    struct many *m = arg;

    return QUIET(fs_futex_wait_any(m->waiters, m->n, m->deadline, &m->woken));
}

START_TEST(the_index_of_the_woken_word_is_returned)
{
    static const unsigned cases[][2] = {{1, 0}, {2, 1}, {5, 3}, {128, 0}, {128, 64}, {128, 127}};
    struct sleeper s;

    SKIP_IF_LACKING("the_index_of_the_woken_word_is_returned");
    for (int i = 0; i < 6; i++) {
        unsigned n = cases[i][0], index = cases[i][1];

        prepare(n);
        sleeper_put_to_sleep(&s, wait_any, &many);
        ck_assert_int_eq(fs_futex_wake(&many.words[index], 1, many.waiters[index].scope), 1);
        ck_assert_int_eq(sleeper_join(&s), 0);
        ck_assert_uint_eq(many.woken, index);
    }
}
END_TEST

START_TEST(one_changed_word_gives_EAGAIN)
{
    SKIP_IF_LACKING("one_changed_word_gives_EAGAIN");
    for (unsigned i = 0; i < MOST; i += 42) {
        prepare(MOST);
        fs_store_relaxed(&many.words[i], 4711);
        ck_assert_int_eq(wait_any(&many), EAGAIN);
        ck_assert_uint_eq(many.woken, MOST);
    }
}
END_TEST

START_TEST(a_deadline_on_either_clock_ends_the_wait_and_never_early)
{
    SKIP_IF_LACKING("a_deadline_on_either_clock_ends_the_wait_and_never_early");
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline d = moment((enum fs_clock)clock, 30);

        prepare(3);
        many.deadline = &d;
        ck_assert_int_eq(wait_any(&many), ETIMEDOUT);
        ck_assert(has_come(&d));
        d.sec = -1;
        ck_assert_int_eq(wait_any(&many), ETIMEDOUT);
    }
}
END_TEST

START_TEST(a_deadline_after_the_end_of_time_waits_for_a_wake)
{
    struct fs_deadline d = {INT64_MAX, 0, (enum fs_clock)_i};
    struct sleeper s;

    SKIP_IF_LACKING("a_deadline_after_the_end_of_time_waits_for_a_wake");
    prepare(2);
    many.deadline = &d;
    sleeper_put_to_sleep(&s, wait_any, &many);
    ck_assert_int_eq(fs_futex_wake(&many.words[1], 1, FS_SCOPE_SHARED), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

START_TEST(a_signal_handler_ends_the_wait_with_EINTR)
{
    struct sleeper s;

    SKIP_IF_GENERIC("a_signal_handler_ends_the_wait_with_EINTR", NO_EINTR);
    SKIP_IF_LACKING("a_signal_handler_ends_the_wait_with_EINTR");
    prepare(4);
    sleeper_put_to_sleep(&s, wait_any, &many);
    sleeper_interrupt(&s);
    ck_assert_int_eq(sleeper_join(&s), EINTR);
}
END_TEST

START_TEST(an_unmapped_word_gives_EFAULT)
{
    SKIP_IF_LACKING("an_unmapped_word_gives_EFAULT");
    SKIP_IF_GENERIC("an_unmapped_word_gives_EFAULT", NO_EFAULT);
    prepare(4);
    many.waiters[2].word = unmapped_word();
    ck_assert_int_eq(wait_any(&many), EFAULT);
}
END_TEST

START_TEST(a_number_of_words_out_of_range_gives_EINVAL)
{
    prepare(1);
    many.n = 0;
    ck_assert_int_eq(wait_any(&many), EINVAL);
    many.n = MOST + 1;
    ck_assert_int_eq(wait_any(&many), EINVAL);
}
END_TEST

START_TEST(a_kernel_without_it_gives_ENOSYS)
{
    if (fs_system_has(FS_FEATURE_WAIT_ANY))
        return;
    prepare(2);
    ck_assert_int_eq(wait_any(&many), ENOSYS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: waitv");
    TCase *tests = tcase_create("waitv");

    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, the_index_of_the_woken_word_is_returned);
    tcase_add_test(tests, one_changed_word_gives_EAGAIN);
    tcase_add_test(tests, a_deadline_on_either_clock_ends_the_wait_and_never_early);
    tcase_add_loop_test(tests, a_deadline_after_the_end_of_time_waits_for_a_wake, 0, 2);
    tcase_add_test(tests, a_signal_handler_ends_the_wait_with_EINTR);
    tcase_add_test(tests, an_unmapped_word_gives_EFAULT);
    tcase_add_test(tests, a_number_of_words_out_of_range_gives_EINVAL);
    tcase_add_test(tests, a_kernel_without_it_gives_ENOSYS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
