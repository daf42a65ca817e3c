/* SPDX-License-Identifier: MIT */
/* The public futex calls of include/fastsync/futex.h: that each reaches its operation
   with its arguments in the right places. The operations themselves are tested on the
   futex layer. */
#include "sleepers.h"

#include <fastsync/futex.h>
#include <fastsync/version.h>

#define PRIVATE FASTSYNC_FUTEX_PRIVATE
#define SHARED FASTSYNC_FUTEX_SHARED
#define SLEEPERS 3

struct scene {
    uint32_t word;
    uint32_t other;
    uint32_t bits; /* 0: fastsync_futex_wait */
    enum fastsync_futex_scope scope;
    struct sleeper sleepers[SLEEPERS];
};

static int sleep_on_word(void *arg)
{
    struct scene *s = arg;

    if (s->bits)
        return QUIET(fastsync_futex_wait_bitset(&s->word, 0, s->bits, NULL, -1, s->scope));
    return QUIET(fastsync_futex_wait(&s->word, 0, NULL, -1, s->scope));
}

static int sleep_relatively(void *arg)
{
    struct scene *s = arg;
    struct timespec most = {sizeof(time_t) == 8 ? (time_t)INT64_MAX : (time_t)INT32_MAX, 0};

    return QUIET(fastsync_futex_wait_relative(&s->word, 0, &most, s->scope));
}

static void put_all_to_sleep(struct scene *s, int index)
{
    *s = (struct scene){.scope = (enum fastsync_futex_scope)index};
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_put_to_sleep(&s->sleepers[i], sleep_on_word, s);
}

static void expect_asleep(struct scene *s, int on_word, int on_other)
{
    ck_assert_int_eq(QUIET(fastsync_futex_wake(&s->word, FASTSYNC_FUTEX_ALL, s->scope)), on_word);
    ck_assert_int_eq(QUIET(fastsync_futex_wake(&s->other, FASTSYNC_FUTEX_ALL, s->scope)), on_other);
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(sleeper_join(&s->sleepers[i]), 0);
}

static struct timespec in_ms(clockid_t clock, int64_t ms)
{
    struct fs_deadline d =
        moment(clock == CLOCK_REALTIME ? FS_CLOCK_REALTIME : FS_CLOCK_MONOTONIC, ms);

    return (struct timespec){d.sec, (long)d.nsec};
}

START_TEST(wake_reaches_every_kind_of_sleeper)
{
    struct scene s = {.bits = 4, .scope = (enum fastsync_futex_scope)_i};
    struct sleeper *sleeper = &s.sleepers[0];

    sleeper_put_to_sleep(sleeper, sleep_on_word, &s);
    ck_assert_int_eq(QUIET(fastsync_futex_wake_bitset(&s.word, 1, 3, s.scope)), 0);
    ck_assert_int_eq(QUIET(fastsync_futex_wake_bitset(&s.word, 1, 6, s.scope)), 1);
    ck_assert_int_eq(sleeper_join(sleeper), 0);
    sleeper_put_to_sleep(sleeper, sleep_relatively, &s);
    ck_assert_int_eq(QUIET(fastsync_futex_wake(&s.word, 1, s.scope)), 1);
    ck_assert_int_eq(sleeper_join(sleeper), 0);
}
END_TEST

START_TEST(a_deadline_on_either_clock_gives_ETIMEDOUT)
{
    enum fastsync_futex_scope scope = (enum fastsync_futex_scope)_i;
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    struct timespec short_time = {0, 1000000};
    uint32_t w = 7;

    for (int i = 0; i < 2; i++) {
        struct timespec d = in_ms(clocks[i], 20);
        struct timespec past = {-1, 0};

        ck_assert_int_eq(QUIET(fastsync_futex_wait(&w, 7, &d, clocks[i], scope)), ETIMEDOUT);
        ck_assert_int_eq(QUIET(fastsync_futex_wait_bitset(&w, 7, 1, &past, clocks[i], scope)),
                         ETIMEDOUT);
        ck_assert_int_eq(QUIET(fastsync_futex_wait(&w, 8, &d, clocks[i], scope)), EAGAIN);
    }
    ck_assert_int_eq(QUIET(fastsync_futex_wait_relative(&w, 7, &short_time, scope)), ETIMEDOUT);
    ck_assert_int_eq(QUIET(fastsync_futex_wait_relative(&w, 8, NULL, scope)), EAGAIN);
}
END_TEST

