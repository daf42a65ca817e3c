/* SPDX-License-Identifier: MIT */
/* The lock in one word when a waiter has waited too long: it asks, is handed the lock, and whatever
   becomes of it, the word is not lost. The other states are in test_word_lock.c. */
#include "word_locker.h"

#define HUNGER_MS 12 /* longer than any system lets a waiter wait before it asks for the lock */

/* Makes a sleeping locker ask for the lock. */
static void starve(struct locker *me)
{
    sleep_ms(HUNGER_MS);
    fs_futex_wake(me->word, FS_WAKE_ALL, me->scope);
    EVENTUALLY(fs_load_acquire(me->word) == FS_LOCK_HUNGRY);
    sleeper_await_sleep(&me->sleeper);
}

static void setup(void)
{
    fs_settings.spin = 0;
}

START_TEST(a_hungry_waiter_is_handed_the_lock)
{
    fs_word w = {FS_LOCK_LOCKED};
    struct locker hungry = {0};

    start_locker(&hungry, &w);
    starve(&hungry);
    fs_word_lock_release(&w);
    EVENTUALLY(fs_load_acquire(&w) == FS_LOCK_CONTENDED);
    ck_assert_int_eq(finish_locker(&hungry), 0);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_FREE);
}
END_TEST

START_TEST(a_grant_wakes_the_hungry_waiter_and_not_an_ordinary_one)
{
    fs_word w = {FS_LOCK_LOCKED};
    struct locker first = {0}, hungry = {0};

    start_locker(&hungry, &w);
    starve(&hungry);
    start_locker(&first, &w);
    fs_word_lock_release(&w);
    EVENTUALLY(fs_load_acquire(&w) == FS_LOCK_CONTENDED);
    ck_assert_int_eq(finish_locker(&hungry), 0); /* so it, and not the other, had the lock */
    ck_assert_int_eq(finish_locker(&first), 0);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_FREE);
}
END_TEST

START_TEST(a_grant_without_a_hungry_sleeper_wakes_an_ordinary_one)
{
    fs_word w = {FS_LOCK_LOCKED};
    struct locker ordinary = {.may_release = {1}};

    start_locker(&ordinary, &w);
    fs_store_relaxed(&w, FS_LOCK_HUNGRY); /* as one leaves it that has timed out */
    fs_word_lock_release(&w);
    ck_assert_int_eq(finish_locker(&ordinary), 0);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_FREE);
}
END_TEST

/* Leaves a hungry word that only the caller still holds. */
static void leave_hunger(fs_word *w)
{
    struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 1000);
    struct locker hungry = {.deadline = &soon};

    start_locker(&hungry, w);
    starve(&hungry);
    ck_assert_int_eq(sleeper_join(&hungry.sleeper), ETIMEDOUT);
    ck_assert(has_come(&soon));
    ck_assert_uint_eq(fs_load_acquire(w), FS_LOCK_HUNGRY);
    fs_word_lock_release(w);
    ck_assert_uint_eq(fs_load_acquire(w), FS_LOCK_GRANTED);
}

START_TEST(what_was_left_for_a_waiter_that_timed_out_is_taken_by_a_try)
{
    fs_word w = {FS_LOCK_LOCKED};

    leave_hunger(&w);
    ck_assert(fs_word_lock_try(&w));
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_CONTENDED);
    fs_word_lock_release(&w);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_FREE);
}
END_TEST

START_TEST(what_was_left_for_a_waiter_that_timed_out_is_taken_by_a_locker)
{
    fs_word w = {FS_LOCK_LOCKED};

    leave_hunger(&w);
    ck_assert_int_eq(fs_word_lock_acquire(&w, NULL, FS_SCOPE_PRIVATE), 0);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_CONTENDED);
}
END_TEST

START_TEST(a_hungry_waiter_takes_a_word_that_a_plain_release_frees)
{
    fs_word w = {FS_LOCK_LOCKED};
    struct locker hungry = {.may_release = {1}};

    start_locker(&hungry, &w);
    starve(&hungry);
    fs_word_lock_release_plain(&w, FS_SCOPE_PRIVATE);
    ck_assert_int_eq(finish_locker(&hungry), 0);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_FREE);
}
END_TEST

START_TEST(a_locker_beside_a_hungry_one_keeps_the_word_hungry)
{
    fs_word w = {FS_LOCK_LOCKED};
    struct locker hungry = {.may_release = {1}}, other = {.may_release = {1}};

    start_locker(&hungry, &w);
    starve(&hungry);
    start_locker(&other, &w);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_HUNGRY);
    fs_word_lock_release(&w);
    ck_assert_int_eq(finish_locker(&hungry), 0);
    ck_assert_int_eq(finish_locker(&other), 0);
}
END_TEST

START_TEST(a_waiter_of_a_shared_word_never_asks_for_it)
{
    fs_word w = {FS_LOCK_LOCKED};
    struct locker locker = {.scope = FS_SCOPE_SHARED, .may_release = {1}};

    start_locker(&locker, &w);
    for (int i = 0; i < 5; i++) {
        sleep_ms(HUNGER_MS);
        ck_assert_int_eq(fs_futex_wake(&w, FS_WAKE_ALL, FS_SCOPE_SHARED), 1);
        sleeper_await_sleep(&locker.sleeper);
        EVENTUALLY(fs_load_acquire(&w) == FS_LOCK_CONTENDED);
        sleep_ms(HUNGER_MS);
    }
    fs_word_lock_release_plain(&w, FS_SCOPE_SHARED);
    ck_assert_int_eq(sleeper_join(&locker.sleeper), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("word lock hunger");
    TCase *tests = tcase_create("hunger");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_hungry_waiter_is_handed_the_lock);
    tcase_add_test(tests, a_grant_wakes_the_hungry_waiter_and_not_an_ordinary_one);
    tcase_add_test(tests, a_grant_without_a_hungry_sleeper_wakes_an_ordinary_one);
    tcase_add_test(tests, what_was_left_for_a_waiter_that_timed_out_is_taken_by_a_try);
    tcase_add_test(tests, what_was_left_for_a_waiter_that_timed_out_is_taken_by_a_locker);
    tcase_add_test(tests, a_hungry_waiter_takes_a_word_that_a_plain_release_frees);
    tcase_add_test(tests, a_locker_beside_a_hungry_one_keeps_the_word_hungry);
    tcase_add_test(tests, a_waiter_of_a_shared_word_never_asks_for_it);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
