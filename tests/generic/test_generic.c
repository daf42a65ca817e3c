/* SPDX-License-Identifier: MIT */
/* What is the generic backend's own: many threads on few buckets, waits that the C library's waits
   carry but that are no cancellation points, a fork, and shared words in another process. */
#include "sleepers.h"

#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "futex/generic_queue.h"

#define THREADS 6
#define ROUNDS (getenv("FASTSYNC_SOAK") ? 200000 : 10000)

/* A token passes from thread to thread: each waits for its number, with a deadline now and then. */
struct ring {
    fs_word turn;
    fs_word late;
    unsigned rounds;
};

struct member {
    struct ring *ring;
    uint32_t number;
};

static int pass_the_token(void *arg)
{
    struct member *me = arg;
    struct ring *ring = me->ring;

    for (unsigned round = 0; round < ring->rounds; round++) {
        uint32_t turn;

        while ((turn = fs_load_acquire(&ring->turn)) % THREADS != me->number) {
            struct fs_deadline soon = moment((enum fs_clock)(turn % 2), 1);

            if (fs_futex_wait(&ring->turn, turn, turn % 3 ? NULL : &soon, FS_SCOPE_PRIVATE) ==
                ETIMEDOUT)
                fs_add_seq_cst(&ring->late, 1);
        }
        fs_add_seq_cst(&ring->turn, 1);
        fs_futex_wake(&ring->turn, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
    }
    return 0;
}

START_TEST(no_wake_is_lost_among_many_threads)
{
    struct ring ring = {.rounds = (unsigned)ROUNDS / THREADS};
    struct member members[THREADS];
    struct sleeper sleepers[THREADS];

    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (struct member){&ring, i};
        sleeper_start(&sleepers[i], pass_the_token, &members[i]);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(sleeper_join(&sleepers[i]), 0);
    ck_assert_uint_eq(fs_load_relaxed(&ring.turn), THREADS * ring.rounds);
}
END_TEST

/* Sleepers on one word are moved to another by many and woken there: wakes, moves and time-outs
   meet in all orders. */
struct shuttle {
    fs_word words[2];
    fs_word left;
};

static int ride(void *arg)
{
    struct shuttle *s = arg;

    for (int i = 0; i < ROUNDS / 20; i++) {
        struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, i % 2);

        fs_futex_wait_bitset(&s->words[i % 2], 0, 1u << i % 32, i % 5 ? &soon : NULL,
                             FS_SCOPE_PRIVATE);
    }
    fs_add_seq_cst(&s->left, 1);
    return 0;
}

