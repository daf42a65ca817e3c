/* SPDX-License-Identifier: MIT */
/* What the holder of a mutex owes to sleepers elsewhere: that its release wakes exactly as many as
   were agreed upon, on one word at a time, and that a mutex which the C library may release takes
   on no debt. Who comes to owe is decided by lock/condition.c and lock/broadcast.c. Where the
   mutex has no room for a debt, that every one is refused. */
#include "sleepers.h"

#include "eventually.h"
#include "lock/mutex.h"
#include "lock/settings.h"

#define SLEEPERS 6

static const uint32_t kinds[] = {FS_KIND_NORMAL, FS_KIND_RECURSIVE, FS_KIND_ERRORCHECK,
                                 FS_KIND_ADAPTIVE};

#define KINDS 4 /* the loop index of most tests */

#if FS_MUTEX_HAS_DEBT

struct bed {
    fs_word word;
    uint32_t bits;
    struct sleeper sleepers[SLEEPERS];
};

static int sleep_in_bed(void *arg)
{
    struct bed *bed = arg;

    return fs_futex_wait_bitset(&bed->word, 0, bed->bits, NULL, FS_SCOPE_PRIVATE);
}

static void fill(struct bed *bed, uint32_t bits)
{
    *bed = (struct bed){.bits = bits};
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_put_to_sleep(&bed->sleepers[i], sleep_in_bed, bed);
}

/* Wakes who is left and returns how many those were. */
static int empty(struct bed *bed)
{
    int left = fs_futex_wake(&bed->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE);

    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(sleeper_join(&bed->sleepers[i]), 0);
    return left;
}

static struct fs_mutex held(uint32_t kind)
{
    struct fs_mutex m = {.kind = {kind}};

    ck_assert_int_eq(fs_mutex_acquire(&m, kind, FS_WAIT_FOREVER, NULL), 0);
    return m;
}

static void unlock(struct fs_mutex *m)
{
    ck_assert_int_eq(QUIET(fs_mutex_release(m, fs_mutex_kind(m))), 0);
    ck_assert_uint_eq(fs_load_relaxed(&m->word), FS_LOCK_FREE);
    ck_assert_ptr_null(m->debt.word);
}

static void setup(void)
{
    fs_settings.spin = 0;
}

START_TEST(a_debt_makes_the_word_contended_and_is_paid_once)
{
    struct fs_mutex m = held(kinds[_i]);
    struct bed bed;

    fill(&bed, 1);
    ck_assert(fs_mutex_owe(&m, &bed.word, 1, 2));
    ck_assert_uint_eq(fs_load_relaxed(&m.word), FS_LOCK_CONTENDED);
    unlock(&m);
    ck_assert_int_eq(fs_mutex_acquire(&m, kinds[_i], FS_WAIT_FOREVER, NULL), 0);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), FS_LOCK_LOCKED);
    unlock(&m);
    ck_assert_int_eq(empty(&bed), SLEEPERS - 2);
}
END_TEST

/* The loop index is the count. */
START_TEST(a_release_wakes_exactly_as_many_as_are_owed)
{
    struct fs_mutex m = held(FS_KIND_NORMAL);
    struct bed bed;

    fill(&bed, 1);
    ck_assert(fs_mutex_owe(&m, &bed.word, 1, (uint32_t)_i));
    unlock(&m);
    ck_assert_int_eq(empty(&bed), SLEEPERS - _i);
}
END_TEST

START_TEST(debts_on_one_word_add_up)
{
    struct fs_mutex m = held(kinds[_i]);
    struct bed bed;

    fill(&bed, 4);
    ck_assert(fs_mutex_owe(&m, &bed.word, 1, 1)); /* nobody sleeps with this bit */
    ck_assert(fs_mutex_owe(&m, &bed.word, 4, 2));
    ck_assert(fs_mutex_owe(&m, &bed.word, 2, 1));
    unlock(&m);
    ck_assert_int_eq(empty(&bed), SLEEPERS - 4);
}
END_TEST

START_TEST(only_sleepers_with_the_bits_owed_are_woken)
{
    struct fs_mutex m = held(FS_KIND_NORMAL);
    struct bed bed;

    fill(&bed, 4);
    ck_assert(fs_mutex_owe(&m, &bed.word, 3, SLEEPERS));
    unlock(&m);
    ck_assert_int_eq(empty(&bed), SLEEPERS);
}
END_TEST

