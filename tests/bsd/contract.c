/* SPDX-License-Identifier: MIT */
/* The futex contract (futex/futex.h) by the target's own objects: what each call answers on a
   system that has it, and what it answers on one that has not. The loop index is the scope, or the
   clock. */
#include "sleepers.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eventually.h"

#define SLEEPERS 6

/* What tells the systems apart. */
#ifdef FS_TARGET_FREEBSD
#define DIFFERS 0 /* a word that differs is answered like a wake-up */
#define COUNTED(n) 0
#else
#define DIFFERS EAGAIN
#define COUNTED(n) (n)
#endif
#ifdef FS_TARGET_NETBSD
#define HAS_MORE true /* bits and moves */
#else
#define HAS_MORE false
#endif

struct bed {
    fs_word word;
    fs_word other;
    uint32_t bits;
    const struct fs_deadline *deadline;
    enum fs_scope scope;
    struct sleeper sleepers[SLEEPERS];
};

static int sleep_in(void *arg)
{
    struct bed *bed = arg;

    if (bed->bits != 0)
        return QUIET(fs_futex_wait_bitset(&bed->word, 0, bed->bits, bed->deadline, bed->scope));
    return QUIET(fs_futex_wait(&bed->word, 0, bed->deadline, bed->scope));
}

static int sleep_relatively(void *arg)
{
    struct bed *bed = arg;

    return QUIET(fs_futex_wait_relative(&bed->word, 0, -1, bed->scope));
}

static void put_all_to_sleep(struct bed *bed)
{
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_put_to_sleep(&bed->sleepers[i], sleep_in, bed);
}

/* Waits until so many sleepers have come back, and looks that the others sleep. */
static void expect_awake(struct bed *bed, int expected)
{
    int done;

    do {
        done = 0;
        for (int i = 0; i < SLEEPERS; i++)
            done += sleeper_is_done(&bed->sleepers[i]);
    } while (done < expected);
    ck_assert_int_eq(done, expected);
    for (int i = 0; i < SLEEPERS; i++)
        if (!sleeper_is_done(&bed->sleepers[i]))
            sleeper_await_sleep(&bed->sleepers[i]);
}

static void wake_all_up(struct bed *bed)
{
    fs_futex_wake(&bed->word, FS_WAKE_ALL, bed->scope);
    fs_futex_wake(&bed->other, FS_WAKE_ALL, bed->scope);
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(sleeper_join(&bed->sleepers[i]), 0);
}

START_TEST(a_wake_wakes_as_many_as_asked)
{
    struct bed bed = {.scope = (enum fs_scope)_i};

    put_all_to_sleep(&bed);
    ck_assert_int_eq(QUIET(fs_futex_wake(&bed.other, FS_WAKE_ALL, bed.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake(&bed.word, 0, bed.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake(&bed.word, -1, bed.scope)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(&bed.word, 0, 1, bed.scope)), 0);
    expect_awake(&bed, 0);
    ck_assert_int_eq(QUIET(fs_futex_wake(&bed.word, 1, bed.scope)), COUNTED(1));
    expect_awake(&bed, 1);
    ck_assert_int_eq(QUIET(fs_futex_wake(&bed.word, 2, bed.scope)), COUNTED(2));
    expect_awake(&bed, 3);
    ck_assert_int_eq(QUIET(fs_futex_wake(&bed.word, FS_WAKE_ALL, bed.scope)), COUNTED(3));
    wake_all_up(&bed);
}
END_TEST

START_TEST(a_wake_by_bits_wakes_whom_it_means_and_all_where_there_are_no_bits)
{
    struct bed bed = {.bits = 6, .scope = (enum fs_scope)_i};

    put_all_to_sleep(&bed);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(&bed.word, 1, FS_MATCH_ANY, bed.scope)),
                     COUNTED(1));
    expect_awake(&bed, 1);
    if (HAS_MORE) {
        ck_assert_int_eq(QUIET(fs_futex_wake_bitset(&bed.word, FS_WAKE_ALL, 9, bed.scope)), 0);
        expect_awake(&bed, 1);
        ck_assert_int_eq(QUIET(fs_futex_wake_bitset(&bed.word, 1, 12, bed.scope)), 1);
        expect_awake(&bed, 2);
    } else {
        ck_assert_int_eq(QUIET(fs_futex_wake_bitset(&bed.word, 1, 1, bed.scope)), 0);
        expect_awake(&bed, SLEEPERS);
    }
    wake_all_up(&bed);
}
END_TEST

