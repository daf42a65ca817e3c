/* SPDX-License-Identifier: MIT */
/* What the public futex calls refuse: wrong times, clocks, scopes, words and counts,
   each with EINVAL and before anything happens. */
#include "sleepers.h"

#include <fastsync/futex.h>

#define PRIVATE FASTSYNC_FUTEX_PRIVATE
#define NO_SCOPE ((enum fastsync_futex_scope)2)

static const struct timespec bad_times[] = {{0, -1}, {0, 1000000000}, {5, INT32_MAX}};

START_TEST(a_wrong_time_or_clock_gives_EINVAL)
{
    struct fastsync_futex_waiter waiter = {NULL, 0, PRIVATE};
    struct timespec good = {1, 0}, negative = {-1, 0};
    uint32_t w = 0, other = 0;
    unsigned woken;

    waiter.word = &w;
    for (int i = 0; i < 4; i++) {
        const struct timespec *t = i < 3 ? &bad_times[i] : &good;
        clockid_t c = i < 3 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;

        ck_assert_int_eq(QUIET(fastsync_futex_wait(&w, 0, t, c, PRIVATE)), EINVAL);
        ck_assert_int_eq(QUIET(fastsync_futex_wait_bitset(&w, 0, 1, t, c, PRIVATE)), EINVAL);
        ck_assert_int_eq(QUIET(fastsync_futex_wait_any(&waiter, 1, t, c, &woken)), EINVAL);
        ck_assert_int_eq(QUIET(fastsync_futex_lock_pi(&w, t, c, PRIVATE)), EINVAL);
        ck_assert_int_eq(QUIET(fastsync_futex_lock_pi2(&w, t, c, PRIVATE)), EINVAL);
        ck_assert_int_eq(QUIET(fastsync_futex_wait_requeue_pi(&w, 0, &other, t, c, PRIVATE)),
                         EINVAL);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(QUIET(fastsync_futex_wait_relative(&w, 0, &bad_times[i], PRIVATE)),
                         EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_relative(&w, 0, &negative, PRIVATE)), EINVAL);
    ck_assert_uint_eq(w, 0);
}
END_TEST

/* Every call with a word or a scope that no call takes, and a partner that is right. */
static void check_refused(uint32_t *bad, uint32_t *good, enum fastsync_futex_scope scope)
{
    static const struct fastsync_futex_wake_op op = {FASTSYNC_FUTEX_ADD, false, 1,
                                                     FASTSYNC_FUTEX_EQ, 0};
    struct fastsync_futex_waiter waiter = {bad, 0, scope};
    unsigned woken;

    ck_assert_int_eq(QUIET(fastsync_futex_wait(bad, 0, NULL, 0, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_bitset(bad, 0, 1, NULL, 0, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_relative(bad, 0, NULL, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_any(&waiter, 1, NULL, 0, &woken)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wake(bad, 1, scope)), 0);
    ck_assert_int_eq(QUIET(fastsync_futex_wake_bitset(bad, 1, 1, scope)), 0);
    ck_assert_int_eq(QUIET(fastsync_futex_requeue(good, bad, 1, 1, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_requeue(bad, good, 1, 1, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_cmp_requeue(good, bad, 0, 1, 1, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_cmp_requeue(bad, good, 0, 1, 1, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wake_op(good, bad, 1, 1, &op, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wake_op(bad, good, 1, 1, &op, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_lock_pi(bad, NULL, 0, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_lock_pi2(bad, NULL, 0, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_trylock_pi(bad, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_unlock_pi(bad, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_requeue_pi(bad, 0, good, NULL, 0, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_requeue_pi(good, 0, bad, NULL, 0, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_cmp_requeue_pi(bad, good, 0, 0, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_cmp_requeue_pi(good, bad, 0, 0, scope, NULL)), EINVAL);
}

START_TEST(a_misaligned_word_gives_EINVAL)
{
    uint32_t words[2] = {0, 0}, good = 0;
    void *crooked = (char *)words + 2;

    check_refused(crooked, &good, PRIVATE);
    ck_assert_uint_eq(good, 0);
}
END_TEST

START_TEST(a_scope_that_is_none_gives_EINVAL)
{
    uint32_t bad = 0, good = 0;

    check_refused(&bad, &good, NO_SCOPE);
    ck_assert_uint_eq(good, 0);
}
END_TEST

START_TEST(numbers_out_of_range_give_EINVAL)
{
    uint32_t w = 0, other = 0;
    struct fastsync_futex_waiter waiter = {&w, 0, PRIVATE};
    unsigned woken;

    ck_assert_int_eq(QUIET(fastsync_futex_wait_bitset(&w, 0, 0, NULL, 0, PRIVATE)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wake_bitset(&w, 1, 0, PRIVATE)), 0);
    ck_assert_int_eq(QUIET(fastsync_futex_wake(&w, -1, PRIVATE)), 0);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_any(&waiter, 0, NULL, 0, &woken)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_any(&waiter, 129, NULL, 0, &woken)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_requeue(&w, &other, -1, 0, PRIVATE, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_cmp_requeue(&w, &other, 0, 0, -1, PRIVATE, NULL)),
                     EINVAL);
    ck_assert_int_eq(QUIET(fastsync_futex_cmp_requeue_pi(&w, &other, 0, -1, PRIVATE, NULL)),
                     EINVAL);
}
END_TEST

START_TEST(an_unmapped_word_gives_EFAULT)
{
    uint32_t *gone = (uint32_t *)(void *)unmapped_word();

    ck_assert_int_eq(QUIET(fastsync_futex_wait(gone, 0, NULL, 0, (enum fastsync_futex_scope)_i)),
                     EFAULT);
    ck_assert_int_eq(QUIET(fastsync_futex_wake(gone, 1, (enum fastsync_futex_scope)_i)), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("public: arguments of futex calls");
    TCase *tests = tcase_create("arguments");

    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, a_wrong_time_or_clock_gives_EINVAL);
    tcase_add_test(tests, a_misaligned_word_gives_EINVAL);
    tcase_add_test(tests, a_scope_that_is_none_gives_EINVAL);
    tcase_add_test(tests, numbers_out_of_range_give_EINVAL);
    tcase_add_loop_test(tests, an_unmapped_word_gives_EFAULT, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
