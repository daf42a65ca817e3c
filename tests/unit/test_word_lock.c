/* SPDX-License-Identifier: MIT */
/* The lock in one word: each state and move that lock/word_lock.h lists, one by one, and
   mutual exclusion under load. */
#include "sleepers.h"

#include "eventually.h"
#include "lock/settings.h"
#include "lock/word_lock.h"

#define HUNGER_MS 3 /* longer than a waiter waits before it asks for the lock */

static const uint32_t values[] = {FS_LOCK_FREE, FS_LOCK_LOCKED, FS_LOCK_CONTENDED, FS_LOCK_GRANTED,
                                  FS_LOCK_HUNGRY};

#define VALUES (int)(sizeof values / sizeof *values)

/* A word and a thread that wants it. */
struct locker {
    fs_word *word;
    const struct fs_deadline *deadline;
    enum fs_scope scope;
    fs_word may_release;
    struct sleeper sleeper;
};

static int acquire_and_release(void *arg)
{
    struct locker *me = arg;
    int err = QUIET(fs_word_lock_acquire(me->word, me->deadline, me->scope));

    if (err != 0)
        return err;
    EVENTUALLY(fs_load_acquire(&me->may_release));
    fs_word_lock_release(me->word);
    return 0;
}

static void start_locker(struct locker *me, fs_word *word)
{
    me->word = word;
    sleeper_put_to_sleep(&me->sleeper, acquire_and_release, me);
}

/* Makes a sleeping locker ask for the lock. */
static void starve(struct locker *me)
{
    sleep_ms(HUNGER_MS);
    fs_futex_wake(me->word, FS_WAKE_ALL, me->scope);
    EVENTUALLY(fs_load_acquire(me->word) == FS_LOCK_HUNGRY);
    sleeper_await_sleep(&me->sleeper);
}

static int finish_locker(struct locker *me)
{
    fs_store_release(&me->may_release, 1);
    return sleeper_join(&me->sleeper);
}

static void setup(void)
{
    fs_settings.spin = 0;
}

/* ---- one thread ------------------------------------------------------------- */

START_TEST(a_try_takes_a_free_and_a_granted_word_only)
{
    static const uint32_t after[] = {FS_LOCK_LOCKED, FS_LOCK_LOCKED, FS_LOCK_CONTENDED,
                                     FS_LOCK_CONTENDED, FS_LOCK_HUNGRY};
    static const bool taken[] = {true, false, false, true, false};

    for (int i = 0; i < VALUES; i++) {
        fs_word w = {values[i]};

        ck_assert_int_eq(fs_word_lock_try(&w), taken[i]);
        ck_assert_uint_eq(fs_load_relaxed(&w), after[i]);
    }
}
END_TEST

/* The loop index is whether the process counts as single-threaded. */
START_TEST(the_inline_try_takes_a_free_word_only)
{
    static char alone;

    alone = (char)_i;
    fs_single_threaded_flag = &alone;
    fs_store_byte_relaxed(&fs_may_be_alone, 1);
    for (int i = 0; i < VALUES; i++) {
        fs_word w = {values[i]};

        ck_assert_int_eq(fs_word_lock_try_free_private(&w), values[i] == FS_LOCK_FREE);
        ck_assert_uint_eq(fs_load_relaxed(&w), i == 0 ? FS_LOCK_LOCKED : values[i]);
    }
}
END_TEST

START_TEST(held_means_1_2_or_6)
{
    for (int i = 0; i < VALUES; i++)
        ck_assert_int_eq(fs_lock_is_held(values[i]),
                         values[i] != FS_LOCK_FREE && values[i] != FS_LOCK_GRANTED);
}
END_TEST

START_TEST(a_release_frees_1_and_2_and_grants_6)
{
    static const uint32_t after[] = {FS_LOCK_FREE, FS_LOCK_FREE, FS_LOCK_FREE, FS_LOCK_GRANTED,
                                     FS_LOCK_GRANTED};
    static char alone;

    alone = (char)_i;
    fs_single_threaded_flag = &alone;
    fs_store_byte_relaxed(&fs_may_be_alone, 1);
    for (int i = 0; i < VALUES; i++) {
        fs_word w = {values[i]};

        fs_word_lock_release_private(&w);
        ck_assert_uint_eq(fs_load_relaxed(&w), after[i]);
    }
}
END_TEST

START_TEST(a_plain_release_never_leaves_the_word_granted)
{
    for (int i = 0; i < VALUES; i++) {
        fs_word w = {values[i]};

        if (!fs_lock_is_held(values[i]))
            continue;
        fs_word_lock_release_plain(&w, (enum fs_scope)_i);
        ck_assert_uint_eq(fs_load_relaxed(&w), FS_LOCK_FREE);
    }
}
END_TEST