START_TEST(wakes_moves_and_timeouts_meet)
{
    struct shuttle s = {.left = {0}};
    struct sleeper riders[THREADS];

    for (int i = 0; i < THREADS; i++)
        sleeper_start(&riders[i], ride, &s);
    while (fs_load_acquire(&s.left) != THREADS) {
        fs_futex_requeue(&s.words[0], &s.words[1], 1, 2, FS_SCOPE_PRIVATE, NULL);
        fs_futex_cmp_requeue(&s.words[1], &s.words[0], 0, 0, 1, FS_SCOPE_PRIVATE, NULL);
        fs_futex_wake_bitset(&s.words[1], 2, 0x55555555u, FS_SCOPE_PRIVATE);
        fs_futex_wake(&s.words[0], 1, FS_SCOPE_PRIVATE);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(sleeper_join(&riders[i]), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_ptr_eq(fs_generic_word_of(riders[i].thread), NULL);
}
END_TEST

static int wait_for_ever(void *arg)
{
    return fs_futex_wait(arg, 0, NULL, FS_SCOPE_PRIVATE);
}

static int wait_and_test(void *arg)
{
    fs_futex_wait(arg, 0, NULL, FS_SCOPE_PRIVATE);
    fs_store_release(arg, 2);
    pthread_testcancel();
    return 0;
}

START_TEST(a_wait_is_no_cancellation_point)
{
    fs_word w = {0};
    struct sleeper s;
    void *result;

    sleeper_put_to_sleep(&s, wait_and_test, &w);
    pthread_cancel(s.thread);
    ck_assert_int_eq(fs_futex_wake(&w, 1, FS_SCOPE_PRIVATE), 1);
    ck_assert_int_eq(pthread_join(s.thread, &result), 0);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    ck_assert_uint_eq(fs_load_acquire(&w), 2);
}
END_TEST

START_TEST(a_fork_child_finds_the_queues_empty_and_open)
{
    fs_word w = {0};
    struct sleeper s;
    int status;
    pid_t child;

    sleeper_put_to_sleep(&s, wait_for_ever, &w);
    child = fork();
    if (child == 0) {
        struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 1);

        if (fs_futex_wake(&w, 1, FS_SCOPE_PRIVATE) != 0)
            _exit(1);
        _exit(fs_futex_wait(&w, 0, &soon, FS_SCOPE_PRIVATE) == ETIMEDOUT ? 0 : 2);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(fs_futex_wake(&w, 1, FS_SCOPE_PRIVATE), 1);
    ck_assert_int_eq(sleeper_join(&s), 0);
}
END_TEST

static volatile sig_atomic_t children;

static void fork_a_child(int signal)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    children++;
}

/* The signals come by processor time, so in the middle of a wake as well. */
START_TEST(a_signal_handler_may_fork_amid_a_wake)
{
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    fs_word w = {0};

    signal(SIGVTALRM, fork_a_child);
    setitimer(ITIMER_VIRTUAL, &often, NULL);
    while (children < 100)
        fs_futex_wake(&w, 1, FS_SCOPE_PRIVATE);
    setitimer(ITIMER_VIRTUAL, &never, NULL);
}
END_TEST

static void fork_and_go_on(int signal)
{
    children = fork() == 0;
}

START_TEST(a_waiter_forked_by_a_handler_leaves_nobody_behind)
{
    struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 500);
    fs_word w = {0};
    struct itimerval once = {{0, 0}, {0, 100000}};
    int status;

    signal(SIGALRM, fork_and_go_on);
    children = 0;
    setitimer(ITIMER_REAL, &once, NULL);
    ck_assert_int_eq(fs_futex_wait(&w, 0, &soon, FS_SCOPE_PRIVATE), ETIMEDOUT);
    if (children)
        _exit(fs_futex_wake(&w, 1, FS_SCOPE_PRIVATE));
    ck_assert_int_gt(wait(&status), 0);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_shared_wait_notices_what_another_process_stores)
{
    fs_word *w = shared_page();
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(fs_futex_wait(w, 0, NULL, FS_SCOPE_SHARED) == EAGAIN ? 0 : 1);
    usleep(20000);
    fs_store_release(w, 1);
    fs_futex_wake(w, 1, FS_SCOPE_SHARED);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

static int own_id(void *arg)
{
    *(uint32_t *)arg = fs_system_thread_id();
    return *(uint32_t *)arg == fs_system_thread_id() ? 0 : 1;
}

START_TEST(each_thread_has_an_id_of_its_own)
{
    uint32_t mine = fs_system_thread_id(), ids[2];
    struct sleeper s;

    for (int i = 0; i < 2; i++) {
        sleeper_start(&s, own_id, &ids[i]);
        ck_assert_int_eq(sleeper_join(&s), 0);
        ck_assert_uint_ne(ids[i], 0);
        ck_assert_uint_ne(ids[i], mine);
    }
    ck_assert_uint_ne(ids[0], ids[1]);
}
END_TEST

START_TEST(it_says_what_it_has)
{
    for (int i = 0; i < FS_FEATURE_COUNT; i++) {
        bool has = i == FS_FEATURE_WAIT_BITSET || i == FS_FEATURE_REQUEUE ||
                   i == FS_FEATURE_WAKE_OP || i == FS_FEATURE_WAIT_ANY;

        ck_assert_int_eq(fs_system_has((enum fs_futex_feature)i), has);
        ck_assert_ptr_ne(fs_system_feature_name((enum fs_futex_feature)i), NULL);
    }
}
END_TEST

START_TEST(priority_inheritance_is_refused)
{
    fs_word w = {0}, from = {0};

    ck_assert_int_eq(QUIET(fs_futex_lock_pi(&w, NULL, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_trylock_pi(&w, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_unlock_pi(&w, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_wait_requeue_pi(&from, 0, &w, NULL, FS_SCOPE_PRIVATE)), ENOSYS);
    ck_assert_int_eq(QUIET(fs_futex_cmp_requeue_pi(&from, &w, 0, 1, FS_SCOPE_PRIVATE, NULL)),
                     ENOSYS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("generic backend");
    TCase *tests = tcase_create("generic");

    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, no_wake_is_lost_among_many_threads);
    tcase_add_test(tests, wakes_moves_and_timeouts_meet);
    tcase_add_test(tests, a_wait_is_no_cancellation_point);
    tcase_add_test(tests, a_fork_child_finds_the_queues_empty_and_open);
    tcase_add_test(tests, a_signal_handler_may_fork_amid_a_wake);
    tcase_add_test(tests, a_waiter_forked_by_a_handler_leaves_nobody_behind);
    tcase_add_test(tests, a_shared_wait_notices_what_another_process_stores);
    tcase_add_test(tests, each_thread_has_an_id_of_its_own);
    tcase_add_test(tests, it_says_what_it_has);
    tcase_add_test(tests, priority_inheritance_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
