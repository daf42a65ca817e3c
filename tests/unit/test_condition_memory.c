/* SPDX-License-Identifier: MIT */
/* Who may let go of a condition variable's memory and when, what a fork child finds, and that many
   threads at once lose no signal. */
#include "condition_place.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- memory --------------------------------------------------------------------------- */

static struct place *map_place(void)
{
    struct place *place =
        mmap(NULL, sizeof *place, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(place, MAP_FAILED);
    return place;
}

/* The loop index is the number of waiters. */
START_TEST(a_condition_variable_may_vanish_right_after_it_was_signalled)
{
    for (int round = 0; round < 20; round++) {
        struct place place = {.inside = 0};
        struct place *vanishing = map_place();
        struct waiter waiters[8];

        for (int i = 0; i < _i; i++) {
            waiters[i] = (struct waiter){
                .place = vanishing, .mutex = &place.mutex, .move = FS_MOVE_BY_OWNER};
            sleeper_put_to_sleep(&waiters[i].sleeper, wait_once, &waiters[i]);
        }
        lock(&place.mutex);
        if (round & 1)
            unlock(&place.mutex);
        if (_i == 1 && round & 2)
            fs_condition_signal(&vanishing->cond);
        else
            fs_condition_broadcast(&vanishing->cond);
        munmap(vanishing, sizeof *vanishing);
        if (!(round & 1))
            unlock(&place.mutex);
        expect_all_end(waiters, _i);
    }
}
END_TEST

/* The loop index: bit 0, with the mutex held; bit 1, whether the word tells its holder. */
START_TEST(the_last_waiter_may_free_condition_variable_and_mutex)
{
    for (int round = 0; round < 150; round++) {
        struct place *place = map_place();
        struct waiter waiters[4];

        place->unmap = true;
        for (int i = 0; i < 4; i++) {
            waiters[i] = (struct waiter){.place = place,
                                         .move = _i & 2 ? FS_MOVE_BY_OWNER : FS_MOVE_BY_MEMBER};
            sleeper_start(&waiters[i].sleeper, wait_once, &waiters[i]);
        }
        for (bool all = false; !all;) {
            lock(&place->mutex);
            all = place->inside == 4;
            if (all && _i & 1)
                fs_condition_broadcast(&place->cond);
            unlock(&place->mutex);
        }
        if (!(_i & 1))
            fs_condition_broadcast(&place->cond);
        expect_all_end(waiters, 4);
    }
}
END_TEST

static struct waiter *watched;

static void expect_watched_queued(void)
{
    ck_assert_uint_eq(state_of(watched), FS_SLOT_SLEEPING);
}

/* Once they are signalled they may go, and the mutex with them. The loop index: a broadcast. */
START_TEST(whose_the_mutex_is_is_asked_while_its_waiters_are_queued)
{
    struct place place = {.inside = 0};
    struct waiter w;

    put_to_sleep(&w, &place, FS_MOVE_BY_OWNER);
    watched = &w;
    when_asked_who_i_am = expect_watched_queued;
    if (_i)
        fs_condition_broadcast(&place.cond);
    else
        fs_condition_signal(&place.cond);
    when_asked_who_i_am = NULL;
    expect_end(&w, 0);
}
END_TEST

static int look_as_a_child(struct place *place)
{
    fs_groups_reset(); /* by a fork handler of the library's */
    fs_condition_broadcast(&place->cond);
    if (fs_load_relaxed(&place->cond.queued) != 0 || wakes_so_far() != 0)
        return 1;
    fs_condition_signal(&place->cond);
    return 0;
}

START_TEST(a_fork_child_has_no_waiters)
{
    struct place place = {.inside = 0};
    struct waiter waiters[3];
    int status;
    pid_t child;

    put_all_to_sleep(waiters, 3, &place, FS_MOVE_BY_MEMBER);
    child = fork();
    if (child == 0)
        _exit(look_as_a_child(&place));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    fs_condition_broadcast(&place.cond);
    expect_all_end(waiters, 3);
}
END_TEST

#ifndef FS_TEST_GENERIC
/* On a system where a fork wipes nothing. */
void *__wrap_fs_system_map_wiped(size_t size, bool *wiped);
void *__real_fs_system_map_wiped(size_t size, bool *wiped);

static bool fork_wipes_nothing;

void *__wrap_fs_system_map_wiped(size_t size, bool *wiped)
{
    void *memory;

    if (!fork_wipes_nothing)
        return __real_fs_system_map_wiped(size, wiped);
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *wiped = false;
    return memory == MAP_FAILED ? NULL : memory;
}

static fs_word forked; /* the child, in the parent */
static bool is_child;

/* The child may take ten seconds. */
static void fork_below_the_wait(int number)
{
    pid_t child = fork();

    is_child = child == 0;
    if (is_child) {
        signal(SIGALRM, SIG_DFL);
        alarm(10);
        fs_groups_reset(); /* as the library's handler does */
    } else {
        fs_store_release(&forked, (uint32_t)child);
    }
}

/* The wait ends there, and the next finds nobody. */
static int wait_and_fork(void *arg)
{
    struct waiter *w = arg;
    struct place *place = w->place;
    struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 1);
    int err = wait_once(w);

