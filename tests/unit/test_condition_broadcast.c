/* SPDX-License-Identifier: MIT */
/* How a broadcast gets its waiters going, and at the price of which system calls: moved by the
   holder of the mutex, led by the first that holds it, or woken. */
#include "condition_place.h"

/* ---- broadcasts --------------------------------------------------------------------- */

START_TEST(a_broadcast_by_the_holder_moves_all_with_one_requeue)
{
    struct place place = {.inside = 0};
    struct waiter waiters[10];

    put_all_to_sleep(waiters, 10, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond);
    ck_assert_uint_eq(requeues_so_far(), 1);
    ck_assert_uint_eq(wakes_so_far(), 0);
    expect_states(waiters, 10, 10);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), FS_LOCK_CONTENDED);
    for (int i = 0; i < 10; i++)
        ck_assert(!sleeper_is_done(&waiters[i].sleeper));
    /* All sleep on the mutex, where the kernel counts them. */
    ck_assert_int_eq(
        __real_fs_futex_wake(&waiters[0].wait.slot->group->word, FS_WAKE_ALL, FS_SCOPE_PRIVATE), 0);
    unlock(&place.mutex);
    expect_all_end(waiters, 10);
    ck_assert_uint_eq(requeues_so_far(), 1);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
}
END_TEST

START_TEST(a_broadcast_by_the_holder_costs_one_requeue_per_group)
{
    struct place place = {.inside = 0};
    struct waiter waiters[40];

    put_all_to_sleep(waiters, 40, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond);
    ck_assert_uint_eq(requeues_so_far(), 2);
    ck_assert_uint_eq(wakes_so_far(), 0);
    unlock(&place.mutex);
    expect_all_end(waiters, 40);
    ck_assert_uint_eq(requeues_so_far(), 2);
}
END_TEST

/* The loop index is whether the word tells its holder. */
START_TEST(a_broadcast_by_another_is_led_by_the_first_that_holds_the_mutex)
{
    struct place place = {.inside = 0};
    struct waiter waiters[12];

    put_all_to_sleep(waiters, 12, &place, _i ? FS_MOVE_BY_OWNER : FS_MOVE_BY_MEMBER);
    fs_condition_broadcast(&place.cond);
    expect_all_end(waiters, 12);
    ck_assert_uint_eq(requeues_so_far(), 1);
    ck_assert_uint_eq(fs_load_relaxed(&place.mutex.word), 0);
}
END_TEST

START_TEST(a_leader_needs_the_mutex_first)
{
    struct place place = {.inside = 0};
    struct waiter waiters[12];

    put_all_to_sleep(waiters, 12, &place, FS_MOVE_BY_MEMBER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond); /* that the caller holds it cannot be known */
    sleep_ms(20);
    ck_assert_uint_eq(requeues_so_far(), 0);
    unlock(&place.mutex);
    expect_all_end(waiters, 12);
    ck_assert_uint_eq(requeues_so_far(), 1);
}
END_TEST

START_TEST(a_few_waiters_are_woken_at_once)
{
    struct place place = {.inside = 0};
    struct waiter waiters[2];

    put_all_to_sleep(waiters, 2, &place, FS_MOVE_BY_MEMBER);
    fs_condition_broadcast(&place.cond);
    expect_all_end(waiters, 2);
    ck_assert_uint_eq(requeues_so_far(), 0);
}
END_TEST

/* The loop index: by the switch, or since the mutex is not to be moved to. */
START_TEST(without_moves_a_broadcast_wakes_all)
{
    struct place place = {.inside = 0};
    struct waiter waiters[12];

    fs_settings.requeue = _i;
    put_all_to_sleep(waiters, 12, &place, _i ? FS_MOVE_NEVER : FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond);
    ck_assert_uint_eq(wakes_so_far(), 1);
    unlock(&place.mutex);
    expect_all_end(waiters, 12);
    ck_assert_uint_eq(requeues_so_far(), 0);
}
END_TEST

START_TEST(waiters_of_two_mutexes_are_moved_each_to_its_own)
{
    struct place place = {.inside = 0};
    struct fs_mutex second = {.count = 0};
    struct waiter waiters[12];

    for (int i = 0; i < 12; i++) {
        waiters[i] = (struct waiter){
            .place = &place, .mutex = i % 2 ? &second : &place.mutex, .move = FS_MOVE_BY_OWNER};
        sleeper_put_to_sleep(&waiters[i].sleeper, wait_once, &waiters[i]);
    }
    lock(&second);
    fs_condition_broadcast(&place.cond);
    for (int i = 0; i < 12; i += 2)
        expect_end(&waiters[i], 0);
    for (int i = 1; i < 12; i += 2)
        ck_assert(!sleeper_is_done(&waiters[i].sleeper));
    unlock(&second);
    for (int i = 1; i < 12; i += 2)
        expect_end(&waiters[i], 0);
    ck_assert_uint_eq(requeues_so_far(), 2);
}
END_TEST

START_TEST(who_joins_after_a_broadcast_waits_for_the_next)
{
    struct place place = {.inside = 0};
    struct waiter early[5], late;

    put_all_to_sleep(early, 5, &place, FS_MOVE_BY_OWNER);
    lock(&place.mutex);
    fs_condition_broadcast(&place.cond);
    late = (struct waiter){.move = FS_MOVE_BY_OWNER};
    ck_assert(fs_condition_join(&place.cond, &place.mutex.word, FS_MOVE_BY_OWNER, FS_TABLE_PLAIN,
                                NULL, &late.wait));
    ck_assert_ptr_ne(late.wait.slot->group, early[0].wait.slot->group);
    unlock(&place.mutex);
    expect_all_end(early, 5);
    ck_assert_uint_eq(state_of(&late), FS_SLOT_WAITING);
    ck_assert(!fs_condition_retract(&late.wait));
    fs_condition_finish(&late.wait, false);
}
END_TEST

static TCase *broadcasts_case(void)
{
    TCase *tests = tcase_create("broadcasts");

    tcase_add_test(tests, a_broadcast_by_the_holder_moves_all_with_one_requeue);
    tcase_add_test(tests, a_broadcast_by_the_holder_costs_one_requeue_per_group);
    tcase_add_loop_test(tests, a_broadcast_by_another_is_led_by_the_first_that_holds_the_mutex, 0,
                        2);
    tcase_add_test(tests, a_leader_needs_the_mutex_first);
    tcase_add_test(tests, a_few_waiters_are_woken_at_once);
    tcase_add_loop_test(tests, without_moves_a_broadcast_wakes_all, 0, 2);
    tcase_add_test(tests, waiters_of_two_mutexes_are_moved_each_to_its_own);
    tcase_add_test(tests, who_joins_after_a_broadcast_waits_for_the_next);
    return tests;
}

int main(void)
{
    TCase *cases[] = {broadcasts_case()};

    return run_condition_cases("condition broadcast", cases, 1);
}
