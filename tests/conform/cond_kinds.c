/* SPDX-License-Identifier: MIT */
/*
 * One condition variable with every kind of mutex: errorcheck, recursive, robust, priority
 * inheriting, process-shared, and private and shared mixed; an owner that dies while others
 * wait; and two mutexes in turn. Waits across processes are left to cond_shared.
 */
#include "gate.h"

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};

struct kind {
    int type, robust, protocol, shared;
    int cond_shared;
};

#define NORMAL PTHREAD_MUTEX_NORMAL
#define RECURSIVE PTHREAD_MUTEX_RECURSIVE
#define ERRORCHECK PTHREAD_MUTEX_ERRORCHECK
#define ADAPTIVE PTHREAD_MUTEX_ADAPTIVE_NP
#define ROBUST PTHREAD_MUTEX_ROBUST
#define INHERIT PTHREAD_PRIO_INHERIT
#define SHARED PTHREAD_PROCESS_SHARED

/* Every type with every protocol, robustness and scope, and both scopes of condition variable. */
static const int types[] = {NORMAL, RECURSIVE, ERRORCHECK, ADAPTIVE};
#define KIND_COUNT (4 * 2 * 2 * 2 * 2)

static struct kind kind_number(int i)
{
    return (struct kind){.type = types[i & 3],
                         .robust = i & 4 ? ROBUST : PTHREAD_MUTEX_STALLED,
                         .protocol = i & 8 ? INHERIT : PTHREAD_PRIO_NONE,
                         .shared = i & 16 ? SHARED : PTHREAD_PROCESS_PRIVATE,
                         .cond_shared = i & 32 ? SHARED : PTHREAD_PROCESS_PRIVATE};
}

static void init_mutex(pthread_mutex_t *m, struct kind kind)
{
    pthread_mutexattr_t attr;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_settype(&attr, kind.type));
    OK(pthread_mutexattr_setrobust(&attr, kind.robust));
    OK(pthread_mutexattr_setprotocol(&attr, kind.protocol));
    OK(pthread_mutexattr_setpshared(&attr, kind.shared));
    OK(pthread_mutex_init(m, &attr));
    OK(pthread_mutexattr_destroy(&attr));
}

static void init_cond(pthread_cond_t *c, struct kind kind)
{
    pthread_condattr_t attr;
    OK(pthread_condattr_init(&attr));
    OK(pthread_condattr_setpshared(&attr, kind.cond_shared));
    OK(pthread_cond_init(c, &attr));
    OK(pthread_condattr_destroy(&attr));
}

static void *try_from_elsewhere(void *argument)
{
    int error = pthread_mutex_trylock(argument);
    if (error == 0)
        pthread_mutex_unlock(argument);
    return (void *)(long)error;
}

static int state_of(pthread_mutex_t *m)
{
    return (int)(long)in_thread(try_from_elsewhere, m);
}

static void time_out_with(pthread_mutex_t *m, pthread_cond_t *c, long ms)
{
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, ms);
    int error;
    do {
        error = pthread_cond_clockwait(c, m, CLOCK_MONOTONIC, &deadline);
    } while (error == 0);
    ck_assert_int_eq(error, ETIMEDOUT);
    ck_assert(deadline_passed(CLOCK_MONOTONIC, deadline));
}

START_TEST(every_kind_of_mutex_with_both_scopes)
{
    struct kind kind = kind_number(_i);
    struct thread t[6];
    init_mutex(&mutex, kind);
    init_cond(&cond, kind);
    OK(pthread_mutex_lock(&mutex));
    time_out_with(&mutex, &cond, 3);
    ck_assert_int_eq(state_of(&mutex), EBUSY);
    OK(pthread_mutex_unlock(&mutex));
    start_many(t, 6, gate_take, &gate);
    gate_await_waiting(&gate, 6);
    gate_put(&gate, 1, pthread_cond_signal, GATE_HELD);
    gate_await_taken(&gate, 1);
    gate_put(&gate, 1, pthread_cond_signal, GATE_RELEASED);
    gate_await_taken(&gate, 2);
    gate_put(&gate, 2, pthread_cond_broadcast, GATE_HELD);
    gate_await_taken(&gate, 4);
    gate_await_waiting(&gate, 2);
    gate_put(&gate, 2, pthread_cond_broadcast, GATE_RELEASED);
    join_many(t, 6);
    ck_assert_int_eq(gate.taken, 6);
    ck_assert_int_eq(state_of(&mutex), 0);
    OK(pthread_cond_destroy(&cond));
    OK(pthread_mutex_destroy(&mutex));
}
END_TEST

