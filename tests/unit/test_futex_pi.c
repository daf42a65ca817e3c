/* SPDX-License-Identifier: MIT */
/* Locks with priority inheritance as the running kernel keeps them: lock, try and
   unlock, time-outs on both clocks, signals, and two processes. The loop index of a
   test is the scope. */
#include "pi_holder.h"

#include <sys/wait.h>
#include <unistd.h>

START_TEST(lock_and_unlock_of_a_free_word)
{
    struct pi_lock l = {.scope = (enum fs_scope)_i};

    if (skip_without_pi("lock_and_unlock_of_a_free_word"))
        return;
    ck_assert_int_eq(lock_and_unlock(&l), 0);
    ck_assert_uint_eq(fs_load_relaxed(&l.word), 0);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&l.word, l.scope)), 0);
    ck_assert_uint_eq(owner(&l), fs_system_thread_id());
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(&l.word, l.scope)), 0);
    ck_assert_uint_eq(fs_load_relaxed(&l.word), 0);
}
END_TEST

START_TEST(unlock_hands_the_word_to_a_waiter)
{
    struct pi_lock l = {.scope = (enum fs_scope)_i};
    struct sleeper holder, waiter;

    if (skip_without_pi("unlock_hands_the_word_to_a_waiter"))
        return;
    start_holder(&holder, &l);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&l.word, l.scope)), EAGAIN);
    sleeper_put_to_sleep(&waiter, lock_and_unlock, &l);
    ck_assert_uint_ne(fs_load_relaxed(&l.word) & FS_PI_WAITERS, 0);
    dismiss(&l);
    ck_assert_int_eq(sleeper_join(&holder), 0);
    ck_assert_int_eq(sleeper_join(&waiter), 0);
    ck_assert_uint_eq(fs_load_relaxed(&l.word) & FS_PI_TID_MASK, 0);
}
END_TEST

static void check_timeouts(enum fs_scope scope, bool lock_pi2)
{
    struct pi_lock l = {.scope = scope};
    struct sleeper holder;

    start_holder(&holder, &l);
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline d = moment((enum fs_clock)clock, 30);
        struct fs_deadline past = {-1, 999999999, (enum fs_clock)clock};

        ck_assert_int_eq(QUIET(lock_pi2 ? fs_futex_lock_pi2(&l.word, &d, scope)
                                        : fs_futex_lock_pi(&l.word, &d, scope)),
                         ETIMEDOUT);
        ck_assert(has_come(&d));
        ck_assert_int_eq(QUIET(lock_pi2 ? fs_futex_lock_pi2(&l.word, &past, scope)
                                        : fs_futex_lock_pi(&l.word, &past, scope)),
                         ETIMEDOUT);
    }
    dismiss(&l);
    ck_assert_int_eq(sleeper_join(&holder), 0);
}

START_TEST(a_deadline_ends_the_lock_call_and_never_early)
{
    if (skip_without_pi("a_deadline_ends_the_lock_call_and_never_early"))
        return;
    check_timeouts((enum fs_scope)_i, false);
}
END_TEST

START_TEST(a_deadline_ends_lock_pi2_and_never_early)
{
    if (!fs_system_has(FS_FEATURE_LOCK_PI2))
        SKIP("a_deadline_ends_lock_pi2_and_never_early", "the kernel has no FUTEX_LOCK_PI2");
    check_timeouts((enum fs_scope)_i, true);
}
END_TEST

START_TEST(lock_pi2_locks_and_is_ENOSYS_before_Linux_5_14)
{
    struct pi_lock l = {.scope = (enum fs_scope)_i};
    int err = QUIET(fs_futex_lock_pi2(&l.word, NULL, l.scope));

    if (!fs_system_has(FS_FEATURE_LOCK_PI2)) {
        ck_assert_int_eq(err, ENOSYS);
        return;
    }
    ck_assert_int_eq(err, 0);
    ck_assert_uint_eq(owner(&l), fs_system_thread_id());
    ck_assert_int_eq(fs_futex_unlock_pi(&l.word, l.scope), 0);
}
END_TEST

