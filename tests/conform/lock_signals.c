/* SPDX-License-Identifier: MIT */
/*
 * Handlers that interrupt a wait for a lock: reader-writer locks, C11 mutexes and priority
 * ceilings, each by every call that can wait. Two signals take turns, one with SA_RESTART: no call
 * gives EINTR, changes errno, comes back early or forgets its deadline. The other mutexes are
 * mutex_signal.c's, condition variables cond_signals.c's.
 */
#include "lock_calls.h"

enum { FIRST = MUTEX_PP_KINDS_BEGIN, ROUNDS = 4, TRIES = 5 };

static int handled;
static long deadline_ms = 40;

static void count_signal(int number)
{
    (void)number;
    __atomic_add_fetch(&handled, 1, __ATOMIC_ACQ_REL);
}

static void install(void)
{
    struct sigaction plain = {.sa_handler = count_signal};
    struct sigaction restart = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    ck_assert_int_eq(sigaction(SIGUSR1, &plain, NULL), 0);
    ck_assert_int_eq(sigaction(SIGUSR2, &restart, NULL), 0);
}

struct taker {
    struct thread thread;
    enum lock_way way;
    int ended;
};

static void *get_it(void *argument)
{
    struct taker *t = argument;
    struct timespec until = deadline_in_ms(lock_clock(t->way), 50000);
    OK(lock_by(t->way, &until));
    OK(lock_release());
    return NULL;
}

static void *time_out(void *argument)
{
    struct taker *t = argument;
    struct timespec until = deadline_in_ms(lock_clock(t->way), deadline_ms);
    EXPECT(lock_by(t->way, &until), ETIMEDOUT);
    REQUIRE(deadline_passed(lock_clock(t->way), until), "%s: way %d is early", conform_context,
            t->way);
    raise_flag(&t->ended, 1);
    while (__atomic_load_n(&t->ended, __ATOMIC_ACQUIRE) == 1)
        sleep_ms(1); /* it has to exist as long as it is sent signals */
    return NULL;
}

static int start_takers(struct taker *takers, enum lock_way first, void *(*body)(void *))
{
    int n = 0;
    for (enum lock_way way = first; way < LOCK_WAYS; way++) {
        if (!lock_has_way(way))
            continue;
        takers[n] = (struct taker){.way = way};
        thread_start(&takers[n].thread, body, &takers[n]);
        n++;
    }
    return n;
}

#define MAKE_OR_SKIP(index)                                                                        \
    do {                                                                                           \
        if (!lock_make(index))                                                                     \
            SKIP_TEST("real-time scheduling is not permitted here");                               \
    } while (0)

START_TEST(handlers_do_not_end_a_wait)
{
    struct taker takers[LOCK_WAYS];
    install();
    MAKE_OR_SKIP(_i);
    lock_hold();
    int n = start_takers(takers, BY_LOCK, get_it);
    for (int round = 0; round <= ROUNDS; round++) {
        for (int i = 0; i < n; i++)
            wait_until_asleep(takers[i].thread.tid);
        for (int i = 0; round < ROUNDS && i < n; i++)
            OK(pthread_kill(takers[i].thread.id, round % 2 ? SIGUSR2 : SIGUSR1));
        if (round < ROUNDS)
            wait_for_flag(&handled, (round + 1) * n);
    }
    OK(lock_release());
    for (int i = 0; i < n; i++)
        thread_join(&takers[i].thread);
    ck_assert_int_eq(handled, ROUNDS * n);
    lock_destroy();
}
END_TEST

/* False when the takers were at their ends before they could be sent signals. */
static bool disturb_until_the_deadline(void)
{
    struct taker takers[LOCK_WAYS];
    raise_flag(&handled, 0);
    int n = start_takers(takers, BY_TIMEDLOCK, time_out);
    for (int i = 0, number = 0; i < n; i++)
        for (; !__atomic_load_n(&takers[i].ended, __ATOMIC_ACQUIRE); sleep_ms(1), number++)
            for (int k = 0; k < n; k++)
                OK(pthread_kill(takers[k].thread.id, number % 2 ? SIGUSR2 : SIGUSR1));
    for (int i = 0; i < n; i++) {
        raise_flag(&takers[i].ended, 2);
        thread_join(&takers[i].thread);
    }
    return __atomic_load_n(&handled, __ATOMIC_ACQUIRE) > n;
}

START_TEST(handlers_neither_shorten_nor_forget_a_deadline)
{
    install();
    MAKE_OR_SKIP(_i);
    lock_hold();
    for (int tries = 0; !disturb_until_the_deadline(); tries++, deadline_ms *= 3)
        ck_assert_int_lt(tries, TRIES);
    OK(lock_release());
    lock_destroy();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock_signals");
    TCase *tcase = conform_case(suite, "signals");
    tcase_add_loop_test(tcase, handlers_do_not_end_a_wait, FIRST, LOCK_KINDS);
    tcase_add_loop_test(tcase, handlers_neither_shorten_nor_forget_a_deadline, FIRST, LOCK_KINDS);
    return conform_run(suite);
}