START_TEST(marking_as_contended_changes_1_to_2_only)
{
    for (int i = 0; i < VALUES; i++) {
        fs_word w = {values[i]};

        fs_word_lock_mark_contended(&w);
        ck_assert_uint_eq(fs_load_relaxed(&w),
                          values[i] == FS_LOCK_LOCKED ? FS_LOCK_CONTENDED : values[i]);
    }
}
END_TEST

START_TEST(an_acquisition_of_a_free_word_leaves_1)
{
    fs_word w = {FS_LOCK_FREE};

    ck_assert_int_eq(fs_word_lock_acquire(&w, NULL, (enum fs_scope)_i), 0);
    ck_assert_uint_eq(fs_load_relaxed(&w), FS_LOCK_LOCKED);
    fs_store_relaxed(&w, FS_LOCK_FREE);
    ck_assert_int_eq(fs_word_lock_acquire_slow(&w, NULL, (enum fs_scope)_i, false), 0);
    ck_assert_uint_eq(fs_load_relaxed(&w), FS_LOCK_LOCKED);
}
END_TEST

START_TEST(an_acquisition_by_a_woken_sleeper_leaves_2)
{
    static const uint32_t from[] = {FS_LOCK_FREE, FS_LOCK_GRANTED};

    for (int i = 0; i < 2; i++) {
        fs_word w = {from[i]};

        ck_assert_int_eq(fs_word_lock_acquire_slow(&w, NULL, FS_SCOPE_PRIVATE, true), 0);
        ck_assert_uint_eq(fs_load_relaxed(&w), FS_LOCK_CONTENDED);
    }
}
END_TEST

START_TEST(a_locker_takes_a_grant_that_nobody_claims)
{
    fs_word w = {FS_LOCK_GRANTED};

    fs_settings.spin = _i ? FS_SPIN_DEFAULT : 0;
    ck_assert_int_eq(fs_word_lock_acquire(&w, NULL, FS_SCOPE_PRIVATE), 0);
    ck_assert_uint_eq(fs_load_relaxed(&w), FS_LOCK_CONTENDED);
}
END_TEST

/* The loop index is the clock. */
START_TEST(a_deadline_in_the_past_does_not_matter_to_a_free_word)
{
    struct fs_deadline past = moment((enum fs_clock)_i, -1000);
    fs_word w = {FS_LOCK_FREE};

    ck_assert_int_eq(fs_word_lock_acquire_slow(&w, &past, FS_SCOPE_PRIVATE, false), 0);
    ck_assert_int_eq(QUIET(fs_word_lock_acquire(&w, &past, FS_SCOPE_PRIVATE)), ETIMEDOUT);
    ck_assert(fs_lock_is_held(fs_load_relaxed(&w)));
}
END_TEST

START_TEST(a_timeout_is_never_early)
{
    struct fs_deadline soon = moment((enum fs_clock)_i, 30);
    fs_word w = {FS_LOCK_LOCKED};

    ck_assert_int_eq(QUIET(fs_word_lock_acquire(&w, &soon, FS_SCOPE_PRIVATE)), ETIMEDOUT);
    ck_assert(has_come(&soon));
    fs_word_lock_release(&w);
    ck_assert_uint_eq(fs_load_relaxed(&w), FS_LOCK_FREE);
}
END_TEST

START_TEST(an_invalid_deadline_matters_only_when_the_word_is_held)
{
    struct fs_deadline invalid = {INT32_MAX, _i ? FS_NSEC_PER_SEC : -1, FS_CLOCK_MONOTONIC};

    for (int i = 0; i < VALUES; i++) {
        fs_word w = {values[i]};
        bool held = fs_lock_is_held(values[i]);

        ck_assert_int_eq(fs_word_lock_acquire(&w, &invalid, FS_SCOPE_PRIVATE), held ? EINVAL : 0);
        ck_assert(!held || fs_load_relaxed(&w) == values[i]);
    }
}
END_TEST

/* ---- sleepers ---------------------------------------------------------------- */

START_TEST(a_locker_marks_a_locked_word_before_it_sleeps_and_takes_it_as_contended)
{
    fs_word w = {FS_LOCK_LOCKED};
    struct locker locker = {.scope = (enum fs_scope)_i};

    start_locker(&locker, &w);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_CONTENDED);
    fs_word_lock_release_slow(&w, locker.scope, true);
    EVENTUALLY(fs_load_acquire(&w) == FS_LOCK_CONTENDED);
    ck_assert_int_eq(finish_locker(&locker), 0);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_FREE);
}
END_TEST

static int sleep_on_contended(void *arg)
{
    return fs_futex_wait_bitset(arg, FS_LOCK_CONTENDED, FS_LOCK_BITS_ORDINARY, NULL,
                                FS_SCOPE_PRIVATE);
}

START_TEST(a_release_of_a_contended_word_wakes_one_sleeper)
{
    fs_word w = {FS_LOCK_CONTENDED};
    struct sleeper sleepers[3];

    for (int i = 0; i < 3; i++)
        sleeper_put_to_sleep(&sleepers[i], sleep_on_contended, &w);
    fs_word_lock_release(&w);
    ck_assert_int_eq(fs_futex_wake(&w, FS_WAKE_ALL, FS_SCOPE_PRIVATE), 2);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sleeper_join(&sleepers[i]), 0);
}
END_TEST

