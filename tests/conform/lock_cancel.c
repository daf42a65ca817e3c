/* SPDX-License-Identifier: MIT */
/*
 * The calls of mutexes and reader-writer locks are no cancellation points: a thread that is
 * cancelled while it waits for a lock goes on waiting, gets it or times out, may use every call
 * that is no point either, and is cancelled at the next point that it reaches.
 */
#include "lock_calls.h"

struct taker {
    struct thread thread;
    enum lock_way way;
    long ms;       /* the deadline of the calls that have one */
    int cancelled; /* by the time it is 1 */
    int error, release_error, late, past_the_calls, handlers;
};

static pthread_mutex_t other_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t other_cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t other_rwlock = PTHREAD_RWLOCK_INITIALIZER;

/* The sum of the results of everything that must not be a cancellation point. */
static int call_what_is_no_point(void)
{
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    int sum = pthread_mutex_init(&mutex, NULL);
    sum += pthread_cond_init(&cond, NULL);
    sum += pthread_rwlock_init(&rwlock, NULL);
    sum += pthread_mutex_lock(&other_mutex);
    sum += pthread_mutex_trylock(&other_mutex) != EBUSY;
    sum += pthread_cond_signal(&other_cond);
    sum += pthread_cond_broadcast(&other_cond);
    sum += pthread_mutex_unlock(&other_mutex);
    sum += pthread_rwlock_tryrdlock(&other_rwlock);
    sum += pthread_rwlock_trywrlock(&other_rwlock) != EBUSY;
    sum += pthread_rwlock_unlock(&other_rwlock);
    sum += pthread_mutex_destroy(&mutex);
    sum += pthread_cond_destroy(&cond);
    sum += pthread_rwlock_destroy(&rwlock);
    return sum;
}

static void count_handler(void *argument)
{
    ((struct taker *)argument)->handlers++;
}

/* It asserts nothing itself, since Check writes to a file. */
static void *take_although_cancelled(void *argument)
{
    struct taker *t = argument;
    struct timespec until = deadline_in_ms(lock_clock(t->way), t->ms);
    pthread_cleanup_push(count_handler, t);
    t->error = lock_by(t->way, &until);
    if (t->error == 0)
        t->release_error = lock_release();
    else
        t->late = deadline_passed(lock_clock(t->way), until);
    while (!__atomic_load_n(&t->cancelled, __ATOMIC_ACQUIRE))
        sched_yield(); /* no cancellation point either */
    t->release_error |= call_what_is_no_point();
    t->past_the_calls = 1;
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return NULL;
}

/* Starts a taker for each way that this lock has, beginning with the given one. */
static int start_takers(struct taker *takers, enum lock_way first, long ms)
{
    int n = 0;
    for (enum lock_way way = first; way < LOCK_WAYS; way++) {
        if (!lock_has_way(way))
            continue;
        takers[n] = (struct taker){.way = way, .ms = ms, .error = -1};
        thread_start(&takers[n].thread, take_although_cancelled, &takers[n]);
        n++;
    }
    return n;
}

static void cancel_takers(struct taker *takers, int n)
{
    for (int i = 0; i < n; i++) {
        OK(pthread_cancel(takers[i].thread.id));
        raise_flag(&takers[i].cancelled, 1);
    }
}

static void join_takers(struct taker *takers, int n, int error)
{
    for (int i = 0; i < n; i++) {
        ck_assert_ptr_eq(thread_join(&takers[i].thread), PTHREAD_CANCELED);
        ck_assert_msg(takers[i].error == error, "%s, way %d gives %s", conform_context,
                      takers[i].way, strerrorname(takers[i].error));
        ck_assert_int_eq(takers[i].release_error, 0);
        ck_assert_int_eq(takers[i].past_the_calls, 1);
        ck_assert_int_eq(takers[i].handlers, 1);
        ck_assert_int_eq(takers[i].late, error != 0);
    }
}

#define MAKE_OR_SKIP(index)                                                                        \
    do {                                                                                           \
        if (!lock_make(index))                                                                     \
            SKIP_TEST("real-time scheduling is not permitted here");                               \
    } while (0)

START_TEST(a_thread_cancelled_asleep_gets_the_lock_and_is_cancelled_later)
{
    struct taker takers[LOCK_WAYS];
    MAKE_OR_SKIP(_i);
    lock_hold();
    int n = start_takers(takers, BY_LOCK, 50000);
    for (int i = 0; i < n; i++)
        wait_until_asleep(takers[i].thread.tid);
    cancel_takers(takers, n);
    for (int i = 0; i < n; i++)
        wait_until_asleep(takers[i].thread.tid);
    OK(lock_release());
    join_takers(takers, n, 0);
    lock_destroy();
}
END_TEST

START_TEST(a_thread_cancelled_asleep_times_out_and_is_cancelled_later)
{
    struct taker takers[LOCK_WAYS];
    MAKE_OR_SKIP(_i);
    lock_hold();
    int n = start_takers(takers, BY_TIMEDLOCK, 20);
    cancel_takers(takers, n);
    join_takers(takers, n, ETIMEDOUT);
    OK(lock_release());
    lock_destroy();
}
END_TEST

static void *cancel_oneself_and_take(void *argument)
{
    pthread_cancel(pthread_self());
    ((struct taker *)argument)->cancelled = 1;
    return take_although_cancelled(argument);
}

START_TEST(a_thread_cancelled_before_gets_a_free_lock)
{
    MAKE_OR_SKIP(_i);
    for (enum lock_way way = BY_LOCK; way < LOCK_WAYS; way++) {
        struct taker taker = {.way = way, .ms = 50000, .error = -1};
        if (!lock_has_way(way))
            continue;
        thread_start(&taker.thread, cancel_oneself_and_take, &taker);
        join_takers(&taker, 1, 0);
    }
    lock_destroy();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock_cancel");
    TCase *tcase = conform_case(suite, "cancel");
    tcase_add_loop_test(tcase, a_thread_cancelled_asleep_gets_the_lock_and_is_cancelled_later, 0,
                        LOCK_KINDS);
    tcase_add_loop_test(tcase, a_thread_cancelled_asleep_times_out_and_is_cancelled_later, 0,
                        LOCK_KINDS);
    tcase_add_loop_test(tcase, a_thread_cancelled_before_gets_a_free_lock, 0, LOCK_KINDS);
    return conform_run(suite);
}
