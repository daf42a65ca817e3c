/* SPDX-License-Identifier: MIT */
/* The lock in one word: each state and move that lock/word_lock.h lists, one by one, and mutual
   exclusion under load. Hungry waiters are in test_word_lock_hunger.c. */
#include "word_locker.h"

static const uint32_t values[] = {FS_LOCK_FREE, FS_LOCK_LOCKED, FS_LOCK_CONTENDED, FS_LOCK_GRANTED,
                                  FS_LOCK_HUNGRY};

#define VALUES (int)(sizeof values / sizeof *values)

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

/* ---- several that were moved here -------------------------------------------- */

START_TEST(who_has_no_company_awake_cannot_rely_on_it)
{
    for (int i = 0; i < VALUES; i++) {
        fs_word w = {values[i]}, awake = {0};

        ck_assert(!fs_word_lock_rely_on(&w, &awake));
        ck_assert_uint_eq(fs_load_relaxed(&w), values[i]);
        ck_assert_uint_eq(fs_load_relaxed(&awake), 0);
    }
}
END_TEST

/* Hungry stays hungry: its release wakes anyway. The loop index is how many are awake. */
START_TEST(who_relies_on_others_awake_makes_2_to_1_and_leaves_6)
{
    static const uint32_t before[] = {FS_LOCK_LOCKED, FS_LOCK_CONTENDED, FS_LOCK_HUNGRY};
    static const uint32_t after[] = {FS_LOCK_LOCKED, FS_LOCK_LOCKED, FS_LOCK_HUNGRY};

    for (int i = 0; i < 3; i++) {
        fs_word w = {before[i]}, awake = {(uint32_t)_i};

        ck_assert(fs_word_lock_rely_on(&w, &awake));
        ck_assert_uint_eq(fs_load_relaxed(&w), after[i]);
        ck_assert_uint_eq(fs_load_relaxed(&awake), (uint32_t)_i);
    }
}
END_TEST

/* Those who arrive count themselves for as long as they look. The loop index is how many others
   do at the same time. */
START_TEST(one_of_several_takes_a_free_word_as_contended_and_leaves_the_count)
{
    static const uint32_t from[] = {FS_LOCK_FREE, FS_LOCK_GRANTED};

    for (int spins = 0; spins < 2; spins++)
        for (int i = 0; i < 2; i++) {
            fs_word w = {from[i]}, awake = {(uint32_t)_i};

            fs_settings.spin = spins ? FS_SPIN_DEFAULT : 0;
            ck_assert(!fs_word_lock_acquire_among(&w, &awake));
            ck_assert_uint_eq(fs_load_relaxed(&w), FS_LOCK_CONTENDED);
            ck_assert_uint_eq(fs_load_relaxed(&awake), (uint32_t)_i);
        }
}
END_TEST

struct member {
    fs_word *word;
    fs_word *awake;
    long *total; /* guarded by the word; null: holds it but for a moment */
    struct sleeper sleeper;
};

static int acquire_as_member(void *arg)
{
    struct member *me = arg;
    bool slept = fs_word_lock_acquire_among(me->word, me->awake);

    ck_assert_uint_eq(fs_load_acquire(me->word) & ~FS_LOCK_GRANTED, FS_LOCK_CONTENDED);
    if (me->total) {
        (*me->total)++;
        fs_word_lock_rely_on(me->word, me->awake);
    }
    fs_word_lock_release(me->word);
    return slept;
}

/* The loop index: spinning first or not. */
START_TEST(one_of_several_that_has_to_sleep_leaves_the_count_and_says_so)
{
    fs_word w = {FS_LOCK_LOCKED}, awake = {7};
    struct member member = {.word = &w, .awake = &awake};

    fs_settings.spin = _i ? FS_SPIN_DEFAULT : 0;
    sleeper_put_to_sleep(&member.sleeper, acquire_as_member, &member);
    ck_assert_uint_eq(fs_load_acquire(&awake), 7);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_CONTENDED);
    fs_word_lock_release(&w);
    ck_assert_int_eq(sleeper_join(&member.sleeper), true);
    ck_assert_uint_eq(fs_load_acquire(&awake), 7);
    ck_assert_uint_eq(fs_load_acquire(&w), FS_LOCK_FREE);
}
END_TEST

#define MEMBERS 8

/* Each relies on those awake, so a wake-up too few shows as a member that sleeps for ever. */
START_TEST(several_come_through_although_each_relies_on_the_others)
{
    fs_settings.spin = _i ? FS_SPIN_DEFAULT : 0;
    for (int round = 0; round < 200; round++) {
        fs_word w = {FS_LOCK_LOCKED}, awake = {0};
        struct member members[MEMBERS];
        long total = 0;

        for (int i = 0; i < MEMBERS; i++) {
            members[i] = (struct member){.word = &w, .awake = &awake, .total = &total};
            sleeper_start(&members[i].sleeper, acquire_as_member, &members[i]);
        }
        fs_word_lock_release(&w);
        for (int i = 0; i < MEMBERS; i++)
            sleeper_join(&members[i].sleeper);
        ck_assert_int_eq(total, MEMBERS);
        ck_assert_uint_eq(fs_load_relaxed(&awake), 0);
        ck_assert(!fs_lock_is_held(fs_load_relaxed(&w)));
    }
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
    tcase_add_test(tests, who_has_no_company_awake_cannot_rely_on_it);
    tcase_add_loop_test(tests, who_relies_on_others_awake_makes_2_to_1_and_leaves_6, 1, 4);
    tcase_add_loop_test(tests, one_of_several_takes_a_free_word_as_contended_and_leaves_the_count,
                        0, 3);
    tcase_add_loop_test(tests, one_of_several_that_has_to_sleep_leaves_the_count_and_says_so, 0, 2);
    tcase_add_loop_test(tests, several_come_through_although_each_relies_on_the_others, 0, 2);
    tcase_add_loop_test(tests, only_one_thread_holds_the_word_at_a_time, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
