/* SPDX-License-Identifier: MIT */
/* The mutex with priority inheritance: its word, what the kernel does for it, owners that are
   gone, the fork child, and the bare word that the library uses for itself. What all kinds have
   in common is in test_mutex_engine.c, robust mutexes are in test_robust_list.c. */
#include "sleepers.h"

#include <sys/wait.h>
#include <unistd.h>

#include "eventually.h"
#include "lock/pi_mutex.h"

static const uint32_t kinds[] = {FS_KIND_PI, FS_KIND_PI | FS_KIND_SHARED,
                                 FS_KIND_PI | FS_KIND_MADE_PI, FS_KIND_PI | FS_KIND_ROBUST};

#define PLAIN_KINDS 3 /* not robust */
#define KINDS 4       /* the loop index of most tests */

static int lock(struct fs_mutex *m)
{
    return QUIET(fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_FOREVER, NULL));
}

static int unlock(struct fs_mutex *m)
{
    return QUIET(fs_mutex_release(m, fs_mutex_kind(m)));
}

static int lock_in_ms(struct fs_mutex *m, int ms)
{
    struct fs_deadline deadline = moment(FS_CLOCK_MONOTONIC, ms);
    int err = QUIET(fs_mutex_acquire(m, fs_mutex_kind(m), FS_WAIT_UNTIL, &deadline));

    ck_assert(err != ETIMEDOUT || has_come(&deadline));
    return err;
}

static int lock_and_unlock(void *arg)
{
    int err = lock(arg);

    return err == 0 ? unlock(arg) : err;
}

START_TEST(the_word_is_the_holders_id_and_the_kernel_marks_waiters)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct sleeper waiter;

    ck_assert_int_eq(lock(&m), 0);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), fs_thread_id());
    sleeper_put_to_sleep(&waiter, lock_and_unlock, &m);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), fs_thread_id() | FS_PI_WAITERS);
    ck_assert_int_eq(unlock(&m), 0);
    ck_assert_int_eq(sleeper_join(&waiter), 0);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), 0);
}
END_TEST

static fs_word may_unlock;

static int lock_and_stay(void *arg)
{
    ck_assert_int_eq(lock(arg), 0);
    EVENTUALLY(fs_load_acquire(&may_unlock));
    return unlock(arg);
}

START_TEST(the_kernel_hands_the_mutex_to_the_waiter)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct sleeper waiter;

    ck_assert_int_eq(lock(&m), 0);
    sleeper_put_to_sleep(&waiter, lock_and_stay, &m);
    ck_assert_int_eq(unlock(&m), 0);
    ck_assert_int_eq(fs_mutex_acquire(&m, kinds[_i], FS_WAIT_NEVER, NULL), EBUSY);
    ck_assert_uint_eq(fs_load_acquire(&m.word) & FS_PI_TID_MASK, fs_load_acquire(&waiter.tid));
    EVENTUALLY(fs_load_acquire(&m.owner) == fs_load_acquire(&waiter.tid));
    fs_store_release(&may_unlock, 1);
    ck_assert_int_eq(sleeper_join(&waiter), 0);
}
END_TEST

START_TEST(after_a_timeout_the_mutex_works_on)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct sleeper holder;

    sleeper_start(&holder, lock_and_stay, &m);
    EVENTUALLY(fs_load_acquire(&m.owner) != 0);
    ck_assert_int_eq(lock_in_ms(&m, 20), ETIMEDOUT);
    ck_assert_int_eq(lock_in_ms(&m, -1000), ETIMEDOUT);
    fs_store_release(&may_unlock, 1);
    ck_assert_int_eq(sleeper_join(&holder), 0);
    ck_assert_int_eq(lock_in_ms(&m, -1000), 0);
    ck_assert_int_eq(unlock(&m), 0);
}
END_TEST

/* ---- owners that are gone ------------------------------------------------------ */

static int lock_and_die(void *arg)
{
    return lock(arg);
}

/* Two mutexes, each wanted by the holder of the other. */
struct circle {
    struct fs_mutex first, second;
    fs_word has_second;
};

static int hold_the_second_and_want_the_first(void *arg)
{
    struct circle *circle = arg;
    int err;

    ck_assert_int_eq(lock(&circle->second), 0);
    fs_store_release(&circle->has_second, 1);
    err = lock_in_ms(&circle->first, 300);
    ck_assert_int_eq(unlock(&circle->second), 0);
    return err;
}

START_TEST(a_circle_that_a_deadline_opens_lets_the_other_go_on)
{
    struct circle circle = {.first = {.kind = {kinds[_i]}}, .second = {.kind = {kinds[_i]}}};
    struct sleeper other;

    ck_assert_int_eq(lock(&circle.first), 0);
    sleeper_put_to_sleep(&other, hold_the_second_and_want_the_first, &circle);
    ck_assert_uint_eq(fs_load_acquire(&circle.has_second), 1);
    ck_assert_int_eq(lock_in_ms(&circle.second, 20), ETIMEDOUT); /* which the circle allows */
    ck_assert_int_eq(lock(&circle.second), 0);
    ck_assert_int_eq(sleeper_join(&other), ETIMEDOUT);
    ck_assert_int_eq(unlock(&circle.second), 0);
    ck_assert_int_eq(unlock(&circle.first), 0);
}
END_TEST

