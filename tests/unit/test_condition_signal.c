/* SPDX-License-Identifier: MIT */
/* The condition variable with ordinary mutexes, waiter by waiter: the hint that somebody waits,
   whom a signal chooses and when it is woken, time-outs, and interruption. */
#include "condition_place.h"

/* ---- the hint ------------------------------------------------------------------ */

START_TEST(a_signal_to_nobody_is_forgotten)
{
    struct place place = {.inside = 0};
    struct waiter w;

    fs_condition_signal(&place.cond);
    fs_condition_broadcast(&place.cond);
    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    ck_assert_uint_eq(state_of(&w), FS_SLOT_SLEEPING);
    fs_condition_signal(&place.cond);
    expect_end(&w, 0);
}
END_TEST

/* The loop index is the table. */
START_TEST(joining_sets_the_hint_and_a_signal_that_finds_nobody_clears_it)
{
    struct place place = {.mutex = {.kind = {_i == FS_TABLE_PI ? FS_KIND_PI : 0}}};
    struct fs_wait wait;

    for (int broadcast = 0; broadcast < 2; broadcast++) {
        ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_NEVER,
                                    (enum fs_table_kind)_i, NULL, &wait));
        ck_assert_uint_eq(fs_load_relaxed(&place.cond.queued), 1u << _i);
        ck_assert(!fs_condition_retract(&wait));
        fs_condition_finish(&wait, false);
        ck_assert_uint_eq(fs_load_relaxed(&place.cond.queued), 1u << _i);
        if (broadcast)
            fs_condition_broadcast(&place.cond);
        else
            fs_condition_signal(&place.cond);
        ck_assert_uint_eq(fs_load_relaxed(&place.cond.queued), 0);
    }
}
END_TEST

/* ---- signals -------------------------------------------------------------------- */

START_TEST(a_signal_is_for_who_waited_first_whoever_sleeps_first)
{
    struct place place = {.inside = 0};
    struct fs_wait wait;
    struct waiter late;

    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                NULL, &wait));
    put_to_sleep(&late, &place, FS_MOVE_BY_OWNER);
    fs_condition_signal(&place.cond);
    ck_assert_uint_eq(fs_load_acquire(&wait.slot->state), FS_SLOT_SIGNALLED);
    ck_assert_uint_eq(wakes_so_far(), 0); /* it does not sleep */
    ck_assert_int_eq(fs_condition_block(&wait, NULL), 0);
    fs_condition_finish(&wait, false);
    expect_states(&late, 1, 0);
    fs_condition_signal(&place.cond);
    expect_end(&late, 0);
}
END_TEST

START_TEST(signals_wake_one_waiter_each_in_the_order_of_arrival)
{
    struct place place = {.inside = 0};
    struct waiter waiters[5];

    put_all_to_sleep(waiters, 5, &place, FS_MOVE_BY_OWNER);
    for (int i = 0; i < 5; i++) {
        expect_states(waiters + i, 5 - i, 0);
        fs_condition_signal(&place.cond);
        expect_end(&waiters[i], 0);
    }
}
END_TEST

START_TEST(a_retreat_says_whether_a_signal_had_come)
{
    struct place place = {.inside = 0};
    struct fs_wait wait;

    for (int signalled = 0; signalled < 2; signalled++) {
        ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER,
                                    FS_TABLE_PLAIN, NULL, &wait));
        if (signalled)
            fs_condition_signal(&place.cond);
        ck_assert_int_eq(fs_condition_retract(&wait), signalled);
        fs_condition_finish(&wait, false);
    }
}
END_TEST

START_TEST(late_wakes_and_changes_of_the_word_end_no_wait)
{
    struct place place = {.inside = 0};
    struct waiter w;
    struct fs_group *group;

    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    group = w.wait.slot->group;
    for (int i = 0; i < 5; i++) {
        fs_add_release(&group->word, i & 1);
        EVENTUALLY(__real_fs_futex_wake(&group->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE) == 1);
    }
    sleeper_interrupt(&w.sleeper);
    EVENTUALLY(sleeps_on(&w) == &group->word);
    expect_states(&w, 1, 0);
    fs_condition_signal(&place.cond);
    expect_end(&w, 0);
}
END_TEST