START_TEST(a_deadline_after_the_end_of_time_waits_for_the_lock)
{
    if (skip_without_pi("a_deadline_after_the_end_of_time_waits_for_the_lock"))
        return;
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline d = {INT64_MAX, 0, (enum fs_clock)clock};
        struct pi_lock l = {.deadline = &d, .scope = (enum fs_scope)_i};
        struct sleeper holder, waiter;

        start_holder(&holder, &l);
        sleeper_put_to_sleep(&waiter, lock_and_unlock, &l);
        dismiss(&l);
        ck_assert_int_eq(sleeper_join(&holder), 0);
        ck_assert_int_eq(sleeper_join(&waiter), 0);
    }
}
END_TEST

START_TEST(a_past_deadline_still_takes_a_free_word)
{
    struct fs_deadline past = {1, 0, FS_CLOCK_REALTIME};
    struct pi_lock l = {.deadline = &past, .scope = (enum fs_scope)_i};

    if (skip_without_pi("a_past_deadline_still_takes_a_free_word"))
        return;
    ck_assert_int_eq(lock_and_unlock(&l), 0);
}
END_TEST

START_TEST(a_signal_handler_does_not_end_the_lock_call)
{
    struct pi_lock l = {.scope = (enum fs_scope)_i};
    struct sleeper holder, waiter;

    if (skip_without_pi("a_signal_handler_does_not_end_the_lock_call"))
        return;
    start_holder(&holder, &l);
    sleeper_put_to_sleep(&waiter, lock_and_unlock, &l);
    sleeper_interrupt(&waiter);
    sleeper_await_sleep(&waiter);
    dismiss(&l);
    ck_assert_int_eq(sleeper_join(&waiter), 0);
    ck_assert_int_eq(sleeper_join(&holder), 0);
}
END_TEST

START_TEST(a_shared_lock_passes_between_processes)
{
    struct pi_lock *l = shared_page();
    int status;
    pid_t child;

    if (skip_without_pi("a_shared_lock_passes_between_processes"))
        return;
    l->scope = FS_SCOPE_SHARED;
    ck_assert_int_eq(fs_futex_lock_pi(&l->word, NULL, l->scope), 0);
    child = fork();
    if (child == 0)
        _exit(lock_and_unlock(l) == 0 ? 0 : 1);
    while ((fs_load_acquire(&l->word) & FS_PI_WAITERS) == 0)
        fs_system_yield();
    ck_assert_int_eq(fs_futex_unlock_pi(&l->word, l->scope), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: priority inheritance");
    TCase *scopes = tcase_create("both scopes");

    tcase_set_timeout(scopes, 30);
    tcase_add_loop_test(scopes, lock_and_unlock_of_a_free_word, 0, 2);
    tcase_add_loop_test(scopes, unlock_hands_the_word_to_a_waiter, 0, 2);
    tcase_add_loop_test(scopes, a_deadline_ends_the_lock_call_and_never_early, 0, 2);
    tcase_add_loop_test(scopes, a_deadline_ends_lock_pi2_and_never_early, 0, 2);
    tcase_add_loop_test(scopes, lock_pi2_locks_and_is_ENOSYS_before_Linux_5_14, 0, 2);
    tcase_add_loop_test(scopes, a_deadline_after_the_end_of_time_waits_for_the_lock, 0, 2);
    tcase_add_loop_test(scopes, a_past_deadline_still_takes_a_free_word, 0, 2);
    tcase_add_loop_test(scopes, a_signal_handler_does_not_end_the_lock_call, 0, 2);
    tcase_add_test(scopes, a_shared_lock_passes_between_processes);
    suite_add_tcase(suite, scopes);
    return run_suite(suite);
}
