/* SPDX-License-Identifier: MIT */
/* The answers of the futex layer under a seccomp filter that refuses futex calls
   with EPERM or ENOSYS: waits turn into polling, wakes into nothing, moves into
   wakes, and priority inheritance into ENOSYS. A filter holds for the thread that
   installs it, here always the test's own; the loop index picks the refusal. */
#include "sleepers.h"

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "futex_calls.h"

#define EVERY_OPERATION 0u
#define LOCK_PI2 13u

static const int refusals[] = {EPERM, ENOSYS};

/* Refuses futex_waitv and membarrier too when every operation is meant. */
static bool refuse(unsigned operation, int err)
{
    uint32_t answer = SECCOMP_RET_ERRNO | (uint32_t)err;
    bool every = operation == EVERY_OPERATION;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_time64, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_waitv, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, every ? answer : SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, every ? 0 : (uint32_t)FUTEX_CMD_MASK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, operation, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

#define REFUSE(name, operation)                                                                    \
    do {                                                                                           \
        if (!refuse(operation, refusals[_i]))                                                      \
            SKIP(name, "the kernel has no seccomp filters");                                       \
    } while (0)

START_TEST(a_refused_wait_gives_EAGAIN)
{
    struct fs_deadline far = moment(FS_CLOCK_MONOTONIC, 600000);
    fs_word w = {0};

    REFUSE("a_refused_wait_gives_EAGAIN", EVERY_OPERATION);
    ck_assert_int_eq(QUIET(fs_futex_wait(&w, 0, NULL, FS_SCOPE_PRIVATE)), EAGAIN);
    ck_assert_int_eq(QUIET(fs_futex_wait(&w, 0, &far, FS_SCOPE_SHARED)), EAGAIN);
    ck_assert_int_eq(QUIET(fs_futex_wait(&w, 1, &far, FS_SCOPE_SHARED)), EAGAIN);
    ck_assert_int_eq(QUIET(fs_futex_wait_bitset(&w, 0, 2, NULL, FS_SCOPE_PRIVATE)), EAGAIN);
    ck_assert_int_eq(QUIET(fs_futex_wait_relative(&w, 0, -1, FS_SCOPE_PRIVATE)), EAGAIN);
}
END_TEST

START_TEST(a_refused_wait_still_sees_its_deadline)
{
    fs_word w = {0};

    REFUSE("a_refused_wait_still_sees_its_deadline", EVERY_OPERATION);
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        struct fs_deadline d = moment((enum fs_clock)clock, 20);
        int err;

        while ((err = QUIET(fs_futex_wait(&w, 0, &d, FS_SCOPE_PRIVATE))) == EAGAIN)
            ;
        ck_assert_int_eq(err, ETIMEDOUT);
        ck_assert(has_come(&d));
        ck_assert_int_eq(QUIET(fs_futex_wait(&w, 1, &d, FS_SCOPE_PRIVATE)), EAGAIN);
    }
}
END_TEST

START_TEST(a_refused_wake_wakes_nobody)
{
    static const struct fs_futex_wake_op op = {FS_OP_SET, false, 1, FS_CMP_EQ, 0};
    fs_word w = {0}, other = {0};
    int affected = -1;

    REFUSE("a_refused_wake_wakes_nobody", EVERY_OPERATION);
    ck_assert_int_eq(QUIET(fs_futex_wake(&w, 1, FS_SCOPE_PRIVATE)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(&w, 1, 1, FS_SCOPE_PRIVATE)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake_op(&w, &other, 1, 1, &op, FS_SCOPE_PRIVATE, NULL)),
                     ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_requeue(&w, &other, 1, 1, FS_SCOPE_PRIVATE, &affected)), 0);
    ck_assert_int_eq(affected, 0);
}
END_TEST

START_TEST(refused_priority_inheritance_gives_ENOSYS)
{
    struct fs_deadline far = moment(FS_CLOCK_MONOTONIC, 600000);
    fs_word w = {0}, other = {0};

    REFUSE("refused_priority_inheritance_gives_ENOSYS", EVERY_OPERATION);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&w, NULL, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&w, &far, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi2(&w, NULL, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&w, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(&w, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_wait_requeue_pi(&w, 0, &other, NULL, FS_SCOPE_PRIVATE)),
                     ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue_pi(&w, &other, 0, 0, FS_SCOPE_PRIVATE, NULL)),
                     ENOSYS);
}
END_TEST

START_TEST(a_refused_wait_on_many_words_gives_ENOSYS)
{
    fs_word w = {0};
    struct fs_futex_waiter waiter = {&w, 0, FS_SCOPE_PRIVATE};
    unsigned woken;

    REFUSE("a_refused_wait_on_many_words_gives_ENOSYS", EVERY_OPERATION);
    ck_assert_int_eq(QUIET(fs_futex_wait_any(&waiter, 1, NULL, &woken)), ENOSYS);
}
END_TEST