START_TEST(a_mutex_of_nobody_gives_EPERM)
{
    static const struct kind kinds[] = {{.type = ERRORCHECK},
                                        {.type = RECURSIVE},
                                        {.type = ERRORCHECK, .shared = SHARED},
                                        {.type = NORMAL, .robust = ROBUST},
                                        {.type = NORMAL, .protocol = INHERIT},
                                        {.type = RECURSIVE, .protocol = INHERIT},
                                        {.type = ERRORCHECK, .robust = ROBUST, .shared = SHARED},
                                        {.type = NORMAL, .robust = ROBUST, .protocol = INHERIT}};
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 1000000);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        pthread_mutex_t m;
        init_mutex(&m, kinds[i]);
        EXPECT(pthread_cond_wait(&cond, &m), EPERM);
        EXPECT(pthread_cond_timedwait(&cond, &m, &deadline), EPERM);
        EXPECT(pthread_cond_clockwait(&cond, &m, CLOCK_REALTIME, &deadline), EPERM);
        OK(pthread_mutex_lock(&m));
        OK(pthread_mutex_unlock(&m));
        OK(pthread_mutex_destroy(&m));
    }
    OK(pthread_cond_signal(&cond));
    OK(pthread_cond_destroy(&cond));
}
END_TEST

static void *wait_with_a_strangers_mutex(void *argument)
{
    EXPECT(pthread_cond_wait(&cond, argument), EPERM);
    return NULL;
}

START_TEST(a_mutex_of_another_thread_gives_EPERM)
{
    static const struct kind kinds[] = {{.type = ERRORCHECK},
                                        {.type = RECURSIVE},
                                        {.type = NORMAL, .robust = ROBUST},
                                        {.type = NORMAL, .protocol = INHERIT}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        pthread_mutex_t m;
        init_mutex(&m, kinds[i]);
        OK(pthread_mutex_lock(&m));
        in_thread(wait_with_a_strangers_mutex, &m);
        ck_assert_int_eq(state_of(&m), EBUSY);
        OK(pthread_mutex_unlock(&m));
        OK(pthread_mutex_destroy(&m));
    }
}
END_TEST

START_TEST(a_mutex_locked_twice_stays_locked_through_a_timed_wait)
{
    for (int protocol = 0; protocol < 2; protocol++) {
        init_mutex(&mutex, (struct kind){.type = RECURSIVE, .protocol = protocol ? INHERIT : 0});
        OK(pthread_mutex_lock(&mutex));
        OK(pthread_mutex_lock(&mutex));
        time_out_with(&mutex, &cond, 10);
        ck_assert_int_eq(state_of(&mutex), EBUSY);
        OK(pthread_mutex_unlock(&mutex));
        ck_assert_int_eq(state_of(&mutex), EBUSY);
        OK(pthread_mutex_unlock(&mutex));
        ck_assert_int_eq(state_of(&mutex), 0);
        EXPECT(pthread_mutex_unlock(&mutex), EPERM);
    }
}
END_TEST

static void *wait_at_depth_2(void *argument)
{
    OK(pthread_mutex_lock(&mutex));
    OK(pthread_mutex_lock(&mutex));
    raise_flag(argument, 1);
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 10000000);
    OK(pthread_cond_timedwait(&cond, &mutex, &deadline));
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

START_TEST(a_signal_without_the_mutex_reaches_a_waiter_at_depth_2)
{
    int flag = 0;
    struct thread t;
    init_mutex(&mutex,
               (struct kind){.type = RECURSIVE, .protocol = _i & 2 ? INHERIT : PTHREAD_PRIO_NONE});
    thread_start(&t, wait_at_depth_2, &flag);
    wait_for_flag(&flag, 1);
    wait_until_asleep(t.tid);
    EXPECT(pthread_mutex_trylock(&mutex), EBUSY);
    OK(_i & 1 ? pthread_cond_signal(&cond) : pthread_cond_broadcast(&cond));
    thread_join(&t);
    ck_assert_int_eq(state_of(&mutex), 0);
}
END_TEST

/* ---- the owner dies ---- */

static const struct kind robust_kinds[] = {
    {.type = NORMAL, .robust = ROBUST},
    {.type = RECURSIVE, .robust = ROBUST, .shared = SHARED},
    {.type = NORMAL, .robust = ROBUST, .protocol = INHERIT},
    {.type = ERRORCHECK, .robust = ROBUST, .protocol = INHERIT, .shared = SHARED},
    {.type = NORMAL, .robust = ROBUST, .cond_shared = SHARED},
};

static int owner_deaths;

static void *take_after_a_death(void *argument)
{
    struct gate *g = argument;
    OK(pthread_mutex_lock(g->mutex));
    g->waiting++;
    while (g->tokens == 0) {
        int error = pthread_cond_wait(g->cond, g->mutex);
        if (error == EOWNERDEAD) {
            owner_deaths++;
            OK(pthread_mutex_consistent(g->mutex));
        } else {
            ck_assert_int_eq(error, 0);
        }
    }
    g->tokens--;
    g->taken++;
    OK(pthread_mutex_unlock(g->mutex));
    return NULL;
}

static void *wake_and_die_holding(void *argument)
{
    struct gate *g = argument;
    OK(pthread_mutex_lock(g->mutex));
    g->tokens = g->waiting;
    OK(g->tokens == 1 ? pthread_cond_signal(g->cond) : pthread_cond_broadcast(g->cond));
    return NULL;
}

