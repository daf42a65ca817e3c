/* SPDX-License-Identifier: MIT */
/*
 * Where plausible condition variables break although every ordinary test passes: a broadcast that
 * moves waiters to a mutex that is being released, a debt that nobody pays after a signal under the
 * mutex, memory that goes while a waiter times out, and two mutexes at once.
 */
#include "gate.h"

#include "mutex_kinds.h"

enum { ROUNDS = 300, WAITERS = 6, PAGE = 4096 };

static pthread_mutex_t mutex, second_mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, shared_cond;
static struct gate gate = {.mutex = &mutex, .cond = &cond};
static struct gate second = {.mutex = &second_mutex, .cond = &cond};

static void make_shared_cond(void)
{
    pthread_condattr_t attr;
    OK(pthread_condattr_init(&attr));
    OK(pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
    OK(pthread_cond_init(&shared_cond, &attr));
    OK(pthread_condattr_destroy(&attr));
}

/* ---- a broadcast against the holder's unlock ---- */

static pthread_barrier_t start;

static void *hold_and_let_go(void *unused)
{
    for (int round = 0; round < ROUNDS; round++) {
        OK(pthread_mutex_lock(&mutex));
        pthread_barrier_wait(&start);
        for (volatile int i = 0; i < round % 50 * 20; i++) {
        }
        OK(pthread_mutex_unlock(&mutex));
        pthread_barrier_wait(&start);
    }
    return unused;
}

static int generation, arrived;

static void *wait_in_rounds(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    for (int round = 1; round <= ROUNDS; round++) {
        gate.waiting++;
        while (__atomic_load_n(&generation, __ATOMIC_RELAXED) < round)
            OK(pthread_cond_wait(&cond, &mutex));
        gate.waiting--;
        __atomic_add_fetch(&arrived, 1, __ATOMIC_RELAXED);
    }
    OK(pthread_mutex_unlock(&mutex));
    return unused;
}

/* The broadcaster does not hold the mutex; its holder leaves at the same moment, and nobody uses
 * the mutex afterwards: a waiter that was moved there too late would sleep for ever. */
START_TEST(a_broadcast_at_the_moment_of_the_holders_unlock_strands_nobody)
{
    struct thread threads[WAITERS], holder;
    make_mutex(&mutex, &mutex_kinds[_i]);
    OK(pthread_barrier_init(&start, NULL, 2));
    start_many(threads, WAITERS, wait_in_rounds, NULL);
    gate_await_waiting(&gate, WAITERS);
    thread_start(&holder, hold_and_let_go, NULL);
    for (int round = 1; round <= ROUNDS; round++) {
        pthread_barrier_wait(&start);
        /* Without the mutex: its holder does not look, and those who wait look when they have it.
         */
        __atomic_store_n(&generation, round, __ATOMIC_RELAXED);
        OK(pthread_cond_broadcast(&cond));
        while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < WAITERS * round)
            sched_yield();
        if (round < ROUNDS)
            gate_await_waiting(&gate, WAITERS);
        pthread_barrier_wait(&start);
    }
    thread_join(&holder);
    join_many(threads, WAITERS);
}
END_TEST

/* ---- signalled under a mutex that is released in another way ---- */

static void *unlock_it(void *unused)
{
    OK(pthread_mutex_unlock(&mutex));
    return unused;
}

static void signal_and_hold(void)
{
    OK(pthread_mutex_lock(&mutex));
    gate.tokens++;
    OK(pthread_cond_signal(&cond));
}

START_TEST(a_signalled_waiter_runs_when_the_mutex_is_released_by_a_process_shared_wait)
{
    struct thread waiter;
    make_mutex(&mutex, &mutex_kinds[_i]);
    make_shared_cond();
    thread_start(&waiter, gate_take, &gate);
    gate_await_waiting(&gate, 1);
    signal_and_hold();
    while (gate.taken == 0) {
        struct timespec soon = deadline_in_ms(CLOCK_REALTIME, 20);
        EXPECT(pthread_cond_timedwait(&shared_cond, &mutex, &soon), ETIMEDOUT);
    }
    OK(pthread_mutex_unlock(&mutex));
    thread_join(&waiter);
    OK(pthread_cond_destroy(&shared_cond));
}
END_TEST

START_TEST(a_signalled_waiter_runs_when_another_thread_unlocks)
{
    struct thread waiter;
    make_mutex(&mutex, &mutex_kinds[_i]);
    thread_start(&waiter, gate_take, &gate);
    for (int round = 0; round < repeats(50); round++) {
        gate_await_waiting(&gate, 1);
        signal_and_hold();
        in_thread(unlock_it, NULL);
        gate_await_taken(&gate, round + 1);
        thread_join(&waiter);
        thread_start(&waiter, gate_take, &gate);
    }
    gate_put(&gate, 1, pthread_cond_signal, GATE_HELD);
    thread_join(&waiter);
}
END_TEST