START_TEST(requeue_wakes_and_moves)
{
    struct scene s;
    int affected = -1;

    put_all_to_sleep(&s, _i);
    ck_assert_int_eq(QUIET(fastsync_futex_requeue(&s.word, &s.other, 0, 1, s.scope, &affected)), 0);
    ck_assert_int_eq(affected, 1);
    ck_assert_int_eq(
        QUIET(fastsync_futex_cmp_requeue(&s.word, &s.other, 1, 0, 1, s.scope, &affected)), EAGAIN);
    ck_assert_int_eq(
        QUIET(fastsync_futex_cmp_requeue(&s.word, &s.other, 0, 0, 1, s.scope, &affected)), 0);
    ck_assert_int_eq(affected, 1);
    expect_asleep(&s, 1, 2);
}
END_TEST

START_TEST(wake_op_changes_compares_and_wakes)
{
    struct fastsync_futex_wake_op op = {FASTSYNC_FUTEX_OR, true, 5, FASTSYNC_FUTEX_GE, -3};
    struct scene s;
    int woken = -1;

    put_all_to_sleep(&s, _i);
    s.other = (uint32_t)-3;
    ck_assert_int_eq(QUIET(fastsync_futex_wake_op(&s.other, &s.word, 1, 2, &op, s.scope, &woken)),
                     0);
    ck_assert_int_eq(woken, 2);
    ck_assert_uint_eq(s.word, 32);
    op = (struct fastsync_futex_wake_op){FASTSYNC_FUTEX_SET, false, 2048, FASTSYNC_FUTEX_EQ, 0};
    ck_assert_int_eq(QUIET(fastsync_futex_wake_op(&s.other, &s.word, 1, 1, &op, s.scope, NULL)),
                     EINVAL);
    expect_asleep(&s, 1, 0);
}
END_TEST

struct two_words {
    uint32_t words[2];
    unsigned woken;
};

static int sleep_on_both(void *arg)
{
    struct two_words *two = arg;
    struct fastsync_futex_waiter waiters[] = {{&two->words[0], 0, PRIVATE},
                                              {&two->words[1], 1, SHARED}};

    return QUIET(fastsync_futex_wait_any(waiters, 2, NULL, -1, &two->woken));
}

