/* SPDX-License-Identifier: MIT */
/* Moving sleepers onto a lock with priority inheritance, against the running
   kernel: the hand-over end to end, signals and time-outs before and after the
   move, and every error that can be provoked. The loop index is the scope. */
#include "sleepers.h"

#define NOBODY 0x3ffffffeu
#define SLEEPERS 3

struct scene {
    fs_word from;
    fs_word pi;
    const struct fs_deadline *deadline;
    enum fs_scope scope;
    int held; /* how many sleepers found themselves the owner */
};

/* Sleeps until moved; unlocks what it then holds. */
static int sleep_and_unlock(void *arg)
{
    struct scene *scene = arg;
    int err =
        QUIET(fs_futex_wait_requeue_pi(&scene->from, 0, &scene->pi, scene->deadline, scene->scope));

    if (err)
        return err;
    if ((fs_load_relaxed(&scene->pi) & FS_PI_TID_MASK) != fs_system_thread_id())
        return -1;
    scene->held++;
    return fs_futex_unlock_pi(&scene->pi, scene->scope);
}

static int move(struct scene *scene, int count, int *affected)
{
    return QUIET(fs_futex_cmp_requeue_pi(&scene->from, &scene->pi, fs_load_relaxed(&scene->from),
                                         count, scene->scope, affected));
}

static bool skip_without_requeue_pi(const char *name)
{
    if (fs_system_has(FS_FEATURE_REQUEUE_PI))
        return false;
    printf("SKIP %s: the kernel has no FUTEX_CMP_REQUEUE_PI\n", name);
    return true;
}

START_TEST(a_free_lock_goes_to_the_first_sleeper)
{
    struct scene scene = {.scope = (enum fs_scope)_i};
    struct sleeper s;
    int affected = -1;

    if (skip_without_requeue_pi("a_free_lock_goes_to_the_first_sleeper"))
        return;
    sleeper_put_to_sleep(&s, sleep_and_unlock, &scene);
    ck_assert_int_eq(move(&scene, 0, &affected), 0);
    ck_assert_int_eq(affected, 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
    ck_assert_int_eq(scene.held, 1);
    ck_assert_uint_eq(fs_load_relaxed(&scene.pi), 0);
    ck_assert_int_eq(move(&scene, 0, &affected), 0);
    ck_assert_int_eq(affected, 0);
}
END_TEST

START_TEST(moved_sleepers_get_the_lock_one_by_one)
{
    struct scene scene = {.scope = (enum fs_scope)_i};
    struct sleeper s[SLEEPERS];
    int affected = -1;

    if (skip_without_requeue_pi("moved_sleepers_get_the_lock_one_by_one"))
        return;
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_put_to_sleep(&s[i], sleep_and_unlock, &scene);
    ck_assert_int_eq(fs_futex_lock_pi(&scene.pi, NULL, scene.scope), 0);
    ck_assert_int_eq(move(&scene, FS_WAKE_ALL, &affected), 0);
    ck_assert_int_eq(affected, SLEEPERS);
    ck_assert_int_eq(scene.held, 0);
    ck_assert_int_eq(fs_futex_unlock_pi(&scene.pi, scene.scope), 0);
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(sleeper_join(&s[i]), 0);
    ck_assert_int_eq(scene.held, SLEEPERS);
}
END_TEST

START_TEST(a_move_keeps_to_its_count)
{
    struct scene scene = {.scope = (enum fs_scope)_i};
    struct sleeper s[SLEEPERS];
    int affected = -1;

    if (skip_without_requeue_pi("a_move_keeps_to_its_count"))
        return;
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_put_to_sleep(&s[i], sleep_and_unlock, &scene);
    ck_assert_int_eq(fs_futex_lock_pi(&scene.pi, NULL, scene.scope), 0);
    ck_assert_int_eq(move(&scene, 0, &affected), 0);
    ck_assert_int_eq(affected, 1);
    ck_assert_int_eq(move(&scene, 1, &affected), 0);
    ck_assert_int_eq(affected, 2);
    ck_assert_int_eq(fs_futex_unlock_pi(&scene.pi, scene.scope), 0);
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(sleeper_join(&s[i]), 0);
}
END_TEST

START_TEST(a_wait_on_a_changed_word_gives_EAGAIN)
{
    struct scene scene = {.from = {1}, .scope = (enum fs_scope)_i};

    if (skip_without_requeue_pi("a_wait_on_a_changed_word_gives_EAGAIN"))
        return;
    ck_assert_int_eq(sleep_and_unlock(&scene), EAGAIN);
    ck_assert_int_eq(
        QUIET(fs_futex_cmp_requeue_pi(&scene.from, &scene.pi, 0, 0, scene.scope, NULL)), EAGAIN);
}
END_TEST

START_TEST(a_deadline_ends_the_wait_and_never_early)
{
    if (skip_without_requeue_pi("a_deadline_ends_the_wait_and_never_early"))
        return;
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline d = moment((enum fs_clock)clock, 30);
        struct scene scene = {.deadline = &d, .scope = (enum fs_scope)_i};

        ck_assert_int_eq(sleep_and_unlock(&scene), ETIMEDOUT);
        ck_assert(has_come(&d));
        d.sec = -1;
        ck_assert_int_eq(sleep_and_unlock(&scene), ETIMEDOUT);
    }
}
END_TEST