START_TEST(an_owner_that_dies_makes_the_wait_return_EOWNERDEAD)
{
    struct thread t[8];
    for (int n = 1; n <= 8; n += 7) {
        gate = (struct gate){.mutex = &mutex, .cond = &cond};
        owner_deaths = 0;
        init_mutex(&mutex, robust_kinds[_i]);
        init_cond(&cond, robust_kinds[_i]);
        start_many(t, n, take_after_a_death, &gate);
        gate_await_waiting(&gate, n);
        in_thread(wake_and_die_holding, &gate);
        join_many(t, n);
        ck_assert_int_eq(owner_deaths, 1);
        ck_assert_int_eq(gate.taken, n);
        ck_assert_int_eq(state_of(&mutex), 0);
        OK(pthread_cond_destroy(&cond));
        OK(pthread_mutex_destroy(&mutex));
    }
}
END_TEST

static void *die_holding(void *argument)
{
    OK(pthread_mutex_lock(argument));
    return NULL;
}

START_TEST(an_inconsistent_mutex_given_to_a_wait_becomes_ENOTRECOVERABLE)
{
    init_mutex(&mutex, robust_kinds[_i]);
    in_thread(die_holding, &mutex);
    EXPECT(pthread_mutex_lock(&mutex), EOWNERDEAD);
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 20);
    EXPECT(pthread_cond_timedwait(&cond, &mutex, &deadline), ENOTRECOVERABLE);
    EXPECT(pthread_mutex_trylock(&mutex), ENOTRECOVERABLE);
}
END_TEST

static void *lock_after_the_deadline(void *argument)
{
    OK(pthread_mutex_lock(&mutex));
    raise_flag(argument, 1);
    sleep_ms(150);
    return NULL;
}

START_TEST(an_owner_that_dies_after_the_deadline_gives_EOWNERDEAD_as_well)
{
    int flag = 0;
    struct thread t;
    init_mutex(&mutex, robust_kinds[_i]);
    OK(pthread_mutex_lock(&mutex));
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 80);
    thread_start(&t, lock_after_the_deadline, &flag);
    int error;
    while ((error = pthread_cond_timedwait(&cond, &mutex, &deadline)) == 0) {
    }
    /* On a slow machine the thread may lock only after this wait has timed out. */
    if (__atomic_load_n(&flag, __ATOMIC_ACQUIRE)) {
        ck_assert_int_eq(error, EOWNERDEAD);
        OK(pthread_mutex_consistent(&mutex));
    } else {
        ck_assert_int_eq(error, ETIMEDOUT);
    }
    OK(pthread_mutex_unlock(&mutex));
    thread_join(&t);
}
END_TEST

/* ---- two mutexes on one condition variable ---- */

START_TEST(one_condition_variable_serves_two_mutexes_in_turn)
{
    pthread_mutex_t m[3];
    struct thread t[4];
    init_mutex(&m[0], (struct kind){.type = NORMAL});
    init_mutex(&m[1], (struct kind){.type = RECURSIVE});
    init_mutex(&m[2], (struct kind){.type = NORMAL, .protocol = INHERIT});
    for (int round = 0; round < 30; round++) {
        gate = (struct gate){.mutex = &m[round % 3], .cond = &cond};
        start_many(t, 4, gate_take, &gate);
        gate_await_waiting(&gate, 4);
        gate_put(&gate, 1, pthread_cond_signal, round / 3 % 2);
        gate_put(&gate, 3, pthread_cond_broadcast, round / 6 % 2);
        join_many(t, 4);
        ck_assert_int_eq(gate.taken, 4);
    }
    OK(pthread_cond_destroy(&cond));
}
END_TEST

int main(void)
{
    const int robust_count = (int)COUNT_OF(robust_kinds);
    Suite *suite = suite_create("cond_kinds");
    TCase *tcase = conform_case(suite, "kinds");
    tcase_add_loop_test(tcase, every_kind_of_mutex_with_both_scopes, 0, KIND_COUNT);
    tcase_add_test(tcase, a_mutex_of_nobody_gives_EPERM);
    tcase_add_test(tcase, a_mutex_of_another_thread_gives_EPERM);
    tcase_add_test(tcase, a_mutex_locked_twice_stays_locked_through_a_timed_wait);
    tcase_add_loop_test(tcase, a_signal_without_the_mutex_reaches_a_waiter_at_depth_2, 0, 4);
    tcase_add_test(tcase, one_condition_variable_serves_two_mutexes_in_turn);
    tcase = conform_case(suite, "death");
    tcase_add_loop_test(tcase, an_owner_that_dies_makes_the_wait_return_EOWNERDEAD, 0,
                        robust_count);
    tcase_add_loop_test(tcase, an_inconsistent_mutex_given_to_a_wait_becomes_ENOTRECOVERABLE, 0,
                        robust_count);
    tcase_add_loop_test(tcase, an_owner_that_dies_after_the_deadline_gives_EOWNERDEAD_as_well, 0,
                        robust_count);
    return conform_run(suite);
}
