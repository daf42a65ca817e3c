/* SPDX-License-Identifier: MIT */
/*
 * Mutual exclusion of every kind while threads fight for it with each of the lock calls: a plain
 * counter must come out exact. Fairness and speed are not judged here.
 */
#include "conform.h"

#include "mutex_kinds.h"

enum { KINDS = MUTEX_PP_KINDS_BEGIN, THREADS = 4, ROUNDS = 4000 };

static pthread_mutex_t shared;
static const struct mutex_kind *kind;
static volatile long counter; /* volatile keeps the read and the write apart */

static void add_one(void)
{
    long seen = counter;
    counter = seen + 1;
}

static void run_threads(void *(*body)(void *), int count)
{
    struct thread threads[16];
    for (int i = 0; i < count; i++)
        thread_start(&threads[i], body, &threads[i]);
    for (int i = 0; i < count; i++)
        thread_join(&threads[i]);
}

static void *count_by_lock(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        OK(pthread_mutex_lock(&shared));
        add_one();
        OK(pthread_mutex_unlock(&shared));
    }
    return unused;
}

static void *count_by_trylock(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        int error;
        while ((error = pthread_mutex_trylock(&shared)) == EBUSY)
            sched_yield();
        REQUIRE(error == 0, "%s: trylock gives %d", kind->name, error);
        add_one();
        OK(pthread_mutex_unlock(&shared));
    }
    return unused;
}

static void *count_by_every_call(void *self)
{
    struct timespec real = deadline_in_ms(CLOCK_REALTIME, 100000);
    struct timespec mono = deadline_in_ms(CLOCK_MONOTONIC, 100000);
    for (int i = 0; i < ROUNDS; i++) {
        int error = EBUSY;
        switch ((i + (int)((struct thread *)self)->tid) % 4) {
        case 0:
            error = pthread_mutex_timedlock(&shared, &real);
            break;
        case 1:
            error = pthread_mutex_clocklock(&shared, CLOCK_MONOTONIC, &mono);
            break;
        case 2:
            error = pthread_mutex_trylock(&shared);
            break;
        }
        if (error == EBUSY)
            error = pthread_mutex_lock(&shared);
        REQUIRE(error == 0, "%s: a lock call gives %d", kind->name, error);
        add_one();
        if (i % 256 == 0)
            sleep_ms(1);
        OK(pthread_mutex_unlock(&shared));
    }
    return self;
}

static void *count_at_depth_two(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        OK(pthread_mutex_lock(&shared));
        add_one();
        OK(pthread_mutex_lock(&shared));
        OK(pthread_mutex_unlock(&shared));
        add_one();
        OK(pthread_mutex_unlock(&shared));
    }
    return unused;
}

static void *relock_and_count(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        OK(pthread_mutex_lock(&shared));
        add_one();
        EXPECT(pthread_mutex_lock(&shared), EDEADLK);
        add_one();
        OK(pthread_mutex_unlock(&shared));
    }
    return unused;
}

static void choose(int loop)
{
    kind = &mutex_kinds[loop];
    make_mutex(&shared, kind);
}

static void ends_at(long value)
{
    ck_assert_int_eq(counter, value);
    OK(pthread_mutex_trylock(&shared));
    OK(pthread_mutex_unlock(&shared));
    OK(pthread_mutex_destroy(&shared));
}

START_TEST(lock_excludes)
{
    choose(_i);
    run_threads(count_by_lock, THREADS);
    ends_at((long)THREADS * ROUNDS);
}
END_TEST

START_TEST(trylock_excludes)
{
    choose(_i);
    run_threads(count_by_trylock, THREADS);
    ends_at((long)THREADS * ROUNDS);
}
END_TEST

START_TEST(all_lock_calls_together_exclude)
{
    choose(_i);
    run_threads(count_by_every_call, THREADS);
    ends_at((long)THREADS * ROUNDS);
}
END_TEST

START_TEST(a_relock_under_contention_neither_releases_nor_takes_twice)
{
    choose(_i);
    if (kind->type == PTHREAD_MUTEX_RECURSIVE)
        run_threads(count_at_depth_two, THREADS);
    else if (kind->type == PTHREAD_MUTEX_ERRORCHECK)
        run_threads(relock_and_count, THREADS);
    else
        return;
    ends_at(2L * THREADS * ROUNDS);
}
END_TEST

START_TEST(sixteen_sleepers_all_get_their_turn)
{
    struct thread threads[16];
    choose(_i);
    OK(pthread_mutex_lock(&shared));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        thread_start(&threads[i], count_by_lock, NULL);
    wait_until_asleep(threads[15].tid);
    OK(pthread_mutex_unlock(&shared));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        thread_join(&threads[i]);
    ends_at(16L * ROUNDS);
}
END_TEST

/* A normal mutex used as a turnstile: one thread locks, the other unlocks. */
enum { TURNS = 2000 };
static pthread_mutex_t turn[2];

static void *take_turns(void *side)
{
    int mine = *(int *)side;
    for (int i = 0; i < TURNS; i++) {
        OK(pthread_mutex_lock(&turn[mine]));
        REQUIRE(counter % 2 == mine, "out of turn");
        add_one();
        OK(pthread_mutex_unlock(&turn[!mine]));
    }
    return NULL;
}

START_TEST(two_threads_unlock_each_others_normal_mutex_in_turn)
{
    static int side[2] = {0, 1};
    struct thread threads[2];
    if (checks_owner(&mutex_kinds[_i]))
        return;
    make_mutex(&turn[0], &mutex_kinds[_i]);
    make_mutex(&turn[1], &mutex_kinds[_i]);
    OK(pthread_mutex_lock(&turn[1]));
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], take_turns, &side[i]);
    thread_join(&threads[0]);
    thread_join(&threads[1]);
    ck_assert_int_eq(counter, 2L * TURNS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutex_contention");
    TCase *tcase = conform_case(suite, "contention");
    tcase_add_loop_test(tcase, lock_excludes, 0, KINDS);
    tcase_add_loop_test(tcase, trylock_excludes, 0, KINDS);
    tcase_add_loop_test(tcase, all_lock_calls_together_exclude, 0, KINDS);
    tcase_add_loop_test(tcase, a_relock_under_contention_neither_releases_nor_takes_twice, 0,
                        KINDS);
    tcase_add_loop_test(tcase, sixteen_sleepers_all_get_their_turn, 0, KINDS);
    tcase_add_loop_test(tcase, two_threads_unlock_each_others_normal_mutex_in_turn, 0, KINDS);
    return conform_run(suite);
}