START_TEST(a_deadline_after_the_move_gives_ETIMEDOUT)
{
    struct fs_deadline d = moment(FS_CLOCK_MONOTONIC, 2500);
    struct scene scene = {.deadline = &d, .scope = (enum fs_scope)_i};
    struct sleeper s;

    if (skip_without_requeue_pi("a_deadline_after_the_move_gives_ETIMEDOUT"))
        return;
    ck_assert_int_eq(fs_futex_lock_pi(&scene.pi, NULL, scene.scope), 0);
    sleeper_put_to_sleep(&s, sleep_and_unlock, &scene);
    ck_assert_int_eq(move(&scene, 0, NULL), 0);
    ck_assert_int_eq(sleeper_join(&s), ETIMEDOUT);
    ck_assert(has_come(&d));
    ck_assert_int_eq(fs_futex_unlock_pi(&scene.pi, scene.scope), 0);
}
END_TEST

START_TEST(a_signal_before_the_move_does_not_end_the_wait)
{
    struct scene scene = {.scope = (enum fs_scope)_i};
    struct sleeper s;

    if (skip_without_requeue_pi("a_signal_before_the_move_does_not_end_the_wait"))
        return;
    sleeper_put_to_sleep(&s, sleep_and_unlock, &scene);
    sleeper_interrupt(&s);
    sleeper_await_sleep(&s);
    ck_assert_int_eq(move(&scene, 0, NULL), 0);
    ck_assert_int_eq(sleeper_join(&s), 0);
    ck_assert_int_eq(scene.held, 1);
}
END_TEST

START_TEST(a_signal_after_the_move_gives_EAGAIN_without_the_lock)
{
    struct scene scene = {.scope = (enum fs_scope)_i};
    struct sleeper s;

    if (skip_without_requeue_pi("a_signal_after_the_move_gives_EAGAIN_without_the_lock"))
        return;
    ck_assert_int_eq(fs_futex_lock_pi(&scene.pi, NULL, scene.scope), 0);
    sleeper_put_to_sleep(&s, sleep_and_unlock, &scene);
    ck_assert_int_eq(move(&scene, 0, NULL), 0);
    sleeper_interrupt(&s);
    ck_assert_int_eq(sleeper_join(&s), EAGAIN);
    ck_assert_uint_eq(fs_load_relaxed(&scene.pi) & FS_PI_TID_MASK, fs_system_thread_id());
    ck_assert_int_eq(fs_futex_unlock_pi(&scene.pi, scene.scope), 0);
}
END_TEST