START_TEST(a_release_of_a_locked_word_wakes_nobody)
{
    fs_word w = {FS_LOCK_CONTENDED};
    struct sleeper sleeper;

    sleeper_put_to_sleep(&sleeper, sleep_on_contended, &w);
    fs_store_relaxed(&w, FS_LOCK_LOCKED);
    fs_word_lock_release(&w);
    ck_assert_int_eq(fs_futex_wake(&w, FS_WAKE_ALL, FS_SCOPE_PRIVATE), 1);
    ck_assert_int_eq(sleeper_join(&sleeper), 0);
}
END_TEST

/* ---- hunger ------------------------------------------------------------------ */

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

/* ---- many -------------------------------------------------------------------- */

#define CROWD 4
#define ROUNDS 20000

struct crowd {
    fs_word word;
    bool timed;
    long total; /* guarded by word */
};

static int count_up(void *arg)
{
    struct crowd *crowd = arg;
    int done = 0;

    while (done < ROUNDS) {
        struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 0);
        const struct fs_deadline *deadline = crowd->timed && done % 3 == 0 ? &soon : NULL;

        if (done % 5 == 0 ? fs_word_lock_try(&crowd->word)
                          : fs_word_lock_acquire(&crowd->word, deadline, FS_SCOPE_PRIVATE) == 0) {
            crowd->total++;
            done++;
            fs_word_lock_release(&crowd->word);
        }
    }
    return 0;
}

START_TEST(only_one_thread_holds_the_word_at_a_time)
{
    struct crowd crowd = {.timed = _i & 1};
    struct sleeper threads[CROWD];

    fs_settings.spin = _i & 2 ? FS_SPIN_DEFAULT : 0;
    for (int i = 0; i < CROWD; i++)
        sleeper_start(&threads[i], count_up, &crowd);
    for (int i = 0; i < CROWD; i++)
        sleeper_join(&threads[i]);
    ck_assert_int_eq(crowd.total, (long)CROWD * ROUNDS);
    ck_assert(!fs_lock_is_held(fs_load_relaxed(&crowd.word)));
    if (!crowd.timed)
        ck_assert_uint_eq(fs_load_relaxed(&crowd.word), FS_LOCK_FREE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("word lock");
    TCase *tests = tcase_create("word lock");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_try_takes_a_free_and_a_granted_word_only);
    tcase_add_loop_test(tests, the_inline_try_takes_a_free_word_only, 0, 2);
    tcase_add_test(tests, held_means_1_2_or_6);
    tcase_add_loop_test(tests, a_release_frees_1_and_2_and_grants_6, 0, 2);
    tcase_add_loop_test(tests, a_plain_release_never_leaves_the_word_granted, 0, 2);
    tcase_add_test(tests, marking_as_contended_changes_1_to_2_only);
    tcase_add_loop_test(tests, an_acquisition_of_a_free_word_leaves_1, 0, 2);
    tcase_add_test(tests, an_acquisition_by_a_woken_sleeper_leaves_2);
    tcase_add_loop_test(tests, a_locker_takes_a_grant_that_nobody_claims, 0, 2);
    tcase_add_loop_test(tests, a_deadline_in_the_past_does_not_matter_to_a_free_word, 0, 2);
    tcase_add_loop_test(tests, a_timeout_is_never_early, 0, 2);
    tcase_add_loop_test(tests, an_invalid_deadline_matters_only_when_the_word_is_held, 0, 2);
    tcase_add_loop_test(
        tests, a_locker_marks_a_locked_word_before_it_sleeps_and_takes_it_as_contended, 0, 2);
    tcase_add_test(tests, a_release_of_a_contended_word_wakes_one_sleeper);
    tcase_add_test(tests, a_release_of_a_locked_word_wakes_nobody);
    tcase_add_test(tests, a_hungry_waiter_is_handed_the_lock);
    tcase_add_test(tests, a_grant_wakes_the_hungry_waiter_and_not_an_ordinary_one);
    tcase_add_test(tests, a_grant_without_a_hungry_sleeper_wakes_an_ordinary_one);
    tcase_add_test(tests, what_was_left_for_a_waiter_that_timed_out_is_taken_by_a_try);
    tcase_add_test(tests, what_was_left_for_a_waiter_that_timed_out_is_taken_by_a_locker);
    tcase_add_test(tests, a_hungry_waiter_takes_a_word_that_a_plain_release_frees);
    tcase_add_test(tests, a_locker_beside_a_hungry_one_keeps_the_word_hungry);
    tcase_add_test(tests, a_waiter_of_a_shared_word_never_asks_for_it);
    tcase_add_loop_test(tests, only_one_thread_holds_the_word_at_a_time, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
