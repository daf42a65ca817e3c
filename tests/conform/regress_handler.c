/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers in the middle of a wait or of a broadcast, each as the least program that showed
 * a fault of the library: a fork, and waiters that look up before the broadcaster has finished. The
 * ordinary cases are in cond_handler.c.
 */
#include "gate.h"

#include <sys/time.h>

#include "mutex_kinds.h"

enum { WAITERS = 5, ROUNDS = 300, PAGE = 4096 };

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};

/* ---- fork ---- */

static volatile pid_t child;
static volatile sig_atomic_t is_child;

static void fork_in_handler(int signal)
{
    pid_t pid = fork();
    if (pid == 0)
        is_child = signal;
    else
        child = pid;
}

START_TEST(a_child_forked_in_the_middle_of_a_wait_comes_out_of_it)
{
    struct sigaction action = {.sa_handler = fork_in_handler};
    struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    int error = 0;
    make_mutex(&mutex, &mutex_kinds[_i]);
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    struct timespec end = deadline_in_ms(CLOCK_REALTIME, 500);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    OK(pthread_mutex_lock(&mutex));
    while (error == 0 && !is_child)
        error = pthread_cond_timedwait(&cond, &mutex, &end);
    REQUIRE(error == 0 || error == ETIMEDOUT, "timedwait gives %d", error);
    OK(pthread_mutex_unlock(&mutex));
    if (is_child)
        _exit(0);
    ck_assert_int_eq(error, ETIMEDOUT);
    child_join(child);
}
END_TEST

/* ---- a storm of signals ---- */

static void do_nothing(int signal)
{
    (void)signal;
}

static int storm_is_over;
static struct thread *stormed;

static void *storm(void *unused)
{
    while (!__atomic_load_n(&storm_is_over, __ATOMIC_ACQUIRE)) {
        pthread_kill(stormed->id, SIGUSR1);
        usleep(20);
    }
    return unused;
}

static void begin_storm(struct thread *wind, struct thread *target)
{
    struct sigaction action = {.sa_handler = do_nothing};
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    stormed = target;
    thread_start(wind, storm, NULL);
}

static void end_storm(struct thread *wind)
{
    raise_flag(&storm_is_over, 1);
    thread_join(wind);
}

static int generation, arrived;

static void *wait_in_rounds(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    for (int round = 1; round <= ROUNDS; round++) {
        gate.waiting++;
        while (generation < round)
            OK(pthread_cond_wait(&cond, &mutex));
        gate.waiting--;
        __atomic_add_fetch(&arrived, 1, __ATOMIC_RELEASE);
    }
    OK(pthread_mutex_unlock(&mutex));
    while (!__atomic_load_n(&storm_is_over, __ATOMIC_ACQUIRE))
        sleep_ms(1); /* it has to exist as long as it is sent signals */
    return unused;
}

/* One of those signalled may look up before the broadcaster has got to the sleepers. */
START_TEST(a_waiter_that_handlers_interrupt_during_a_broadcast_leaves_nobody_behind)
{
    struct thread threads[WAITERS], wind;
    make_mutex(&mutex, &mutex_kinds[_i]);
    start_many(threads, WAITERS, wait_in_rounds, NULL);
    begin_storm(&wind, &threads[0]);
    for (int round = 1; round <= ROUNDS; round++) {
        gate_await_waiting(&gate, WAITERS);
        OK(pthread_mutex_lock(&mutex));
        generation = round;
        OK(pthread_mutex_unlock(&mutex));
        OK(pthread_cond_broadcast(&cond));
        wait_for_flag(&arrived, WAITERS * round);
    }
    end_storm(&wind);
    join_many(threads, WAITERS);
}
END_TEST

static pthread_mutex_t *brief;
static int begun, ended;

static void *wait_and_free_the_mutex(void *unused)
{
    for (int round = 1; round <= ROUNDS; round++) {
        wait_for_flag(&begun, round);
        OK(pthread_mutex_lock(brief));
        gate.waiting = 1;
        while (generation < round)
            OK(pthread_cond_wait(&cond, brief));
        OK(pthread_mutex_unlock(brief));
        OK(pthread_mutex_destroy(brief));
        REQUIRE(munmap(brief, PAGE) == 0, "munmap: %s", strerror(errno));
        raise_flag(&ended, round);
    }
    while (!__atomic_load_n(&storm_is_over, __ATOMIC_ACQUIRE))
        sleep_ms(1);
    return unused;
}

START_TEST(the_only_waiter_may_free_the_mutex_while_the_broadcast_still_runs)
{
    struct thread waiter, wind;
    thread_start(&waiter, wait_and_free_the_mutex, NULL);
    begin_storm(&wind, &waiter);
    for (int round = 1; round <= ROUNDS; round++) {
        brief = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(brief != MAP_FAILED, "mmap: %s", strerror(errno));
        make_mutex(brief, &mutex_kinds[_i]);
        gate.mutex = brief;
        gate.waiting = 0;
        raise_flag(&begun, round);
        gate_await_waiting(&gate, 1);
        OK(pthread_mutex_lock(brief));
        generation = round;
        OK(pthread_mutex_unlock(brief));
        OK(pthread_cond_broadcast(&cond));
        wait_for_flag(&ended, round);
    }
    end_storm(&wind);
    thread_join(&waiter);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regress_handler");
    TCase *tcase = conform_case(suite, "handler");
    /* The loop index of all is the kind of the mutex: private types, from 16 on inheriting. */
    for (int kinds = 0; kinds <= 16; kinds += 16) {
        tcase_add_loop_test(tcase, a_child_forked_in_the_middle_of_a_wait_comes_out_of_it, kinds,
                            kinds + 4);
        tcase_add_loop_test(
            tcase, a_waiter_that_handlers_interrupt_during_a_broadcast_leaves_nobody_behind, kinds,
            kinds + 1);
        tcase_add_loop_test(tcase,
                            the_only_waiter_may_free_the_mutex_while_the_broadcast_still_runs,
                            kinds, kinds + 1);
    }
    return conform_run(suite);
}
