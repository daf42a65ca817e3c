/* SPDX-License-Identifier: MIT */
/* The futex contract (futex/futex.h) as Windows keeps it: sleeping, waking, and what the system
   lacks. Deadlines are in test_deadlines.c. The loop index is the scope. */
#include "sleepers.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "eventually.h"
#include "quiet.h"
#include "waits.h"

#define SLEEPERS 6
#define SCOPE ((enum fs_scope)_i)

struct bed {
    fs_word word;
    fs_word other;
    uint32_t bits;
    enum fs_scope scope;
    struct sleeper sleepers[SLEEPERS];
};

static int sleep_in(void *arg)
{
    struct bed *bed = arg;

    if (bed->bits != 0)
        return STILL(fs_futex_wait_bitset(&bed->word, 0, bed->bits, NULL, bed->scope));
    return STILL(fs_futex_wait(&bed->word, 0, NULL, bed->scope));
}

static int sleep_relatively(void *arg)
{
    struct bed *bed = arg;

    return STILL(fs_futex_wait_relative(&bed->word, 0, -1, bed->scope));
}

static void put_all_to_sleep(struct bed *bed)
{
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_put_to_sleep(&bed->sleepers[i], sleep_in, bed);
}

/* Waits until so many sleepers have come back, and looks that the others sleep. */
static void expect_awake(struct bed *bed, int expected)
{
    int done;

    do {
        done = 0;
        for (int i = 0; i < SLEEPERS; i++)
            done += sleeper_is_done(&bed->sleepers[i]);
    } while (done < expected);
    ck_assert_int_eq(done, expected);
    for (int i = 0; i < SLEEPERS; i++)
        if (!sleeper_is_done(&bed->sleepers[i]))
            sleeper_await_sleep(&bed->sleepers[i]);
    sleep_ms(20);
    for (int i = 0; i < SLEEPERS; i++)
        done -= sleeper_is_done(&bed->sleepers[i]);
    ck_assert_int_eq(done, 0);
}

static void wake_all_up(struct bed *bed)
{
    fs_futex_wake(&bed->word, FS_WAKE_ALL, bed->scope);
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(sleeper_join(&bed->sleepers[i]), 0);
}

START_TEST(a_wake_wakes_as_many_as_asked)
{
    struct bed bed = {.scope = SCOPE};

    put_all_to_sleep(&bed);
    ck_assert_int_eq(STILL(fs_futex_wake(&bed.other, FS_WAKE_ALL, bed.scope)), 0);
    ck_assert_int_eq(STILL(fs_futex_wake(&bed.word, 0, bed.scope)), 0);
    ck_assert_int_eq(STILL(fs_futex_wake(&bed.word, -1, bed.scope)), 0);
    ck_assert_int_eq(STILL(fs_futex_wake_bitset(&bed.word, 0, 1, bed.scope)), 0);
    expect_awake(&bed, 0);
    ck_assert_int_eq(STILL(fs_futex_wake(&bed.word, 1, bed.scope)), 0); /* not told */
    expect_awake(&bed, 1);
    ck_assert_int_eq(STILL(fs_futex_wake_bitset(&bed.word, 2, FS_MATCH_ANY, bed.scope)), 0);
    expect_awake(&bed, 3);
    ck_assert_int_eq(STILL(fs_futex_wake(&bed.word, FS_WAKE_ALL, bed.scope)), 0);
    expect_awake(&bed, SLEEPERS);
    wake_all_up(&bed);
}
END_TEST

START_TEST(a_wake_for_very_many_wakes_all)
{
    static const int counts[] = {SLEEPERS, 999, 1000, 1001, FS_WAKE_ALL - 1};

    for (int i = 0; i < 5; i++) {
        struct bed bed = {.scope = SCOPE};

        put_all_to_sleep(&bed);
        ck_assert_int_eq(STILL(fs_futex_wake(&bed.word, counts[i], bed.scope)), 0);
        expect_awake(&bed, SLEEPERS);
        wake_all_up(&bed);
    }
}
END_TEST

START_TEST(a_wake_by_bits_wakes_all)
{
    struct bed bed = {.bits = 6, .scope = SCOPE};

    put_all_to_sleep(&bed);
    ck_assert_int_eq(STILL(fs_futex_wake_bitset(&bed.word, 1, 8, bed.scope)), 0);
    expect_awake(&bed, SLEEPERS);
    wake_all_up(&bed);
}
END_TEST