/* The loop index is the clock. */
START_TEST(a_timeout_is_never_early_and_uses_up_no_signal)
{
    struct place place = {.inside = 0};
    struct fs_deadline soon = moment((enum fs_clock)_i, 30);
    struct waiter hasty = {.place = &place, .move = FS_MOVE_BY_OWNER, .deadline = &soon};
    struct waiter patient;

    sleeper_start(&hasty.sleeper, wait_once, &hasty);
    EVENTUALLY(fs_load_acquire(&place.cond.queued) || sleeper_is_done(&hasty.sleeper));
    put_to_sleep(&patient, &place, FS_MOVE_BY_OWNER);
    expect_end(&hasty, ETIMEDOUT);
    ck_assert(has_come(&soon));
    fs_condition_signal(&place.cond);
    expect_end(&patient, 0);
}
END_TEST

START_TEST(a_waiter_whose_time_has_passed_still_gets_its_signal)
{
    struct place place = {.inside = 0};
    struct fs_deadline past = moment(FS_CLOCK_MONOTONIC, -1000);
    struct fs_wait wait;

    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                NULL, &wait));
    fs_condition_signal(&place.cond);
    ck_assert_int_eq(fs_condition_block(&wait, &past), 0);
    fs_condition_finish(&wait, false);
}
END_TEST

START_TEST(condition_variables_that_share_a_bucket_are_signalled_apart)
{
    static struct place places[4096];
    struct waiter a, b;
    int other = 1;

    while (fs_bucket_of(&places[other].cond, FS_TABLE_PLAIN) !=
           fs_bucket_of(&places[0].cond, FS_TABLE_PLAIN))
        ck_assert_int_lt(++other, 4096);
    put_to_sleep(&a, &places[0], FS_MOVE_BY_OWNER);
    put_to_sleep(&b, &places[other], FS_MOVE_BY_OWNER);
    fs_condition_broadcast(&places[other].cond);
    expect_end(&b, 0);
    expect_states(&a, 1, 0);
    fs_condition_signal(&places[other].cond);
    expect_states(&a, 1, 0);
    fs_condition_signal(&places[0].cond);
    expect_end(&a, 0);
}
END_TEST

/* ---- signals by the holder of the mutex ------------------------------------------- */

#if FS_MUTEX_HAS_DEBT

