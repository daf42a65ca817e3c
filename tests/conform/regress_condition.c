/* SPDX-License-Identifier: MIT */
/*
 * Faults that condition variables of the library have had, each as the least program that shows it:
 * cancellation where it is disabled, waiters that go on holding a recursive mutex, and wake-ups
 * that were owed, misdirected or used up. What handlers brought to light is in regress_handler.c.
 */
#include "gate.h"

#include "mutex_kinds.h"

enum { WAITERS = 5, TOKENS = 5000 };

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct gate gate = {.mutex = &mutex, .cond = &cond};

static int (*const notifications[])(pthread_cond_t *) = {pthread_cond_signal,
                                                         pthread_cond_broadcast};

/* ---- cancelled and signalled at once ---- */

static void *take_uncancellably(void *unused)
{
    OK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL));
    return gate_take(unused);
}

START_TEST(a_cancelled_waiter_with_cancellation_disabled_gets_what_comes_with_it)
{
    make_mutex(&mutex, &mutex_kinds[_i]);
    for (int round = 0; round < 20; round++) {
        struct thread waiter;
        thread_start(&waiter, take_uncancellably, &gate);
        gate_await_waiting(&gate, 1);
        wait_until_asleep(waiter.tid);
        OK(pthread_mutex_lock(&mutex));
        OK(pthread_cancel(waiter.id));
        gate.tokens++;
        OK(notifications[round % 2](&cond));
        OK(pthread_mutex_unlock(&mutex));
        ck_assert_ptr_null(thread_join(&waiter));
    }
}
END_TEST

/* ---- a waiter that holds the mutex all the while ---- */

static int opened;