START_TEST(a_wait_without_a_deadline_sleeps_until_it_is_woken)
{
    struct bed bed = {.scope = SCOPE};

    sleeper_put_to_sleep(&bed.sleepers[0], sleep_relatively, &bed);
    sleep_ms(50);
    sleeper_await_sleep(&bed.sleepers[0]);
    fs_futex_wake(&bed.word, 1, bed.scope);
    ck_assert_int_eq(sleeper_join(&bed.sleepers[0]), 0);
}
END_TEST

/* A word of four bytes: what lies beside it does not matter. */
START_TEST(a_wait_looks_at_its_word_alone)
{
    struct {
        _Alignas(16) fs_word before, word, after;
    } row = {{1}, {0}, {2}};
    struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 30);

    ck_assert_int_eq(STILL(fs_futex_wait(&row.word, 0, &soon, SCOPE)), ETIMEDOUT);
    ck_assert_int_eq(STILL(fs_futex_wait(&row.before, 0, NULL, SCOPE)), EAGAIN);
    ck_assert_int_eq(STILL(fs_futex_wait(&row.after, 3, NULL, SCOPE)), EAGAIN);
}
END_TEST

START_TEST(a_wait_on_a_changed_word_does_not_sleep)
{
    struct fs_deadline late = moment(FS_CLOCK_MONOTONIC, 60000);
    fs_word w = {7};

    ck_assert_int_eq(STILL(fs_futex_wait(&w, 8, NULL, SCOPE)), EAGAIN);
    ck_assert_int_eq(STILL(fs_futex_wait(&w, 8, &late, SCOPE)), EAGAIN);
    ck_assert_int_eq(STILL(fs_futex_wait_bitset(&w, 8, 1, NULL, SCOPE)), EAGAIN);
    ck_assert_int_eq(STILL(fs_futex_wait_relative(&w, 8, -1, SCOPE)), EAGAIN);
    ck_assert_int_eq(STILL(fs_futex_wait_relative(&w, 0x10007, 0, SCOPE)), EAGAIN);
}
END_TEST

/* The same memory at another address is as far away as in another process. */
START_TEST(a_shared_wait_sees_a_change_that_no_wake_tells)
{
    HANDLE memory = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, NULL);
    struct bed *bed = MapViewOfFile(memory, FILE_MAP_ALL_ACCESS, 0, 0, 4096);
    struct bed *elsewhere = MapViewOfFile(memory, FILE_MAP_ALL_ACCESS, 0, 0, 4096);

    ck_assert_ptr_nonnull(bed);
    ck_assert_ptr_ne(bed, elsewhere);
    bed->scope = FS_SCOPE_SHARED;
    sleeper_put_to_sleep(&bed->sleepers[0], sleep_in, bed);
    fs_store_release(&elsewhere->word, 1);
    fs_futex_wake(&elsewhere->word, 1, FS_SCOPE_SHARED);
    ck_assert_int_eq(sleeper_join(&bed->sleepers[0]), EAGAIN);
}
END_TEST

START_TEST(a_wake_needs_no_memory)
{
    void *page = VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    ck_assert(VirtualFree(page, 0, MEM_RELEASE));
    ck_assert_int_eq(STILL(fs_futex_wake(page, 1, SCOPE)), 0);
    ck_assert_int_eq(STILL(fs_futex_wake(page, FS_WAKE_ALL, SCOPE)), 0);
    ck_assert_int_eq(STILL(fs_futex_wake_bitset(page, 1, 1, SCOPE)), 0);
}
END_TEST

/* Half of the rounds compare. */
START_TEST(a_move_wakes)
{
    struct bed bed = {.scope = (enum fs_scope)(_i / 2)};
    int affected = -1;

    put_all_to_sleep(&bed);
    if (_i % 2) {
        ck_assert_int_eq(
            STILL(fs_futex_cmp_requeue(&bed.word, &bed.other, 1, 1, 3, bed.scope, &affected)),
            EAGAIN);
        ck_assert_int_eq(affected, -1);
        expect_awake(&bed, 0);
        ck_assert_int_eq(
            STILL(fs_futex_cmp_requeue(&bed.word, &bed.other, 0, 1, 3, bed.scope, &affected)), 0);
    } else {
        ck_assert_int_eq(STILL(fs_futex_requeue(&bed.word, &bed.other, 1, 3, bed.scope, &affected)),
                         0);
    }
    ck_assert_int_eq(affected, 0);
    expect_awake(&bed, 4);
    wake_all_up(&bed);
}
END_TEST