START_TEST(a_signal_by_the_holder_is_paid_for_by_its_release)
{
    struct place place = {.inside = 0};
    struct waiter waiters[3];

    put_all_to_sleep(waiters, 3, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_signal(&place.cond);
    fs_condition_signal(&place.cond);
    ck_assert_uint_eq(wakes_so_far(), 0);
    expect_states(waiters, 3, 2);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_eq(sleeps_on(&waiters[i]), &waiters[0].wait.slot->group->word);
    unlock(&place.mutex);
    expect_all_end(waiters, 2);
    expect_states(waiters + 2, 1, 0);
    fs_condition_signal(&place.cond);
    expect_end(&waiters[2], 0);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
    ck_assert_ptr_null(place.mutex.debt.word);
}
END_TEST

START_TEST(a_debt_to_another_condition_variable_is_not_taken_on)
{
    struct place places[2] = {{.inside = 0}, {.inside = 0}};
    struct waiter a, b;

    put_to_sleep(&a, &places[0], FS_MOVE_BY_OWNER);
    b = (struct waiter){.place = &places[1], .mutex = &places[0].mutex, .move = FS_MOVE_BY_OWNER};
    sleeper_put_to_sleep(&b.sleeper, wait_once, &b);
    lock(&places[0].mutex);
    fs_condition_signal(&places[0].cond);
    ck_assert_uint_eq(wakes_so_far(), 0);
    fs_condition_signal(&places[1].cond);
    ck_assert_uint_eq(wakes_so_far(), 1);
    unlock(&places[0].mutex);
    expect_end(&a, 0);
    expect_end(&b, 0);
}
END_TEST

START_TEST(a_debt_is_paid_before_the_mutex_is_turned_over)
{
    struct place place = {.inside = 0};
    struct waiter w;

    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_signal(&place.cond);
    fs_mutex_turn_over(&place.mutex);
    EVENTUALLY(sleeps_on(&w) == &place.mutex.word);
    unlock(&place.mutex);
    expect_end(&w, 0);
}
END_TEST

START_TEST(a_debtor_woken_by_a_handler_goes_through_the_mutex)
{
    struct place place = {.inside = 0};
    struct waiter w;

    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_signal(&place.cond);
    __real_fs_futex_wake(&w.wait.slot->group->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    EVENTUALLY(sleeps_on(&w) == &place.mutex.word);
    unlock(&place.mutex);
    expect_end(&w, 0);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
}
END_TEST

#else

START_TEST(a_signal_by_a_holder_who_cannot_owe_wakes_at_once)
{
    struct place place = {.inside = 0};
    struct waiter waiters[2];

    put_all_to_sleep(waiters, 2, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_signal(&place.cond);
    ck_assert_uint_eq(wakes_so_far(), 1);
    EVENTUALLY(sleeps_on(&waiters[0]) == &place.mutex.word);
    expect_states(waiters, 2, 1);
    unlock(&place.mutex);
    expect_end(&waiters[0], 0);
    fs_condition_signal(&place.cond);
    expect_end(&waiters[1], 0);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
}
END_TEST

#endif

/* ---- interruption ------------------------------------------------------------------ */

START_TEST(an_interruption_is_for_the_thread_named_and_uses_up_no_signal)
{
    struct place place = {.inside = 0};
    struct waiter waiters[3];

    put_all_to_sleep(waiters, 3, &place, FS_MOVE_BY_OWNER);
    fs_condition_interrupt(&waiters[1]);
    expect_end(&waiters[1], ECANCELED);
    expect_states(&waiters[0], 1, 0);
    expect_states(&waiters[2], 1, 0);
    fs_condition_interrupt(&waiters[1]); /* it waits no longer */
    fs_condition_signal(&place.cond);
    expect_end(&waiters[0], 0);
    fs_condition_signal(&place.cond);
    expect_end(&waiters[2], 0);
}
END_TEST

START_TEST(an_interruption_after_a_signal_changes_nothing)
{
    struct place place = {.inside = 0};
    struct fs_wait wait;

    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                &place, &wait));
    fs_condition_signal(&place.cond);
    fs_condition_interrupt(&place);
    ck_assert_int_eq(fs_condition_block(&wait, NULL), 0);
    fs_condition_finish(&wait, false);
    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                &place, &wait));
    fs_condition_interrupt(&place);
    fs_condition_signal(&place.cond);
    ck_assert_int_eq(fs_condition_block(&wait, NULL), ECANCELED);
    fs_condition_finish(&wait, false);
}
END_TEST

static TCase *signals_case(void)
{
    TCase *tests = tcase_create("signals");

    tcase_add_test(tests, a_signal_to_nobody_is_forgotten);
    tcase_add_loop_test(tests, joining_sets_the_hint_and_a_signal_that_finds_nobody_clears_it, 0,
                        2);
    tcase_add_test(tests, a_signal_is_for_who_waited_first_whoever_sleeps_first);
    tcase_add_test(tests, signals_wake_one_waiter_each_in_the_order_of_arrival);
    tcase_add_test(tests, a_retreat_says_whether_a_signal_had_come);
    tcase_add_test(tests, late_wakes_and_changes_of_the_word_end_no_wait);
    tcase_add_loop_test(tests, a_timeout_is_never_early_and_uses_up_no_signal, 0, 2);
    tcase_add_test(tests, a_waiter_whose_time_has_passed_still_gets_its_signal);
    tcase_add_test(tests, condition_variables_that_share_a_bucket_are_signalled_apart);
#if FS_MUTEX_HAS_DEBT
    tcase_add_test(tests, a_signal_by_the_holder_is_paid_for_by_its_release);
    tcase_add_test(tests, a_debt_to_another_condition_variable_is_not_taken_on);
    tcase_add_test(tests, a_debt_is_paid_before_the_mutex_is_turned_over);
    tcase_add_test(tests, a_debtor_woken_by_a_handler_goes_through_the_mutex);
#else
    tcase_add_test(tests, a_signal_by_a_holder_who_cannot_owe_wakes_at_once);
#endif
    tcase_add_test(tests, an_interruption_is_for_the_thread_named_and_uses_up_no_signal);
    tcase_add_test(tests, an_interruption_after_a_signal_changes_nothing);
    return tests;
}

int main(void)
{
    TCase *cases[] = {signals_case()};

    return run_condition_cases("condition signal", cases, 1);
}