static void *wait_at_depth(void *depth)
{
    for (int i = 0; i < *(int *)depth; i++)
        OK(pthread_mutex_lock(&mutex));
    while (!__atomic_load_n(&opened, __ATOMIC_ACQUIRE))
        OK(pthread_cond_wait(&cond, &mutex));
    for (int i = 0; i < *(int *)depth; i++)
        OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

/* A recursive mutex that is locked twice stays locked during the wait: nobody can be made to wait
 * for it but the one who has it. */
START_TEST(a_broadcast_reaches_a_waiter_that_still_holds_the_recursive_mutex)
{
    static int depths[WAITERS] = {1, 1, 1, 1, 2};
    struct thread threads[WAITERS];
    make_mutex(&mutex, &mutex_kinds[_i]);
    for (int i = 0; i < WAITERS; i++) {
        thread_start(&threads[i], wait_at_depth, &depths[i]);
        wait_until_asleep(threads[i].tid);
    }
    raise_flag(&opened, 1);
    OK(pthread_cond_broadcast(&cond));
    join_many(threads, WAITERS);
}
END_TEST

/* ---- owed, misdirected, used up ---- */

static pthread_cond_t shared_cond;
static int answered;

static void make_shared_cond(void)
{
    pthread_condattr_t attr;
    OK(pthread_condattr_init(&attr));
    OK(pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
    OK(pthread_cond_init(&shared_cond, &attr));
    OK(pthread_condattr_destroy(&attr));
}

static void *answer(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    gate.waiting++;
    while (gate.tokens == 0)
        OK(pthread_cond_wait(&cond, &mutex));
    answered = 1;
    OK(pthread_cond_signal(&shared_cond));
    OK(pthread_mutex_unlock(&mutex));
    return unused;
}

/* The signal must not wait for an unlock of the library's: the process-shared wait is libc's, and
 * its unlock may be too. */
START_TEST(a_signal_under_a_mutex_known_to_libc_is_sent_before_a_process_shared_wait)
{
    struct thread waiter;
    int error = 0;
    make_mutex(&mutex, &mutex_kinds[_i]);
    make_shared_cond();
    struct timespec end = time_on(CLOCK_REALTIME);
    OK(pthread_mutex_lock(&mutex));
    EXPECT(pthread_cond_timedwait(&shared_cond, &mutex, &end), ETIMEDOUT);
    OK(pthread_mutex_unlock(&mutex));
    thread_start(&waiter, answer, NULL);
    gate_await_waiting(&gate, 1);
    wait_until_asleep(waiter.tid);
    end = deadline_in_ms(CLOCK_REALTIME, 20000);
    OK(pthread_mutex_lock(&mutex));
    gate.tokens = 1;
    OK(pthread_cond_signal(&cond));
    while (!answered && error == 0)
        error = pthread_cond_timedwait(&shared_cond, &mutex, &end);
    ck_assert_int_eq(error, 0);
    OK(pthread_mutex_unlock(&mutex));
    thread_join(&waiter);
}
END_TEST

static int all_taken;

static void *wait_without_the_mutex(void *unused)
{
    while (!__atomic_load_n(&all_taken, __ATOMIC_ACQUIRE))
        EXPECT(pthread_cond_wait(&cond, &mutex), EPERM);
    return unused;
}

static void *take_all(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    for (int i = 0; i < TOKENS; i++) {
        struct timespec late = deadline_in_ms(CLOCK_REALTIME, 20000);
        while (gate.tokens == 0) {
            int error = pthread_cond_timedwait(&cond, &mutex, &late);
            REQUIRE(error == 0, "with token %d: timedwait gives %d", i, error);
        }
        gate.tokens--;
    }
    OK(pthread_mutex_unlock(&mutex));
    raise_flag(&all_taken, 1);
    return unused;
}

START_TEST(a_wait_refused_with_EPERM_uses_up_no_signal)
{
    struct thread stranger, taker;
    make_mutex(&mutex, &mutex_kinds[_i]);
    thread_start(&stranger, wait_without_the_mutex, NULL);
    thread_start(&taker, take_all, NULL);
    while (!__atomic_load_n(&all_taken, __ATOMIC_ACQUIRE)) {
        OK(pthread_mutex_lock(&mutex));
        if (gate.tokens == 0) {
            gate.tokens = 1;
            OK(pthread_cond_signal(&cond));
        }
        OK(pthread_mutex_unlock(&mutex));
        sched_yield();
    }
    thread_join(&stranger);
    thread_join(&taker);
}
END_TEST

/* ---- real time ---- */

static int may_wait, first;

static bool become_real_time(int priority)
{
    struct sched_param param = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == 0;
}

static void *take_with_priority(void *priority)
{
    ck_assert(become_real_time(*(int *)priority));
    OK(pthread_mutex_lock(&mutex));
    gate.waiting++;
    if (gate.waiting == 2)
        wait_for_flag(&may_wait, 1);
    while (gate.tokens == 0)
        OK(pthread_cond_wait(&cond, &mutex));
    gate.tokens--;
    if (!first)
        first = *(int *)priority;
    gate.taken++;
    OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

static void *signal_with_priority(void *priority)
{
    ck_assert(become_real_time(*(int *)priority));
    OK(pthread_mutex_lock(&mutex));
    gate.tokens++;
    OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

/* The waiter gives up the mutex for the signaller, so that it is signalled at once, before it can
 * sleep. libc wakes by groups in the order of arrival: only the library is asked for the order. */
START_TEST(an_urgent_waiter_goes_first_although_it_is_signalled_before_it_sleeps)
{
    static int low = 10, high = 30, highest = 40;
    if (!become_real_time(1))
        SKIP_TEST("no permission for SCHED_FIFO");
    struct sched_param normal = {.sched_priority = 0};
    OK(pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal));
    make_mutex(&mutex, &mutex_kinds[_i]);
    for (int round = 0; round < 20; round++) {
        struct thread late, early, signaller;
        gate.waiting = gate.tokens = gate.taken = may_wait = first = 0;
        thread_start(&early, take_with_priority, &low);
        gate_await_waiting(&gate, 1);
        wait_until_asleep(early.tid);
        thread_start(&late, take_with_priority, &high);
        while (__atomic_load_n(&gate.waiting, __ATOMIC_ACQUIRE) < 2)
            sleep_ms(1);
        thread_start(&signaller, signal_with_priority, &highest);
        wait_until_asleep(signaller.tid);
        raise_flag(&may_wait, 1);
        thread_join(&signaller);
        gate_await_taken(&gate, 1);
        if (under_library())
            ck_assert_int_eq(first, high);
        gate_put(&gate, 1, pthread_cond_broadcast, GATE_HELD);
        thread_join(&early);
        thread_join(&late);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regress_condition");
    TCase *tcase = conform_case(suite, "condition");
    /* The loop index of all is the kind of the mutex: four private types, from 16 on inheriting. */
    for (int kinds = 0; kinds <= 16; kinds += 16) {
        tcase_add_loop_test(tcase,
                            a_cancelled_waiter_with_cancellation_disabled_gets_what_comes_with_it,
                            kinds, kinds + 4);
        tcase_add_loop_test(tcase,
                            a_broadcast_reaches_a_waiter_that_still_holds_the_recursive_mutex,
                            kinds + 1, kinds + 2);
        tcase_add_loop_test(
            tcase, a_signal_under_a_mutex_known_to_libc_is_sent_before_a_process_shared_wait, kinds,
            kinds + 4);
        tcase_add_loop_test(tcase, a_wait_refused_with_EPERM_uses_up_no_signal, kinds + 1,
                            kinds + 3);
        tcase_add_loop_test(tcase,
                            an_urgent_waiter_goes_first_although_it_is_signalled_before_it_sleeps,
                            kinds, kinds + 1);
    }
    return conform_run(suite);
}