START_TEST(wait_any_names_the_woken_word)
{
    struct two_words two = {{0, 1}, 9};
    struct sleeper s;

    if (!fs_system_has(FS_FEATURE_WAIT_ANY))
        SKIP("wait_any_names_the_woken_word", "the kernel has no futex_waitv");
    sleeper_put_to_sleep(&s, sleep_on_both, &two);
    ck_assert_int_eq(fastsync_futex_wake(&two.words[1], 1, SHARED), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
    ck_assert_uint_eq(two.woken, 1);
    two.words[0] = 5;
    ck_assert_int_eq(sleep_on_both(&two), EAGAIN);
}
END_TEST

START_TEST(priority_inheritance_locks_and_unlocks)
{
    enum fastsync_futex_scope scope = (enum fastsync_futex_scope)_i;
    struct timespec d = in_ms(CLOCK_MONOTONIC, 600000);
    uint32_t me = fastsync_futex_thread_id(), w = 0;

    if (!fs_system_has(FS_FEATURE_PI))
        SKIP("priority_inheritance_locks_and_unlocks", "the kernel has no priority inheritance");
    ck_assert_int_eq(QUIET(fastsync_futex_lock_pi(&w, &d, CLOCK_MONOTONIC, scope)), 0);
    ck_assert_uint_eq(w & FASTSYNC_FUTEX_PI_TID_MASK, me);
    ck_assert_int_eq(QUIET(fastsync_futex_lock_pi(&w, NULL, -1, scope)), EDEADLK);
    ck_assert_int_eq(QUIET(fastsync_futex_trylock_pi(&w, scope)), EDEADLK);
    ck_assert_int_eq(QUIET(fastsync_futex_unlock_pi(&w, scope)), 0);
    ck_assert_int_eq(QUIET(fastsync_futex_unlock_pi(&w, scope)), EPERM);
    ck_assert_int_eq(QUIET(fastsync_futex_trylock_pi(&w, scope)), 0);
    ck_assert_int_eq(QUIET(fastsync_futex_unlock_pi(&w, scope)), 0);
    if (!fs_system_has(FS_FEATURE_LOCK_PI2))
        SKIP("priority_inheritance_locks_and_unlocks", "the kernel has no FUTEX_LOCK_PI2");
    d = in_ms(CLOCK_REALTIME, 600000);
    ck_assert_int_eq(QUIET(fastsync_futex_lock_pi2(&w, &d, CLOCK_REALTIME, scope)), 0);
    ck_assert_int_eq(QUIET(fastsync_futex_unlock_pi(&w, scope)), 0);
}
END_TEST

static int sleep_until_moved(void *arg)
{
    struct scene *s = arg;
    int err = QUIET(fastsync_futex_wait_requeue_pi(&s->word, 0, &s->other, NULL, -1, s->scope));

    return err ? err : fastsync_futex_unlock_pi(&s->other, s->scope);
}

START_TEST(a_sleeper_is_moved_to_a_lock_with_priority_inheritance)
{
    struct scene s = {.scope = (enum fastsync_futex_scope)_i};
    struct timespec past = {0, 0};
    int affected = -1;

    if (!fs_system_has(FS_FEATURE_REQUEUE_PI))
        SKIP("a_sleeper_is_moved_to_a_lock_with_priority_inheritance",
             "the kernel has no FUTEX_CMP_REQUEUE_PI");
    sleeper_put_to_sleep(&s.sleepers[0], sleep_until_moved, &s);
    ck_assert_int_eq(
        QUIET(fastsync_futex_cmp_requeue_pi(&s.word, &s.other, 0, 0, s.scope, &affected)), 0);
    ck_assert_int_eq(affected, 1);
    ck_assert_int_eq(sleeper_join(&s.sleepers[0]), 0);
    ck_assert_int_eq(
        QUIET(fastsync_futex_wait_requeue_pi(&s.word, 0, &s.other, &past, CLOCK_REALTIME, s.scope)),
        ETIMEDOUT);
}
END_TEST

START_TEST(the_library_and_its_header_have_one_version)
{
    ck_assert_str_eq(fastsync_version(), FASTSYNC_VERSION);
    ck_assert_int_eq(FASTSYNC_VERSION_NUMBER, FASTSYNC_VERSION_MAJOR * 10000 +
                                                  FASTSYNC_VERSION_MINOR * 100 +
                                                  FASTSYNC_VERSION_PATCH);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("public: futex and version");
    TCase *tests = tcase_create("public");

    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, wake_reaches_every_kind_of_sleeper, 0, 2);
    tcase_add_loop_test(tests, a_deadline_on_either_clock_gives_ETIMEDOUT, 0, 2);
    tcase_add_loop_test(tests, requeue_wakes_and_moves, 0, 2);
    tcase_add_loop_test(tests, wake_op_changes_compares_and_wakes, 0, 2);
    tcase_add_test(tests, wait_any_names_the_woken_word);
    tcase_add_loop_test(tests, priority_inheritance_locks_and_unlocks, 0, 2);
    tcase_add_loop_test(tests, a_sleeper_is_moved_to_a_lock_with_priority_inheritance, 0, 2);
    tcase_add_test(tests, the_library_and_its_header_have_one_version);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
