/* SPDX-License-Identifier: MIT */
/* Time-outs from deadlines, for systems whose waits take no deadline (futex/relative.h): the same
   arithmetic on any system, so it is tested on this one. */
#include "sleepers.h"

#include "futex/poll.h"
#include "futex/relative.h"

#define SECOND ((int64_t)FS_NSEC_PER_SEC)
#define MOST (INT64_MAX / 4)

START_TEST(a_moment_that_has_come_is_nothing_away)
{
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline now = moment((enum fs_clock)clock, 0);
        struct fs_deadline past = moment((enum fs_clock)clock, -1000);
        struct fs_deadline first = {INT64_MIN, 0, (enum fs_clock)clock};

        past.nsec = FS_NSEC_PER_SEC - 1;
        past.sec -= 1;
        ck_assert_int_eq(fs_relative_ns(&now), 0);
        ck_assert_int_eq(fs_relative_ns(&past), 0);
        ck_assert_int_eq(fs_relative_ns(&first), 0);
    }
}
END_TEST

START_TEST(a_later_moment_is_as_far_away_as_its_own_clock_says)
{
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline later = moment((enum fs_clock)clock, 1000 * 1000);
        int64_t ns;

        later.nsec = 0; /* below the clock's own: the difference has to borrow */
        ns = fs_relative_ns(&later);
        ck_assert_int_le(ns, 1000 * SECOND);
        ck_assert_int_gt(ns, 500 * SECOND);
    }
}
END_TEST

START_TEST(no_moment_is_too_far_away_to_be_counted)
{
    struct fs_deadline last = {INT64_MAX, FS_NSEC_PER_SEC - 1, FS_CLOCK_MONOTONIC};

    ck_assert_int_eq(fs_relative_ns(&last), MOST);
    last.sec = moment(FS_CLOCK_MONOTONIC, 0).sec + MOST / SECOND + 2;
    ck_assert_int_eq(fs_relative_ns(&last), MOST);
    last.sec -= 10;
    ck_assert_int_lt(fs_relative_ns(&last), MOST);
    ck_assert_int_gt(fs_relative_ns(&last), MOST / 2);
}
END_TEST

START_TEST(a_sleep_towards_the_wall_clock_is_short_and_any_other_long)
{
    struct fs_deadline wall = {0, 0, FS_CLOCK_REALTIME};
    struct fs_deadline steady = {0, 0, FS_CLOCK_MONOTONIC};
    bool whole = false;

    ck_assert_int_eq(fs_relative_slice(&wall, 1, &whole), 1);
    ck_assert(whole);
    ck_assert_int_eq(fs_relative_slice(&wall, FS_WALL_SLICE_NS, &whole), FS_WALL_SLICE_NS);
    ck_assert(whole);
    ck_assert_int_eq(fs_relative_slice(&wall, FS_WALL_SLICE_NS + 1, &whole), FS_WALL_SLICE_NS);
    ck_assert(!whole);
    ck_assert_int_eq(fs_relative_slice(&steady, FS_WALL_SLICE_NS + 1, &whole),
                     FS_WALL_SLICE_NS + 1);
    ck_assert(whole);
    ck_assert_int_eq(fs_relative_slice(&steady, MOST, &whole), FS_LONG_SLICE_NS);
    ck_assert(!whole);
}
END_TEST

START_TEST(the_deadline_of_a_timeout_is_valid_and_not_too_early)
{
    static const int64_t timeouts[] = {0, 1, SECOND - 1, SECOND, 3 * SECOND - 1, INT64_MAX};

    for (unsigned i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        struct fs_deadline before = fs_system_now(FS_CLOCK_MONOTONIC);
        struct fs_deadline at = fs_relative_deadline(timeouts[i]);
        int64_t away = (at.sec - before.sec) * SECOND;

        ck_assert(fs_deadline_is_valid(&at));
        ck_assert_int_eq(at.clock, FS_CLOCK_MONOTONIC);
        if (timeouts[i] == INT64_MAX)
            ck_assert_int_ge(at.sec - before.sec, INT64_MAX / SECOND);
        else
            ck_assert_int_ge(away + at.nsec - before.nsec, timeouts[i]);
    }
}
END_TEST

START_TEST(a_wait_that_may_not_sleep_watches_word_and_deadline)
{
    struct fs_deadline past = moment(FS_CLOCK_REALTIME, -1000);
    struct fs_deadline later = moment(FS_CLOCK_MONOTONIC, 1000 * 1000);
    fs_word w = {7};

    ck_assert_int_eq(fs_futex_poll(&w, 7, NULL), EAGAIN);
    ck_assert_int_eq(fs_futex_poll(&w, 7, &later), EAGAIN);
    ck_assert_int_eq(fs_futex_poll(&w, 7, &past), ETIMEDOUT);
    ck_assert_int_eq(fs_futex_poll(&w, 8, &past), EAGAIN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relative time-outs");
    TCase *tc = tcase_create("arithmetic");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_moment_that_has_come_is_nothing_away);
    tcase_add_test(tc, a_later_moment_is_as_far_away_as_its_own_clock_says);
    tcase_add_test(tc, no_moment_is_too_far_away_to_be_counted);
    tcase_add_test(tc, a_sleep_towards_the_wall_clock_is_short_and_any_other_long);
    tcase_add_test(tc, the_deadline_of_a_timeout_is_valid_and_not_too_early);
    tcase_add_test(tc, a_wait_that_may_not_sleep_watches_word_and_deadline);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