    if (!is_child)
        return err;
    *w = (struct waiter){.place = place, .move = w->move, .deadline = &soon};
    _exit(err != 0 || look_as_a_child(place) != 0 || wait_once(w) != ETIMEDOUT);
}

/* The loop index: 1, the wait has a deadline. */
START_TEST(a_fork_below_a_wait_ends_it_in_the_child)
{
    struct fs_deadline late = moment(FS_CLOCK_MONOTONIC, 100000);
    struct place place = {.inside = 0};
    struct waiter others[2];
    struct waiter w = {.place = &place, .move = FS_MOVE_BY_OWNER, .deadline = _i ? &late : NULL};
    pid_t child;
    int status;

    fork_wipes_nothing = true;
    signal(SIGUSR2, fork_below_the_wait);
    put_all_to_sleep(others, 2, &place, FS_MOVE_BY_OWNER);
    sleeper_put_to_sleep(&w.sleeper, wait_and_fork, &w);
    pthread_kill(w.sleeper.thread, SIGUSR2);
    EVENTUALLY((child = (pid_t)fs_load_acquire(&forked)) != 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    fs_condition_broadcast(&place.cond);
    expect_all_end(others, 2);
    expect_end(&w, 0);
}
END_TEST
#endif

/* ---- many ------------------------------------------------------------------------------ */

#define CROWD 6
#define TOKENS 4000

struct bank {
    struct place place;
    enum fs_move move;
    long tokens; /* guarded by the mutex, as the rest */
    long taken;
};

static int take_tokens(void *arg)
{
    struct bank *bank = arg;
    struct waiter w = {.move = bank->move};
    uint32_t seed = __real_fs_system_thread_id();

    lock(&bank->place.mutex);
    while (bank->taken < TOKENS) {
        struct fs_deadline soon = moment(FS_CLOCK_MONOTONIC, 1);

        if (bank->tokens == 0) {
            seed = seed * 1103515245 + 12345;
            w.deadline = seed & 0x30000 ? NULL : &soon;
            wait_on(&bank->place.cond, &bank->place.mutex, &w);
            continue;
        }
        bank->tokens--;
        if (++bank->taken == TOKENS)
            fs_condition_broadcast(&bank->place.cond);
    }
    unlock(&bank->place.mutex);
    return 0;
}

/* The loop index: bits 0 and 1 how members move, bit 2 spinning, bit 3 signals by the holder. */
START_TEST(no_signal_is_lost_among_timeouts_and_broadcasts)
{
    struct bank bank = {.move = (enum fs_move)(_i & 3)};
    struct sleeper threads[CROWD];

    fs_settings.spin = _i & 4 ? FS_SPIN_DEFAULT : 0;
    for (int i = 0; i < CROWD; i++)
        sleeper_start(&threads[i], take_tokens, &bank);
    for (int i = 0; i < TOKENS; i++) {
        lock(&bank.place.mutex);
        bank.tokens++;
        if (_i & 8)
            fs_condition_signal(&bank.place.cond);
        unlock(&bank.place.mutex);
        if (i % 97 == 0)
            fs_condition_broadcast(&bank.place.cond);
        else if (!(_i & 8))
            fs_condition_signal(&bank.place.cond);
    }
    for (int i = 0; i < CROWD; i++)
        sleeper_join(&threads[i]);
    ck_assert_int_eq(bank.tokens, 0);
    ck_assert_int_eq(bank.taken, TOKENS);
}
END_TEST

static TCase *memory_case(void)
{
    TCase *tests = tcase_create("memory");

    tcase_add_loop_test(tests, a_condition_variable_may_vanish_right_after_it_was_signalled, 1, 9);
    tcase_add_loop_test(tests, the_last_waiter_may_free_condition_variable_and_mutex, 0, 4);
    tcase_add_loop_test(tests, whose_the_mutex_is_is_asked_while_its_waiters_are_queued, 0, 2);
    tcase_add_test(tests, a_fork_child_has_no_waiters);
#ifdef FS_TEST_GENERIC
    printf(
        "SKIP a_fork_below_a_wait_ends_it_in_the_child: a handler ends no wait of that backend\n");
#else
    tcase_add_loop_test(tests, a_fork_below_a_wait_ends_it_in_the_child, 0, 2);
#endif
    tcase_add_loop_test(tests, no_signal_is_lost_among_timeouts_and_broadcasts, 0, 16);
    return tests;
}

int main(void)
{
    TCase *cases[] = {memory_case()};

    return run_condition_cases("condition memory", cases, 1);
}