START_TEST(a_second_debt_on_another_word_is_refused)
{
    struct fs_mutex m = held(kinds[_i]);
    struct bed first, second;

    fill(&first, 1);
    fill(&second, 1);
    ck_assert(fs_mutex_owe(&m, &first.word, 1, 1));
    ck_assert(!fs_mutex_owe(&m, &second.word, 1, 3));
    ck_assert_ptr_eq(m.debt.word, &first.word);
    ck_assert_uint_eq(m.debt.count, 1);
    unlock(&m);
    ck_assert_int_eq(empty(&second), SLEEPERS);
    ck_assert_int_eq(empty(&first), SLEEPERS - 1);
    ck_assert_int_eq(fs_mutex_acquire(&m, kinds[_i], FS_WAIT_FOREVER, NULL), 0);
    ck_assert(fs_mutex_owe(&m, &second.word, 1, 3)); /* paid, so free for another */
}
END_TEST

START_TEST(a_mutex_turned_over_takes_on_no_debt)
{
    struct fs_mutex m = held(kinds[_i]);
    fs_word word = {0};

    fs_mutex_turn_over(&m);
    ck_assert(!fs_mutex_owe(&m, &word, 1, 1));
    ck_assert_ptr_null(m.debt.word);
    unlock(&m);
}
END_TEST

START_TEST(turning_a_mutex_over_pays_its_whole_debt)
{
    struct fs_mutex m = held(kinds[_i]);
    struct bed bed;

    fill(&bed, 1);
    ck_assert(fs_mutex_owe(&m, &bed.word, 1, 3));
    fs_mutex_turn_over(&m);
    ck_assert_ptr_null(m.debt.word);
    ck_assert_int_eq(empty(&bed), SLEEPERS - 3);
    unlock(&m);
}
END_TEST

static int lock_and_unlock(void *arg)
{
    struct fs_mutex *m = arg;
    int err = fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL);

    return err ? err : fs_mutex_release(m, fs_mutex_kind(m));
}

/* Nobody to be paid is asleep: the release has to wake for the mutex itself. */
START_TEST(a_debt_to_nobody_costs_a_sleeping_locker_nothing)
{
    struct fs_mutex m = held(kinds[_i]);
    struct sleeper locker;
    fs_word word = {0};

    sleeper_put_to_sleep(&locker, lock_and_unlock, &m);
    ck_assert(fs_mutex_owe(&m, &word, 1, 2));
    ck_assert_int_eq(fs_mutex_release(&m, kinds[_i]), 0);
    ck_assert_int_eq(sleeper_join(&locker), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, a_debt_makes_the_word_contended_and_is_paid_once, 0, KINDS);
    tcase_add_loop_test(tests, a_release_wakes_exactly_as_many_as_are_owed, 1, SLEEPERS + 1);
    tcase_add_loop_test(tests, debts_on_one_word_add_up, 0, KINDS);
    tcase_add_test(tests, only_sleepers_with_the_bits_owed_are_woken);
    tcase_add_loop_test(tests, a_second_debt_on_another_word_is_refused, 0, KINDS);
    tcase_add_loop_test(tests, a_mutex_turned_over_takes_on_no_debt, 0, KINDS);
    tcase_add_loop_test(tests, turning_a_mutex_over_pays_its_whole_debt, 0, KINDS);
    tcase_add_loop_test(tests, a_debt_to_nobody_costs_a_sleeping_locker_nothing, 0, KINDS);
}

#else

START_TEST(every_debt_is_refused_and_leaves_the_mutex_alone)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    fs_word word = {0};

    ck_assert_int_eq(fs_mutex_acquire(&m, kinds[_i], FS_WAIT_FOREVER, NULL), 0);
    ck_assert(!fs_mutex_owe(&m, &word, 1, 1));
    ck_assert_uint_eq(fs_load_relaxed(&m.word), FS_LOCK_LOCKED);
    ck_assert_int_eq(QUIET(fs_mutex_release(&m, kinds[_i])), 0);
    ck_assert_ptr_null(m.link.next);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, every_debt_is_refused_and_leaves_the_mutex_alone, 0, KINDS);
}

#endif

int main(void)
{
    Suite *suite = suite_create("mutex debt");
    TCase *tests = tcase_create("mutex debt");

    tcase_set_timeout(tests, 60);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