START_TEST(a_lock_that_cannot_be_had_keeps_the_sleeper)
{
    struct scene scene = {.scope = (enum fs_scope)_i};
    struct sleeper s;

    if (skip_without_requeue_pi("a_lock_that_cannot_be_had_keeps_the_sleeper"))
        return;
    sleeper_put_to_sleep(&s, sleep_and_unlock, &scene);
    fs_store_relaxed(&scene.pi, NOBODY);
    ck_assert_int_eq(move(&scene, 0, NULL), ESRCH);
    fs_store_relaxed(&scene.pi, fs_load_relaxed(&s.tid));
    ck_assert_int_eq(move(&scene, 0, NULL), EDEADLK);
    fs_store_relaxed(&scene.pi, 0);
    ck_assert(!sleeper_is_done(&s));
    ck_assert_int_eq(move(&scene, 0, NULL), 0);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

START_TEST(another_target_gives_EINVAL)
{
    struct scene scene = {.scope = (enum fs_scope)_i};
    fs_word other = {0};
    struct sleeper s;

    if (skip_without_requeue_pi("another_target_gives_EINVAL"))
        return;
    sleeper_put_to_sleep(&s, sleep_and_unlock, &scene);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue_pi(&scene.from, &other, 0, 0, scene.scope, NULL)),
                     EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(&scene.from, &other, 0, 0, 1, scene.scope, NULL)),
                     EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_wake(&scene.from, 1, scene.scope)), 0);
    ck_assert_int_eq(move(&scene, 0, NULL), 0);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

static int sleep_plainly(void *arg)
{
    struct scene *scene = arg;

    return fs_futex_wait(&scene->from, 0, NULL, scene->scope);
}

START_TEST(a_plain_sleeper_cannot_be_moved_to_a_pi_lock)
{
    struct scene scene = {.scope = (enum fs_scope)_i};
    struct sleeper s;

    if (skip_without_requeue_pi("a_plain_sleeper_cannot_be_moved_to_a_pi_lock"))
        return;
    sleeper_put_to_sleep(&s, sleep_plainly, &scene);
    ck_assert_int_eq(move(&scene, 0, NULL), EINVAL);
    ck_assert_int_eq(fs_futex_wake(&scene.from, 1, scene.scope), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

START_TEST(one_word_for_both_gives_EINVAL)
{
    enum fs_scope scope = (enum fs_scope)_i;
    fs_word w = {0}, other = {0};

    if (skip_without_requeue_pi("one_word_for_both_gives_EINVAL"))
        return;
    ck_assert_int_eq(QUIET(fs_futex_wait_requeue_pi(&w, 0, &w, NULL, scope)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue_pi(&w, &w, 0, 0, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue_pi(&w, &other, 0, -1, scope, NULL)), EINVAL);
}
END_TEST

START_TEST(an_unmapped_word_gives_EFAULT)
{
    enum fs_scope scope = (enum fs_scope)_i;
    fs_word *gone = unmapped_word();
    fs_word w = {0};

    if (skip_without_requeue_pi("an_unmapped_word_gives_EFAULT"))
        return;
    ck_assert_int_eq(QUIET(fs_futex_wait_requeue_pi(gone, 0, &w, NULL, scope)), EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue_pi(gone, &w, 0, 0, scope, NULL)), EFAULT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: requeue with priority inheritance");
    TCase *scopes = tcase_create("both scopes");

    tcase_set_timeout(scopes, 30);
    tcase_add_loop_test(scopes, a_free_lock_goes_to_the_first_sleeper, 0, 2);
    tcase_add_loop_test(scopes, moved_sleepers_get_the_lock_one_by_one, 0, 2);
    tcase_add_loop_test(scopes, a_move_keeps_to_its_count, 0, 2);
    tcase_add_loop_test(scopes, a_wait_on_a_changed_word_gives_EAGAIN, 0, 2);
    tcase_add_loop_test(scopes, a_deadline_ends_the_wait_and_never_early, 0, 2);
    tcase_add_loop_test(scopes, a_deadline_after_the_move_gives_ETIMEDOUT, 0, 2);
    tcase_add_loop_test(scopes, a_signal_before_the_move_does_not_end_the_wait, 0, 2);
    tcase_add_loop_test(scopes, a_signal_after_the_move_gives_EAGAIN_without_the_lock, 0, 2);
    tcase_add_loop_test(scopes, a_lock_that_cannot_be_had_keeps_the_sleeper, 0, 2);
    tcase_add_loop_test(scopes, another_target_gives_EINVAL, 0, 2);
    tcase_add_loop_test(scopes, a_plain_sleeper_cannot_be_moved_to_a_pi_lock, 0, 2);
    tcase_add_loop_test(scopes, one_word_for_both_gives_EINVAL, 0, 2);
    tcase_add_loop_test(scopes, an_unmapped_word_gives_EFAULT, 0, 2);
    suite_add_tcase(suite, scopes);
    return run_suite(suite);
}