START_TEST(a_mutex_of_a_dead_thread_is_waited_for_in_vain)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct sleeper owner;
    uint32_t tid;

    sleeper_start(&owner, lock_and_die, &m);
    ck_assert_int_eq(sleeper_join_and_see_gone(&owner), 0);
    tid = fs_load_acquire(&owner.tid);
    ck_assert_uint_eq(fs_load_relaxed(&m.word), tid);
    ck_assert_int_eq(lock_in_ms(&m, 20), ETIMEDOUT);
    ck_assert_int_eq(unlock(&m), EPERM);
}
END_TEST

START_TEST(a_waiter_inherits_from_a_dying_owner_without_notice)
{
    struct fs_mutex m = {.kind = {kinds[_i]}};
    struct sleeper waiter, owner;

    sleeper_start(&owner, lock_and_stay, &m);
    EVENTUALLY(fs_load_acquire(&m.owner) != 0);
    sleeper_put_to_sleep(&waiter, lock_and_unlock, &m);
    /* The unlock fails, and so the owner dies with the mutex. */
    fs_store_relaxed(&m.kind, FS_KIND_DESTROYED);
    fs_store_release(&may_unlock, 1);
    ck_assert_int_eq(sleeper_join(&owner), EINVAL);
    EVENTUALLY((fs_load_acquire(&m.word) & FS_PI_TID_MASK) != fs_load_acquire(&owner.tid));
    EVENTUALLY(sleeper_is_done(&waiter));
}
END_TEST

/* ---- a fork child --------------------------------------------------------------- */

/* The status of a child that runs body(arg). */
static int in_a_child(int (*body)(struct fs_mutex *), struct fs_mutex *m)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(body(m));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int unlock_lock_unlock(struct fs_mutex *m)
{
    if (unlock(m) != 0 || fs_load_relaxed(&m->word) != 0)
        return 1;
    if (lock(m) != 0 || fs_load_relaxed(&m->word) != fs_thread_id())
        return 2;
    return unlock(m) == 0 ? 0 : 3;
}

static int unlock_only(struct fs_mutex *m)
{
    return unlock(m);
}

static int lock_only(struct fs_mutex *m)
{
    return lock(m);
}

static int fork_again(struct fs_mutex *m)
{
    fs_pi_before_fork();
    return in_a_child(unlock_lock_unlock, m);
}

START_TEST(a_child_unlocks_what_its_parent_had_locked_unasked_for_PI)
{
    struct fs_mutex m = {.kind = {FS_KIND_PI | FS_KIND_MADE_PI}};

    ck_assert_int_eq(lock(&m), 0);
    fs_pi_before_fork();
    ck_assert_int_eq(in_a_child(unlock_lock_unlock, &m), 0);
    ck_assert_int_eq(in_a_child(fork_again, &m), 0);
    ck_assert_int_eq(unlock(&m), 0);
}
END_TEST

START_TEST(a_child_holds_what_its_parent_had_locked)
{
    struct fs_mutex m = {.kind = {FS_KIND_PI | FS_KIND_MADE_PI | FS_KIND_ERRORCHECK}};

    ck_assert_int_eq(lock(&m), 0);
    fs_pi_before_fork();
    ck_assert_int_eq(in_a_child(lock_only, &m), EDEADLK);
    ck_assert_int_eq(unlock(&m), 0);
}
END_TEST

START_TEST(a_mutex_that_asked_for_PI_is_the_parents_alone)
{
    struct fs_mutex m = {.kind = {FS_KIND_PI}};

    ck_assert_int_eq(lock(&m), 0);
    fs_pi_before_fork();
    ck_assert_int_eq(in_a_child(unlock_only, &m), EPERM);
    ck_assert_int_eq(unlock(&m), 0);
}
END_TEST

START_TEST(without_a_fork_handler_the_child_is_a_stranger)
{
    struct fs_mutex m = {.kind = {FS_KIND_PI | FS_KIND_MADE_PI}};

    ck_assert_int_eq(lock(&m), 0);
    ck_assert_int_eq(in_a_child(unlock_only, &m), EPERM);
    ck_assert_int_eq(unlock(&m), 0);
}
END_TEST

/* ---- waiting for a requeue ------------------------------------------------------- */

struct waiter {
    struct fs_mutex mutex;
    fs_word from;
    const struct fs_deadline *deadline;
    int adopted;
    struct sleeper sleeper;
};

static int wait_for_requeue(void *arg)
{
    struct waiter *w = arg;
    uint32_t kind = fs_mutex_kind(&w->mutex);
    int err = QUIET(fs_pi_wait_requeue(&w->mutex, kind, &w->from, 0, w->deadline, &w->adopted));

    if (err == 0) {
        ck_assert_uint_eq(fs_load_relaxed(&w->mutex.owner), fs_thread_id());
        ck_assert_uint_eq(w->mutex.count, 1);
        ck_assert_int_eq(unlock(&w->mutex), 0);
    }
    return err;
}

