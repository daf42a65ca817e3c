/* SPDX-License-Identifier: MIT */
/* How waits end by their deadlines on Windows, whose time-outs are milliseconds from now on by a
   clock of the system's: never early, however small, large or far away, and what the system is
   asked for on the way. The loop index is the scope, or what the test says. */
#include "sleepers.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "eventually.h"
#include "futex/relative.h"
#include "quiet.h"
#include "waits.h"

#define SCOPE ((enum fs_scope)_i)
#define MS_PER_DAY 86400000u

static fs_word asked;    /* how often the system was */
static fs_word least_ms; /* of the time-outs it was given */
static fs_word greatest_ms;

static uint32_t note(uint32_t timeout_ms, uint32_t answer)
{
    if (fs_add_seq_cst(&asked, 1) == 0 || timeout_ms < fs_load_relaxed(&least_ms))
        fs_store_relaxed(&least_ms, timeout_ms);
    if (timeout_ms > fs_load_relaxed(&greatest_ms))
        fs_store_relaxed(&greatest_ms, timeout_ms);
    return answer;
}

static uint32_t note_and_ask(uint32_t timeout_ms)
{
    return note(timeout_ms, WAITS_ASK_THE_SYSTEM);
}

static uint32_t note_and_wake(uint32_t timeout_ms)
{
    return note(timeout_ms, 0);
}

static uint32_t note_and_time_out(uint32_t timeout_ms)
{
    return note(timeout_ms, ERROR_TIMEOUT);
}

START_TEST(a_deadline_ends_the_wait_and_never_early)
{
    waits_answer_by(note_and_ask);
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++)
        for (int ms = 0; ms < 60; ms += 7) {
            struct fs_deadline d = moment((enum fs_clock)clock, ms);
            fs_word w = {7};
            int err;

            d.nsec = d.nsec / 1000000 * 1000000 + 999 * 1000; /* below a millisecond as well */
            do
                err = ms % 2 ? STILL(fs_futex_wait_bitset(&w, 7, 4, &d, SCOPE))
                             : STILL(fs_futex_wait(&w, 7, &d, SCOPE));
            while (err == 0);
            ck_assert_int_eq(err, ETIMEDOUT);
            ck_assert(has_come(&d));
        }
    ck_assert_uint_ge(fs_load_relaxed(&least_ms), 1); /* nobody spins towards the end */
    ck_assert_uint_le(fs_load_relaxed(&greatest_ms), 61);
}
END_TEST

START_TEST(a_relative_timeout_ends_the_wait_and_never_early)
{
    struct fs_deadline d = moment(FS_CLOCK_MONOTONIC, 1020);
    fs_word w = {7};
    int err;

    do
        err = STILL(fs_futex_wait_relative(&w, 7, 1020000000, SCOPE));
    while (err == 0);
    ck_assert_int_eq(err, ETIMEDOUT);
    ck_assert(has_come(&d));
    ck_assert_int_eq(STILL(fs_futex_wait_relative(&w, 7, 0, SCOPE)), ETIMEDOUT);
}
END_TEST

START_TEST(a_past_deadline_gives_ETIMEDOUT_without_a_wait)
{
    static const int64_t seconds[] = {0, -1, INT64_MIN};

    waits_answer_by(note_and_ask);
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++)
        for (int i = 0; i < 3; i++) {
            struct fs_deadline d = {seconds[i], i == 0 ? 0 : 999999999, (enum fs_clock)clock};
            fs_word w = {7};

            ck_assert_int_eq(STILL(fs_futex_wait(&w, 7, &d, SCOPE)), ETIMEDOUT);
            ck_assert_int_eq(STILL(fs_futex_wait(&w, 8, &d, SCOPE)), EAGAIN);
        }
    ck_assert_uint_eq(fs_load_relaxed(&asked), 0);
}
END_TEST

struct bed {
    fs_word word;
    const struct fs_deadline *deadline;
    struct sleeper sleeper;
};

static int sleep_in(void *arg)
{
    struct bed *bed = arg;

    return STILL(fs_futex_wait(&bed->word, 0, bed->deadline, FS_SCOPE_PRIVATE));
}

/* The loop index is the clock. Among them are those whose milliseconds have more than 32 bits and
   then look small or like INFINITE. */
START_TEST(a_wait_for_a_distant_deadline_sleeps_and_never_for_ever)
{
    static const int64_t away[] = {
        3600,     86401, 4294968, 2 * 4294968, INT64_C(10) * 365 * 86400, INT64_MAX / 1000000,
        INT64_MAX};
    uint32_t most = _i == FS_CLOCK_REALTIME ? 2000 : MS_PER_DAY;

    waits_answer_by(note_and_ask);
    for (int i = 0; i < 7; i++) {
        struct fs_deadline d = fs_system_now((enum fs_clock)_i);
        struct bed bed = {.deadline = &d};

        d.sec = away[i] < INT64_MAX / 1000000 ? d.sec + away[i] : away[i];
        sleeper_put_to_sleep(&bed.sleeper, sleep_in, &bed);
        sleep_ms(20);
        ck_assert(!sleeper_is_done(&bed.sleeper));
        fs_futex_wake(&bed.word, 1, FS_SCOPE_PRIVATE);
        ck_assert_int_eq(sleeper_join(&bed.sleeper), 0);
    }
    ck_assert_uint_gt(fs_load_relaxed(&least_ms), 1000);
    ck_assert_uint_le(fs_load_relaxed(&greatest_ms), most);
}
END_TEST