START_TEST(a_wait_on_a_changed_word_does_not_sleep)
{
    struct fs_deadline late = moment(FS_CLOCK_MONOTONIC, 60000);
    enum fs_scope scope = (enum fs_scope)_i;
    fs_word w = {7};

    ck_assert_int_eq(QUIET(fs_futex_wait(&w, 8, NULL, scope)), DIFFERS);
    ck_assert_int_eq(QUIET(fs_futex_wait(&w, 8, &late, scope)), DIFFERS);
    ck_assert_int_eq(QUIET(fs_futex_wait_bitset(&w, 8, 1, NULL, scope)), DIFFERS);
    ck_assert_int_eq(QUIET(fs_futex_wait_relative(&w, 8, -1, scope)), DIFFERS);
}
END_TEST

START_TEST(a_deadline_ends_the_wait_and_never_early)
{
    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++) {
        fs_word w = {7};

        for (int bits = 0; bits < 2; bits++) {
            struct fs_deadline d = moment((enum fs_clock)clock, 30);
            int err;

            do
                err = bits ? QUIET(fs_futex_wait_bitset(&w, 7, 4, &d, (enum fs_scope)_i))
                           : QUIET(fs_futex_wait(&w, 7, &d, (enum fs_scope)_i));
            while (err == 0);
            ck_assert_int_eq(err, ETIMEDOUT);
            ck_assert(has_come(&d));
        }
    }
}
END_TEST

START_TEST(a_relative_timeout_ends_the_wait_and_never_early)
{
    struct fs_deadline d = moment(FS_CLOCK_MONOTONIC, 1020);
    fs_word w = {7};

    ck_assert_int_eq(QUIET(fs_futex_wait_relative(&w, 7, 1020000000, (enum fs_scope)_i)),
                     ETIMEDOUT);
    ck_assert(has_come(&d));
    ck_assert_int_eq(QUIET(fs_futex_wait_relative(&w, 7, 0, (enum fs_scope)_i)), ETIMEDOUT);
}
END_TEST

START_TEST(a_past_deadline_gives_ETIMEDOUT)
{
    static const int64_t seconds[] = {0, -1, INT64_MIN};

    for (int clock = FS_CLOCK_REALTIME; clock <= FS_CLOCK_MONOTONIC; clock++)
        for (int i = 0; i < 3; i++) {
            struct fs_deadline d = {seconds[i], i == 0 ? 0 : 999999999, (enum fs_clock)clock};
            fs_word w = {7};

            ck_assert_int_eq(QUIET(fs_futex_wait(&w, 7, &d, (enum fs_scope)_i)), ETIMEDOUT);
        }
}
END_TEST

START_TEST(a_wait_for_a_distant_deadline_sleeps)
{
    static const int64_t away[] = {3600, INT64_C(10) * 365 * 86400, 0};

    for (int i = 0; i < 3; i++) {
        struct fs_deadline d = fs_system_now((enum fs_clock)_i);
        struct bed bed = {.deadline = &d, .scope = FS_SCOPE_PRIVATE};

        d.sec = away[i] != 0 ? d.sec + away[i] : INT64_MAX;
        sleeper_put_to_sleep(&bed.sleepers[0], sleep_in, &bed);
        fs_futex_wake(&bed.word, 1, bed.scope);
        ck_assert_int_eq(sleeper_join(&bed.sleepers[0]), 0);
    }
}
END_TEST

START_TEST(a_signal_handler_ends_the_wait_with_EINTR)
{
    struct fs_deadline far = moment(FS_CLOCK_MONOTONIC, 600000);
    struct bed bed = {.scope = (enum fs_scope)_i};
    struct sleeper *s = &bed.sleepers[0];

    sleeper_put_to_sleep(s, sleep_in, &bed);
    sleeper_interrupt(s);
    ck_assert_int_eq(sleeper_join(s), EINTR);
    sleeper_put_to_sleep(s, sleep_relatively, &bed);
    sleeper_interrupt(s);
    ck_assert_int_eq(sleeper_join(s), EINTR);
    bed.deadline = &far;
    sleeper_put_to_sleep(s, sleep_in, &bed);
    sleeper_interrupt(s);
    ck_assert_int_eq(sleeper_join(s), EINTR);
}
END_TEST