START_TEST(a_requeued_waiter_adopts_a_free_mutex)
{
    struct waiter w = {.mutex = {.kind = {kinds[_i]}}, .adopted = -1};

    sleeper_put_to_sleep(&w.sleeper, wait_for_requeue, &w);
    fs_store_relaxed(&w.from, 1);
    ck_assert_int_eq(
        fs_futex_cmp_requeue_pi(&w.from, &w.mutex.word, 1, 0, fs_kind_scope(kinds[_i]), NULL), 0);
    ck_assert_int_eq(sleeper_join(&w.sleeper), 0);
    ck_assert_int_eq(w.adopted, 0);
    ck_assert_uint_eq(fs_load_relaxed(&w.mutex.word), 0);
    ck_assert_uint_eq(w.mutex.nusers, 0);
}
END_TEST

START_TEST(a_requeued_waiter_gets_a_held_mutex_at_its_release)
{
    struct waiter w = {.mutex = {.kind = {kinds[_i]}}, .adopted = -1};

    sleeper_put_to_sleep(&w.sleeper, wait_for_requeue, &w);
    ck_assert_int_eq(lock(&w.mutex), 0);
    fs_store_relaxed(&w.from, 1);
    ck_assert_int_eq(
        fs_futex_cmp_requeue_pi(&w.from, &w.mutex.word, 1, 0, fs_kind_scope(kinds[_i]), NULL), 0);
    ck_assert_uint_eq(fs_load_relaxed(&w.mutex.word), fs_thread_id() | FS_PI_WAITERS);
    ck_assert(!sleeper_is_done(&w.sleeper));
    ck_assert_int_eq(unlock(&w.mutex), 0);
    ck_assert_int_eq(sleeper_join(&w.sleeper), 0);
    ck_assert_int_eq(w.adopted, 0);
}
END_TEST

START_TEST(a_waiter_for_a_requeue_times_out_without_the_mutex)
{
    struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 20);
    struct waiter w = {.mutex = {.kind = {kinds[_i]}}, .deadline = &soon, .adopted = -1};

    sleeper_start(&w.sleeper, wait_for_requeue, &w);
    ck_assert_int_eq(sleeper_join(&w.sleeper), ETIMEDOUT);
    ck_assert(has_come(&soon));
    ck_assert_int_eq(w.adopted, -1);
    ck_assert_uint_eq(fs_load_relaxed(&w.mutex.word), 0);
}
END_TEST

/* ---- the library's own word -------------------------------------------------------- */

struct crowd {
    fs_word word;
    long total;
};

static int count_up(void *arg)
{
    struct crowd *crowd = arg;

    for (int i = 0; i < 5000; i++) {
        fs_pi_word_acquire(&crowd->word);
        crowd->total++;
        fs_pi_word_release(&crowd->word);
    }
    return 0;
}

START_TEST(only_one_thread_holds_the_librarys_word_at_a_time)
{
    struct crowd crowd = {.total = 0};
    struct sleeper threads[3];

    for (int i = 0; i < 3; i++)
        sleeper_start(&threads[i], count_up, &crowd);
    for (int i = 0; i < 3; i++)
        sleeper_join(&threads[i]);
    ck_assert_int_eq(crowd.total, 15000);
    ck_assert_uint_eq(fs_load_relaxed(&crowd.word), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("PI mutex");
    TCase *tests = tcase_create("PI mutex");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_word_is_the_holders_id_and_the_kernel_marks_waiters, 0, KINDS);
    tcase_add_loop_test(tests, the_kernel_hands_the_mutex_to_the_waiter, 0, KINDS);
    tcase_add_loop_test(tests, after_a_timeout_the_mutex_works_on, 0, KINDS);
    tcase_add_loop_test(tests, a_circle_that_a_deadline_opens_lets_the_other_go_on, 0, KINDS);
    tcase_add_loop_test(tests, a_mutex_of_a_dead_thread_is_waited_for_in_vain, 0, PLAIN_KINDS);
    tcase_add_loop_test(tests, a_waiter_inherits_from_a_dying_owner_without_notice, 0, PLAIN_KINDS);
    tcase_add_test(tests, a_child_unlocks_what_its_parent_had_locked_unasked_for_PI);
    tcase_add_test(tests, a_child_holds_what_its_parent_had_locked);
    tcase_add_test(tests, a_mutex_that_asked_for_PI_is_the_parents_alone);
    tcase_add_test(tests, without_a_fork_handler_the_child_is_a_stranger);
    tcase_add_loop_test(tests, a_requeued_waiter_adopts_a_free_mutex, 0, KINDS);
    tcase_add_loop_test(tests, a_requeued_waiter_gets_a_held_mutex_at_its_release, 0, KINDS);
    tcase_add_loop_test(tests, a_waiter_for_a_requeue_times_out_without_the_mutex, 0, KINDS);
    tcase_add_test(tests, only_one_thread_holds_the_librarys_word_at_a_time);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
