/* SPDX-License-Identifier: MIT */
/* Every error of the locks with priority inheritance that can be provoked in the
   running kernel, and the death of an owner. The loop index of a test is the scope. */
#include "pi_holder.h"

#include <string.h>

/* No kernel gives out this thread id: it is above the highest pid_max. */
#define NOBODY 0x3ffffffeu
#define KERNEL_THREAD 2u

START_TEST(relock_by_the_owner_gives_EDEADLK)
{
    enum fs_scope scope = (enum fs_scope)_i;
    fs_word w = {0};

    if (skip_without_pi("relock_by_the_owner_gives_EDEADLK"))
        return;
    ck_assert_int_eq(fs_futex_lock_pi(&w, NULL, scope), 0);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&w, NULL, scope)), EDEADLK);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&w, scope)), EDEADLK);
    ck_assert_int_eq(fs_futex_unlock_pi(&w, scope), 0);
}
END_TEST

struct pair {
    struct pi_lock *mine;
    struct pi_lock *theirs;
};

/* Takes its own lock, then asks for the other's. */
static int cross(void *arg)
{
    struct pair *p = arg;
    int err = fs_futex_lock_pi(&p->mine->word, NULL, p->mine->scope);

    if (!err)
        err = fs_futex_lock_pi(&p->theirs->word, NULL, p->theirs->scope);
    if (!err)
        err = fs_futex_unlock_pi(&p->theirs->word, p->theirs->scope);
    return err ? err : fs_futex_unlock_pi(&p->mine->word, p->mine->scope);
}

START_TEST(a_cycle_of_two_owners_gives_EDEADLK)
{
    struct pi_lock ours = {.scope = (enum fs_scope)_i}, theirs = ours;
    struct pair pair = {&theirs, &ours};
    struct sleeper s;

    if (skip_without_pi("a_cycle_of_two_owners_gives_EDEADLK"))
        return;
    ck_assert_int_eq(fs_futex_lock_pi(&ours.word, NULL, ours.scope), 0);
    sleeper_put_to_sleep(&s, cross, &pair);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&theirs.word, NULL, ours.scope)), EDEADLK);
    ck_assert_int_eq(fs_futex_unlock_pi(&ours.word, ours.scope), 0);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

START_TEST(an_owner_that_does_not_exist_gives_ESRCH)
{
    fs_word w = {NOBODY};

    if (skip_without_pi("an_owner_that_does_not_exist_gives_ESRCH"))
        return;
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&w, NULL, (enum fs_scope)_i)), ESRCH);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&w, (enum fs_scope)_i)), ESRCH);
}
END_TEST

START_TEST(a_kernel_thread_as_owner_gives_EPERM)
{
    fs_word w = {KERNEL_THREAD};
    char name[32] = "";
    FILE *file = fopen("/proc/2/comm", "r");

    if (skip_without_pi("a_kernel_thread_as_owner_gives_EPERM"))
        return;
    if (file) {
        if (!fgets(name, sizeof(name), file))
            name[0] = '\0';
        fclose(file);
    }
    if (strncmp(name, "kthreadd", 8) != 0)
        SKIP("a_kernel_thread_as_owner_gives_EPERM", "no kernel thread is visible here");
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&w, NULL, (enum fs_scope)_i)), EPERM);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&w, (enum fs_scope)_i)), EPERM);
}
END_TEST

START_TEST(unlock_by_a_stranger_gives_EPERM)
{
    struct pi_lock l = {.scope = (enum fs_scope)_i};
    struct sleeper holder;

    if (skip_without_pi("unlock_by_a_stranger_gives_EPERM"))
        return;
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(&l.word, l.scope)), EPERM);
    start_holder(&holder, &l);
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(&l.word, l.scope)), EPERM);
    dismiss(&l);
    ck_assert_int_eq(sleeper_join(&holder), 0);
}
END_TEST

static int wait_plainly(void *arg)
{
    struct pi_lock *l = arg;

    return fs_futex_wait(&l->word, NOBODY, NULL, l->scope);
}