START_TEST(unmapped_memory_gives_EFAULT_and_wakes_nobody)
{
    fs_word *w = unmapped_word();

    ck_assert_int_eq(QUIET(fs_futex_wait(w, 0, NULL, (enum fs_scope)_i)), EFAULT);
    ck_assert_int_eq(QUIET(fs_futex_wake(w, 1, (enum fs_scope)_i)), 0);
    ck_assert_int_eq(QUIET(fs_futex_wake_bitset(w, 1, 1, (enum fs_scope)_i)), 0);
}
END_TEST

START_TEST(a_shared_wake_reaches_another_process)
{
    struct bed *bed = shared_page();
    int status;
    pid_t child = fork();

    if (child == 0) {
        fs_store_release(&bed->other, 1);
        _exit(fs_futex_wait(&bed->word, 0, NULL, FS_SCOPE_SHARED) == 0 ? 0 : 1);
    }
    EVENTUALLY(fs_load_acquire(&bed->other) == 1);
    while (waitpid(child, &status, WNOHANG) == 0) {
        fs_futex_wake(&bed->word, 1, FS_SCOPE_SHARED);
        sleep_ms(1);
    }
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(scopes_do_not_meet)
{
    struct bed *bed = shared_page();

    bed->scope = (enum fs_scope)_i;
    put_all_to_sleep(bed);
    ck_assert_int_eq(fs_futex_wake(&bed->word, 1, (enum fs_scope) !_i), 0);
    expect_awake(bed, 0);
    wake_all_up(bed);
}
END_TEST

START_TEST(a_move_moves_or_wakes)
{
    struct bed bed = {.scope = (enum fs_scope)(_i / 2)};
    bool compare = _i % 2;
    int affected = -1;

    put_all_to_sleep(&bed);
    if (compare) {
        ck_assert_int_eq(
            QUIET(fs_futex_cmp_requeue(&bed.word, &bed.other, 1, 1, 3, bed.scope, &affected)),
            EAGAIN);
        ck_assert_int_eq(affected, -1);
        expect_awake(&bed, 0);
        ck_assert_int_eq(
            QUIET(fs_futex_cmp_requeue(&bed.word, &bed.other, 0, 1, 3, bed.scope, &affected)), 0);
    } else {
        ck_assert_int_eq(QUIET(fs_futex_requeue(&bed.word, &bed.other, 1, 3, bed.scope, &affected)),
                         0);
    }
    ck_assert_int_eq(affected, HAS_MORE ? 3 : COUNTED(4));
    if (HAS_MORE) {
        expect_awake(&bed, 1);
        ck_assert_int_eq(fs_futex_wake(&bed.other, FS_WAKE_ALL, bed.scope), 3);
    }
    expect_awake(&bed, 4);
    wake_all_up(&bed);
}
END_TEST

START_TEST(a_move_of_all_ends_with_all_awake)
{
    struct bed bed = {.scope = (enum fs_scope)_i};

    put_all_to_sleep(&bed);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(&bed.word, &bed.other, 0, FS_WAKE_ALL, FS_WAKE_ALL,
                                                bed.scope, NULL)),
                     0);
    expect_awake(&bed, SLEEPERS);
    wake_all_up(&bed);
}
END_TEST

START_TEST(what_is_lacking_is_answered)
{
    static const struct fs_futex_wake_op op = {FS_OP_SET, false, 1, FS_CMP_EQ, 0};
    fs_word w = {0}, other = {0};
    struct fs_futex_waiter waiter = {&w, 0, FS_SCOPE_PRIVATE};
    enum fs_scope scope = FS_SCOPE_PRIVATE;
    unsigned woken;

    ck_assert_int_eq(QUIET(fs_futex_requeue(&w, &other, -1, 1, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue(&w, &other, 0, 1, -1, scope, NULL)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_wake_op(&w, &other, 1, 1, &op, scope, NULL)), ENOSYS);
    ck_assert_uint_eq(fs_load_relaxed(&other), 0);
    ck_assert_int_eq(QUIET(fs_futex_wait_any(&waiter, 0, NULL, &woken)), EINVAL);
    ck_assert_int_eq(QUIET(fs_futex_wait_any(&waiter, 1, NULL, &woken)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&w, NULL, scope)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_lock_pi2(&w, NULL, scope)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&w, scope)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(&w, scope)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_wait_requeue_pi(&w, 0, &other, NULL, scope)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue_pi(&w, &other, 0, 1, scope, NULL)), ENOSYS);
    for (int i = 0; i < FS_FEATURE_COUNT; i++)
        ck_assert_int_eq(QUIET(fs_system_has((enum fs_futex_feature)i)),
                         HAS_MORE && (i == FS_FEATURE_WAIT_BITSET || i == FS_FEATURE_REQUEUE));
}
END_TEST