START_TEST(what_is_lacking_is_answered)
{
    static const struct fs_futex_wake_op op = {FS_OP_SET, false, 1, FS_CMP_EQ, 0};
    fs_word w = {0}, other = {0};
    struct fs_futex_waiter waiter = {&w, 0, FS_SCOPE_PRIVATE};
    unsigned woken;

    ck_assert_int_eq(STILL(fs_futex_requeue(&w, &other, -1, 1, SCOPE, NULL)), EINVAL);
    ck_assert_int_eq(STILL(fs_futex_cmp_requeue(&w, &other, 0, 1, -1, SCOPE, NULL)), EINVAL);
    ck_assert_int_eq(STILL(fs_futex_wake_op(&w, &other, 1, 1, &op, SCOPE, NULL)), ENOSYS);
    ck_assert_uint_eq(fs_load_relaxed(&other), 0);
    ck_assert_int_eq(STILL(fs_futex_wait_any(&waiter, 0, NULL, &woken)), EINVAL);
    ck_assert_int_eq(STILL(fs_futex_wait_any(&waiter, 1, NULL, &woken)), ENOSYS);
    ck_assert_int_eq(STILL(fs_futex_lock_pi(&w, NULL, SCOPE)), ENOSYS);
    ck_assert_int_eq(STILL(fs_futex_trylock_pi(&w, SCOPE)), ENOSYS);
    ck_assert_int_eq(STILL(fs_futex_unlock_pi(&w, SCOPE)), ENOSYS);
    ck_assert_int_eq(STILL(fs_futex_wait_requeue_pi(&w, 0, &other, NULL, SCOPE)), ENOSYS);
    ck_assert_int_eq(STILL(fs_futex_cmp_requeue_pi(&w, &other, 0, 1, SCOPE, NULL)), ENOSYS);
    for (int i = 0; i < FS_FEATURE_COUNT; i++)
        ck_assert(!STILL(fs_system_has((enum fs_futex_feature)i)));
}
END_TEST

static uint32_t refuse(uint32_t timeout_ms)
{
    return ERROR_ACCESS_DENIED;
}

START_TEST(a_wait_that_the_system_refuses_polls)
{
    struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 30);
    fs_word w = {7};
    int err;

    waits_answer_by(refuse);
    ck_assert_int_eq(STILL(fs_futex_wait(&w, 7, NULL, SCOPE)), EAGAIN);
    do
        err = STILL(fs_futex_wait(&w, 7, &soon, SCOPE));
    while (err == EAGAIN);
    ck_assert_int_eq(err, ETIMEDOUT);
    ck_assert(has_come(&soon));
}
END_TEST

static uint32_t answer_unlisted(uint32_t timeout_ms)
{
    return ERROR_INVALID_PARAMETER;
}

START_TEST(an_unlisted_answer_aborts)
{
    fs_word w = {0};

    waits_answer_by(answer_unlisted);
    fs_futex_wait(&w, 0, NULL, SCOPE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("contract");
    TCase *tests = tcase_create("contract");

    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, a_wake_wakes_as_many_as_asked, 0, 2);
    tcase_add_loop_test(tests, a_wake_for_very_many_wakes_all, 0, 2);
    tcase_add_loop_test(tests, a_wake_by_bits_wakes_all, 0, 2);
    tcase_add_test(tests, a_wait_without_a_deadline_sleeps_until_it_is_woken);
    tcase_add_loop_test(tests, a_wait_looks_at_its_word_alone, 0, 2);
    tcase_add_loop_test(tests, a_wait_on_a_changed_word_does_not_sleep, 0, 2);
    tcase_add_test(tests, a_shared_wait_sees_a_change_that_no_wake_tells);
    tcase_add_loop_test(tests, a_wake_needs_no_memory, 0, 2);
    tcase_add_loop_test(tests, a_move_wakes, 0, 4);
    tcase_add_loop_test(tests, what_is_lacking_is_answered, 0, 2);
    tcase_add_loop_test(tests, a_wait_that_the_system_refuses_polls, 0, 2);
    tcase_add_loop_test_raise_signal(tests, an_unlisted_answer_aborts, SIGABRT, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