START_TEST(a_wait_without_a_deadline_is_for_ever)
{
    fs_word w = {0};

    waits_answer_by(note_and_wake);
    ck_assert_int_eq(STILL(fs_futex_wait(&w, 0, NULL, FS_SCOPE_PRIVATE)), 0);
    ck_assert_int_eq(STILL(fs_futex_wait_relative(&w, 0, -1, FS_SCOPE_PRIVATE)), 0);
    ck_assert_uint_eq(fs_load_relaxed(&asked), 2);
    ck_assert_uint_eq(fs_load_relaxed(&least_ms), INFINITE);
}
END_TEST

/* Two seconds, so that a step of that clock is noticed. The system's end of it is not the
   deadline's. */
START_TEST(a_wait_by_the_wall_clock_is_short_and_its_end_a_wake_up)
{
    struct fs_deadline distant = moment(FS_CLOCK_REALTIME, 3600000);
    fs_word w = {0};

    waits_answer_by(note_and_time_out);
    ck_assert_int_eq(STILL(fs_futex_wait(&w, 0, &distant, FS_SCOPE_PRIVATE)), 0);
    ck_assert_uint_eq(fs_load_relaxed(&asked), 1);
    ck_assert_uint_eq(fs_load_relaxed(&greatest_ms), 2000);
}
END_TEST

/* Such as the system's clock makes it, which ticks otherwise than the deadline's. */
START_TEST(an_end_before_the_deadline_is_a_wake_up)
{
    struct fs_deadline soon = moment((enum fs_clock)_i, 1500);
    fs_word w = {0};

    waits_answer_by(note_and_time_out);
    ck_assert_int_eq(STILL(fs_futex_wait(&w, 0, &soon, FS_SCOPE_PRIVATE)), 0);
    ck_assert_uint_eq(fs_load_relaxed(&asked), 1);
}
END_TEST

START_TEST(a_shared_wait_looks_at_its_word_every_few_milliseconds)
{
    struct fs_deadline soon = moment((enum fs_clock)_i, 100);
    fs_word w = {0};

    waits_answer_by(note_and_ask);
    ck_assert_int_eq(STILL(fs_futex_wait(&w, 0, &soon, FS_SCOPE_SHARED)), ETIMEDOUT);
    ck_assert(has_come(&soon));
    ck_assert_uint_le(fs_load_relaxed(&greatest_ms), 5);
    ck_assert_uint_ge(fs_load_relaxed(&least_ms), 1);
}
END_TEST

struct pair {
    fs_word word;
    struct fs_deadline soon;
    struct sleeper timed, other;
};

static int sleep_until_soon(void *arg)
{
    struct pair *pair = arg;

    return STILL(fs_futex_wait(&pair->word, 0, &pair->soon, FS_SCOPE_PRIVATE));
}

static int sleep_without_end(void *arg)
{
    struct pair *pair = arg;

    return STILL(fs_futex_wait(&pair->word, 0, NULL, FS_SCOPE_PRIVATE));
}

static uint32_t lose_that_of_the_timed(uint32_t timeout_ms)
{
    return timeout_ms == INFINITE ? WAITS_ASK_THE_SYSTEM : WAITS_LOSE_A_WAKE;
}

/* The one wake goes to whom came first, who answers ETIMEDOUT all the same. */
START_TEST(a_wake_that_met_a_time_out_is_passed_on)
{
    struct pair pair = {.soon = moment(FS_CLOCK_MONOTONIC, 500)};

    waits_answer_by(lose_that_of_the_timed);
    sleeper_put_to_sleep(&pair.timed, sleep_until_soon, &pair);
    sleeper_put_to_sleep(&pair.other, sleep_without_end, &pair);
    while (!has_come(&pair.soon))
        sleep_ms(1);
    fs_store_relaxed(&pair.word, 1);
    fs_futex_wake(&pair.word, 1, FS_SCOPE_PRIVATE);
    ck_assert_int_eq(sleeper_join(&pair.timed), ETIMEDOUT);
    ck_assert_int_eq(sleeper_join(&pair.other), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadlines");
    TCase *tests = tcase_create("deadlines");

    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, a_deadline_ends_the_wait_and_never_early, 0, 2);
    tcase_add_loop_test(tests, a_relative_timeout_ends_the_wait_and_never_early, 0, 2);
    tcase_add_loop_test(tests, a_past_deadline_gives_ETIMEDOUT_without_a_wait, 0, 2);
    tcase_add_loop_test(tests, a_wait_for_a_distant_deadline_sleeps_and_never_for_ever, 0, 2);
    tcase_add_test(tests, a_wait_without_a_deadline_is_for_ever);
    tcase_add_test(tests, a_wait_by_the_wall_clock_is_short_and_its_end_a_wake_up);
    tcase_add_loop_test(tests, an_end_before_the_deadline_is_a_wake_up, 0, 2);
    tcase_add_loop_test(tests, a_shared_wait_looks_at_its_word_every_few_milliseconds, 0, 2);
    tcase_add_test(tests, a_wake_that_met_a_time_out_is_passed_on);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