START_TEST(the_system_is_asked_rightly)
{
    struct timespec now;
    struct fs_deadline ours;
    int errno_before = errno = UNTOUCHED;

    ck_assert_uint_eq(QUIET((int)fs_system_thread_id()), (uint32_t)syscall(SYS_gettid));
    ck_assert_uint_eq(QUIET((int)fs_system_processor_count()), sysconf(_SC_NPROCESSORS_ONLN));
    errno = UNTOUCHED;
    fs_system_yield();
    ours = fs_system_now((enum fs_clock)_i);
    ck_assert_int_eq(errno, errno_before);
    clock_gettime(_i == FS_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    ck_assert_int_ge(now.tv_sec, ours.sec);
    ck_assert_int_lt(now.tv_sec, ours.sec + 60);
}
END_TEST

START_TEST(a_fork_child_finds_the_memory_wiped)
{
    bool wiped = false;
    uint32_t *memory;
    int status;
    pid_t child;

    errno = UNTOUCHED;
    memory = fs_system_map_wiped(8192, &wiped);
    ck_assert_int_eq(errno, UNTOUCHED);
    ck_assert_ptr_ne(memory, NULL);
    ck_assert(wiped);
    ck_assert_uint_eq(memory[0] | memory[2047], 0);
    memory[0] = memory[2047] = 42;
    child = fork();
    if (child == 0)
        _exit((memory[0] | memory[2047]) == 0 ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(memory[0], 42);
}
END_TEST

#ifndef FS_TARGET_OPENBSD /* which is given time-outs: no deadline makes one of no sense */
START_TEST(an_unlisted_answer_aborts)
{
    struct fs_deadline senseless = moment(FS_CLOCK_MONOTONIC, 10000);
    fs_word w = {0};

    senseless.nsec = 2 * (int64_t)FS_NSEC_PER_SEC;
    fs_futex_wait(&w, 0, &senseless, FS_SCOPE_PRIVATE);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("contract");
    TCase *tests = tcase_create("contract");

    tcase_set_timeout(tests, 20);
    tcase_add_loop_test(tests, a_wake_wakes_as_many_as_asked, 0, 2);
    tcase_add_loop_test(tests, a_wake_by_bits_wakes_whom_it_means_and_all_where_there_are_no_bits,
                        0, 2);
    tcase_add_loop_test(tests, a_wait_on_a_changed_word_does_not_sleep, 0, 2);
    tcase_add_loop_test(tests, a_deadline_ends_the_wait_and_never_early, 0, 2);
    tcase_add_loop_test(tests, a_relative_timeout_ends_the_wait_and_never_early, 0, 2);
    tcase_add_loop_test(tests, a_past_deadline_gives_ETIMEDOUT, 0, 2);
    tcase_add_loop_test(tests, a_wait_for_a_distant_deadline_sleeps, 0, 2);
    tcase_add_loop_test(tests, a_signal_handler_ends_the_wait_with_EINTR, 0, 2);
    tcase_add_loop_test(tests, unmapped_memory_gives_EFAULT_and_wakes_nobody, 0, 2);
    tcase_add_test(tests, a_shared_wake_reaches_another_process);
    tcase_add_loop_test(tests, scopes_do_not_meet, 0, 2);
    tcase_add_loop_test(tests, a_move_moves_or_wakes, 0, 4);
    tcase_add_loop_test(tests, a_move_of_all_ends_with_all_awake, 0, 2);
    tcase_add_test(tests, what_is_lacking_is_answered);
    tcase_add_loop_test(tests, the_system_is_asked_rightly, 0, 2);
    tcase_add_test(tests, a_fork_child_finds_the_memory_wiped);
#ifndef FS_TARGET_OPENBSD
    tcase_add_test_raise_signal(tests, an_unlisted_answer_aborts, SIGABRT);
#endif
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