START_TEST(a_refused_feature_is_reported_as_missing)
{
    REFUSE("a_refused_feature_is_reported_as_missing", EVERY_OPERATION);
    for (int f = 0; f < FS_FEATURE_COUNT; f++)
        ck_assert_int_eq(QUIET(fs_system_has((enum fs_futex_feature)f)), false);
}
END_TEST

struct scene {
    fs_word from;
    fs_word to;
};

static int sleep_on_from(void *arg)
{
    struct scene *scene = arg;

    return fs_futex_wait(&scene->from, 0, NULL, FS_SCOPE_PRIVATE);
}

START_TEST(sleepers_that_may_not_be_moved_are_woken)
{
    struct scene scene = {{0}, {0}};
    struct sleeper s[4];
    int affected = -1;

    for (int i = 0; i < 4; i++)
        sleeper_put_to_sleep(&s[i], sleep_on_from, &scene);
    REFUSE("sleepers_that_may_not_be_moved_are_woken", FUTEX_CMP_REQUEUE);
    ck_assert_int_eq(
        QUIET(fs_futex_cmp_requeue(&scene.from, &scene.to, 1, 1, 2, FS_SCOPE_PRIVATE, &affected)),
        EAGAIN);
    ck_assert_int_eq(
        QUIET(fs_futex_cmp_requeue(&scene.from, &scene.to, 0, 1, 2, FS_SCOPE_PRIVATE, &affected)),
        0);
    ck_assert_int_eq(affected, 3);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(&scene.from, &scene.to, 0, 1, FS_WAKE_ALL,
                                                FS_SCOPE_PRIVATE, &affected)),
                     0);
    ck_assert_int_eq(affected, 1);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(sleeper_join(&s[i]), 0);
}
END_TEST

static int lock_for_good(void *arg)
{
    struct scene *scene = arg;
    int err = fs_futex_lock_pi(&scene->to, NULL, FS_SCOPE_PRIVATE);

    while (!err && fs_load_acquire(&scene->from) == 0)
        fs_futex_wait(&scene->from, 0, NULL, FS_SCOPE_PRIVATE);
    return err ? err : fs_futex_unlock_pi(&scene->to, FS_SCOPE_PRIVATE);
}

START_TEST(a_monotonic_deadline_is_carried_over_without_LOCK_PI2)
{
    struct fs_deadline far = {INT64_MAX, 999999999, FS_CLOCK_MONOTONIC};
    struct fs_deadline past = {-1, 0, FS_CLOCK_MONOTONIC};
    struct scene scene = {{0}, {0}};
    struct fs_deadline d;
    struct sleeper s;
    fs_word mine = {0};

    sleeper_put_to_sleep(&s, lock_for_good, &scene);
    REFUSE("a_monotonic_deadline_is_carried_over_without_LOCK_PI2", LOCK_PI2);
    ck_assert(!fs_system_has(FS_FEATURE_LOCK_PI2));
    for (int i = 0; i < 2; i++) {
        d = moment(FS_CLOCK_MONOTONIC, i == 0 ? 30 : 1200);
        ck_assert_int_eq(QUIET(fs_futex_lock_pi(&scene.to, &d, FS_SCOPE_PRIVATE)), ETIMEDOUT);
        ck_assert(has_come(&d));
    }
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&scene.to, &past, FS_SCOPE_PRIVATE)), ETIMEDOUT);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi2(&scene.to, &d, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&mine, &far, FS_SCOPE_PRIVATE)), 0);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&mine, &far, FS_SCOPE_PRIVATE)), EDEADLK);
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(&mine, FS_SCOPE_PRIVATE)), 0);
    fs_store_release(&scene.from, 1);
    fs_futex_wake(&scene.from, 1, FS_SCOPE_PRIVATE);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&scene.to, &far, FS_SCOPE_PRIVATE)), 0);
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(&scene.to, FS_SCOPE_PRIVATE)), 0);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("futex: refused by a sandbox");
    TCase *tests = tcase_create("EPERM and ENOSYS");

    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, a_refused_wait_gives_EAGAIN, 0, 2);
    tcase_add_loop_test(tests, a_refused_wait_still_sees_its_deadline, 0, 2);
    tcase_add_loop_test(tests, a_refused_wake_wakes_nobody, 0, 2);
    tcase_add_loop_test(tests, refused_priority_inheritance_gives_ENOSYS, 0, 2);
    tcase_add_loop_test(tests, a_refused_wait_on_many_words_gives_ENOSYS, 0, 2);
    tcase_add_loop_test(tests, a_refused_feature_is_reported_as_missing, 0, 2);
    tcase_add_loop_test(tests, sleepers_that_may_not_be_moved_are_woken, 0, 2);
    tcase_add_loop_test(tests, a_monotonic_deadline_is_carried_over_without_LOCK_PI2, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
