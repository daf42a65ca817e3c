/* SPDX-License-Identifier: MIT */
/*
 * A private mutex that begins to be used with a process-shared condition variable while other
 * threads hammer every lock call on it and others wait on a private condition variable with it:
 * from one moment to the next two implementations may work on the same word, and must agree who is
 * in.
 */
#include "conform.h"

#include "mutex_kinds.h"

enum { HAMMERS = 4, ROUNDS = 100, TURNS = 10 };

static pthread_mutex_t mutex;
static pthread_cond_t shared_cond, private_cond;
static volatile long counter;
static long expected, turns;
static int stop;

static void count_inside(void)
{
    long seen = counter;
    for (volatile int i = 0; i < 20; i++) {
    }
    REQUIRE(counter == seen, "%s: two threads are inside", conform_context);
    counter = seen + 1;
    expected++;
}

static int take(unsigned way)
{
    struct timespec real = deadline_in_ms(CLOCK_REALTIME, way % 2 ? 1 : 60000);
    struct timespec mono = deadline_in_ms(CLOCK_MONOTONIC, way % 2 ? 0 : 60000);
    switch (way % 8) {
    case 0:
    case 1:
        return pthread_mutex_trylock(&mutex);
    case 2:
    case 3:
        return pthread_mutex_timedlock(&mutex, &real);
    case 4:
    case 5:
        return pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &mono);
    default:
        return pthread_mutex_lock(&mutex);
    }
}

static void *hammer(void *unused)
{
    for (unsigned way = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); way++) {
        int error = take(way);
        if (error == 0) {
            count_inside();
            OK(pthread_mutex_unlock(&mutex));
        } else {
            REQUIRE(error == EBUSY || error == ETIMEDOUT, "%s: a lock call gives %d",
                    conform_context, error);
        }
        if (way % 8 == 7)
            usleep(20); /* so that the others get their turn, however unfair the mutex */
    }
    return unused;
}

static void *wait_privately(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    for (long last = -1; last < TURNS;) {
        while (turns == last)
            OK(pthread_cond_wait(&private_cond, &mutex));
        last = turns;
        count_inside();
    }
    OK(pthread_mutex_unlock(&mutex));
    return unused;
}

static void *wait_shared(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    while (turns < TURNS) {
        long before = turns;
        count_inside();
        while (turns == before)
            OK(pthread_cond_wait(&shared_cond, &mutex));
    }
    OK(pthread_mutex_unlock(&mutex));
    return unused;
}

static void make_conditions(void)
{
    pthread_condattr_t attr;
    OK(pthread_condattr_init(&attr));
    OK(pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
    OK(pthread_cond_init(&shared_cond, &attr));
    OK(pthread_condattr_destroy(&attr));
    OK(pthread_cond_init(&private_cond, NULL));
}

static void take_turns(void)
{
    for (int i = 0; i < TURNS; i++) {
        OK(pthread_mutex_lock(&mutex));
        turns++;
        count_inside();
        OK(pthread_cond_broadcast(&shared_cond));
        OK(pthread_cond_broadcast(&private_cond));
        OK(pthread_mutex_unlock(&mutex));
        sched_yield();
    }
}

START_TEST(a_mutex_excludes_while_a_process_shared_wait_begins_to_use_it)
{
    struct thread hammers[HAMMERS], private_waiter, shared_waiters[2];
    for (int round = 0; round < repeats(ROUNDS); round++) {
        make_mutex(&mutex, &mutex_kinds[_i]);
        make_conditions();
        counter = expected = turns = stop = 0;
        for (int i = 0; i < HAMMERS; i++)
            thread_start(&hammers[i], hammer, NULL);
        thread_start(&private_waiter, wait_privately, NULL);
        for (int i = 0; i < 2; i++)
            thread_start(&shared_waiters[i], wait_shared, NULL);
        take_turns();
        thread_join(&private_waiter);
        for (int i = 0; i < 2; i++)
            thread_join(&shared_waiters[i]);
        raise_flag(&stop, 1);
        for (int i = 0; i < HAMMERS; i++)
            thread_join(&hammers[i]);
        ck_assert_int_eq(counter, expected);
        OK(pthread_mutex_trylock(&mutex));
        OK(pthread_mutex_unlock(&mutex));
        OK(pthread_mutex_destroy(&mutex));
        OK(pthread_cond_destroy(&shared_cond));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("break_conversion");
    TCase *tcase = conform_case(suite, "conversion");
    tcase_add_loop_test(tcase, a_mutex_excludes_while_a_process_shared_wait_begins_to_use_it, 0, 4);
    tcase_add_loop_test(tcase, a_mutex_excludes_while_a_process_shared_wait_begins_to_use_it, 8,
                        12);
    tcase_add_loop_test(tcase, a_mutex_excludes_while_a_process_shared_wait_begins_to_use_it, 16,
                        20);
    return conform_run(suite);
}