START_TEST(a_plain_sleeper_on_the_word_gives_EINVAL)
{
    struct pi_lock l = {.word = {NOBODY}, .scope = (enum fs_scope)_i};
    struct sleeper s;

    if (skip_without_pi("a_plain_sleeper_on_the_word_gives_EINVAL"))
        return;
    sleeper_put_to_sleep(&s, wait_plainly, &l);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&l.word, NULL, l.scope)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&l.word, l.scope)), EINVAL);
    ck_assert_int_eq(fs_futex_wake(&l.word, 1, l.scope), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

START_TEST(a_plain_wake_of_a_lock_waiter_wakes_nobody)
{
    static const struct fs_futex_wake_op op = {FS_OP_ADD, false, 0, FS_CMP_EQ, 0};
    struct pi_lock l = {.scope = (enum fs_scope)_i};
    struct sleeper holder, waiter;
    fs_word other = {0};

    if (skip_without_pi("a_plain_wake_of_a_lock_waiter_wakes_nobody"))
        return;
    start_holder(&holder, &l);
    sleeper_put_to_sleep(&waiter, lock_and_unlock, &l);
    ck_assert_int_eq(QUIET(fs_futex_wake(&l.word, 1, l.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_requeue(&l.word, &other, 0, 1, l.scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_wake_op(&l.word, &other, 1, 1, &op, l.scope, NULL)), EINVAL);
    dismiss(&l);
    ck_assert_int_eq(sleeper_join(&waiter), 0);
    ck_assert_int_eq(sleeper_join(&holder), 0);
}
END_TEST

START_TEST(an_unmapped_word_gives_EFAULT)
{
    fs_word *w = unmapped_word();
    enum fs_scope scope = (enum fs_scope)_i;

    if (skip_without_pi("an_unmapped_word_gives_EFAULT"))
        return;
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(w, NULL, scope)), EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(w, scope)), EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(w, scope)), EFAULT);
}
END_TEST

static int lock_for_good(void *arg)
{
    struct pi_lock *l = arg;

    return fs_futex_lock_pi(&l->word, NULL, l->scope);
}

START_TEST(the_death_of_the_owner_sets_OWNER_DIED)
{
    struct pi_lock l = {.scope = (enum fs_scope)_i, .die_holding = true};
    struct sleeper holder;

    if (skip_without_pi("the_death_of_the_owner_sets_OWNER_DIED"))
        return;
    start_holder(&holder, &l);
    {
        struct sleeper waiter;

        sleeper_put_to_sleep(&waiter, lock_for_good, &l);
        dismiss(&l);
        ck_assert_int_eq(sleeper_join(&holder), 0);
        ck_assert_int_eq(sleeper_join(&waiter), 0);
        ck_assert_uint_eq(owner(&l), fs_load_relaxed(&waiter.tid));
    }
    ck_assert_uint_ne(fs_load_relaxed(&l.word) & FS_PI_OWNER_DIED, 0);
}
END_TEST

START_TEST(a_dead_owner_marked_by_the_kernel_is_succeeded)
{
    fs_word w = {FS_PI_OWNER_DIED};
    enum fs_scope scope = (enum fs_scope)_i;

    if (skip_without_pi("a_dead_owner_marked_by_the_kernel_is_succeeded"))
        return;
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&w, scope)), 0);
    ck_assert_uint_eq(fs_load_relaxed(&w), fs_system_thread_id() | FS_PI_OWNER_DIED);
    ck_assert_int_eq(fs_futex_unlock_pi(&w, scope), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: errors of priority inheritance");
    TCase *scopes = tcase_create("both scopes");

    tcase_set_timeout(scopes, 30);
    tcase_add_loop_test(scopes, relock_by_the_owner_gives_EDEADLK, 0, 2);
    tcase_add_loop_test(scopes, a_cycle_of_two_owners_gives_EDEADLK, 0, 2);
    tcase_add_loop_test(scopes, an_owner_that_does_not_exist_gives_ESRCH, 0, 2);
    tcase_add_loop_test(scopes, a_kernel_thread_as_owner_gives_EPERM, 0, 2);
    tcase_add_loop_test(scopes, unlock_by_a_stranger_gives_EPERM, 0, 2);
    tcase_add_loop_test(scopes, a_plain_sleeper_on_the_word_gives_EINVAL, 0, 2);
    tcase_add_loop_test(scopes, a_plain_wake_of_a_lock_waiter_wakes_nobody, 0, 2);
    tcase_add_loop_test(scopes, an_unmapped_word_gives_EFAULT, 0, 2);
    tcase_add_loop_test(scopes, the_death_of_the_owner_sets_OWNER_DIED, 0, 2);
    tcase_add_loop_test(scopes, a_dead_owner_marked_by_the_kernel_is_succeeded, 0, 2);
    suite_add_tcase(suite, scopes);
    return run_suite(suite);
}