static void *signal_and_die(void *notify)
{
    OK(pthread_mutex_lock(&mutex));
    gate.tokens++;
    OK((*(int (**)(pthread_cond_t *))notify)(&cond));
    return NULL;
}

static void *inherit_in_wait(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    gate.waiting++;
    EXPECT(pthread_cond_wait(&cond, &mutex), EOWNERDEAD);
    OK(pthread_mutex_consistent(&mutex));
    OK(pthread_mutex_unlock(&mutex));
    return unused;
}

START_TEST(a_signalled_waiter_inherits_when_the_signaller_dies_with_the_mutex)
{
    static int (*notifications[])(pthread_cond_t *) = {pthread_cond_signal, pthread_cond_broadcast};
    for (int i = 0; i < 2; i++) {
        struct thread waiter;
        make_mutex(&mutex, &mutex_kinds[_i]);
        gate.waiting = 0;
        thread_start(&waiter, inherit_in_wait, NULL);
        gate_await_waiting(&gate, 1);
        in_thread(signal_and_die, &notifications[i]);
        thread_join(&waiter);
    }
}
END_TEST

/* ---- memory that goes while a waiter gives up ---- */

static pthread_cond_t *brief;
static int inside, opened;

static void *wait_briefly(void *us)
{
    pthread_cond_t *mine = brief;
    struct timespec end = time_on(CLOCK_REALTIME);
    end.tv_nsec += *(long *)us * 1000;
    end.tv_sec += end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    OK(pthread_mutex_lock(&mutex));
    int error = opened ? 0 : pthread_cond_timedwait(mine, &mutex, &end);
    REQUIRE(error == 0 || error == ETIMEDOUT, "timedwait gives %d", error);
    inside--;
    OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

START_TEST(a_waiter_that_gives_up_as_the_memory_goes_touches_nothing)
{
    struct thread threads[WAITERS];
    long us[WAITERS];
    make_mutex(&mutex, &mutex_kinds[_i]);
    for (int round = 0; round < ROUNDS; round += ROUNDS / repeats(ROUNDS)) {
        brief = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(brief != MAP_FAILED, "mmap: %s", strerror(errno));
        OK(pthread_cond_init(brief, NULL));
        inside = WAITERS;
        opened = 0;
        for (int i = 0; i < WAITERS; i++) {
            us[i] = 500 + 10 * i;
            thread_start(&threads[i], wait_briefly, &us[i]);
        }
        for (volatile int i = 0; i < round * 100; i++) {
        }
        OK(pthread_mutex_lock(&mutex));
        opened = 1;
        OK(pthread_cond_broadcast(brief));
        OK(pthread_cond_destroy(brief));
        REQUIRE(munmap(brief, PAGE) == 0, "munmap: %s", strerror(errno));
        OK(pthread_mutex_unlock(&mutex));
        join_many(threads, WAITERS);
        ck_assert_int_eq(inside, 0);
    }
}
END_TEST

/* ---- two mutexes at once ---- */

/* POSIX forbids it, glibc bears it: each waiter comes back with its own mutex held. */
START_TEST(a_broadcast_reaches_waiters_with_two_mutexes_at_once)
{
    struct thread one[WAITERS], other[WAITERS];
    make_mutex(&mutex, &mutex_kinds[_i]);
    make_mutex(&second_mutex, &mutex_kinds[_i]);
    for (int round = 0; round < repeats(50); round++) {
        start_many(one, WAITERS, gate_take, &gate);
        start_many(other, WAITERS, gate_take, &second);
        gate_await_waiting(&gate, WAITERS);
        gate_await_waiting(&second, WAITERS);
        OK(pthread_mutex_lock(&second_mutex));
        second.tokens = WAITERS;
        OK(pthread_mutex_lock(&mutex));
        gate.tokens = WAITERS;
        OK(pthread_cond_broadcast(&cond));
        OK(pthread_mutex_unlock(&mutex));
        join_many(one, WAITERS);
        OK(pthread_mutex_unlock(&second_mutex));
        join_many(other, WAITERS);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("break_condition");
    TCase *tcase = conform_case(suite, "condition");
    tcase_add_loop_test(tcase, a_broadcast_at_the_moment_of_the_holders_unlock_strands_nobody, 0,
                        4);
    tcase_add_loop_test(
        tcase, a_signalled_waiter_runs_when_the_mutex_is_released_by_a_process_shared_wait, 0, 4);
    tcase_add_test(tcase, a_signalled_waiter_runs_when_another_thread_unlocks);
    tcase_add_loop_test(tcase, a_signalled_waiter_inherits_when_the_signaller_dies_with_the_mutex,
                        8, 16);
    tcase_add_loop_test(tcase, a_waiter_that_gives_up_as_the_memory_goes_touches_nothing, 0, 2);
    tcase_add_loop_test(tcase, a_broadcast_reaches_waiters_with_two_mutexes_at_once, 0, 8);
    return conform_run(suite);
}
