/* SPDX-License-Identifier: MIT */
/*
 * Timed reader-writer lock calls on both clocks: timeouts and never early, past and invalid
 * deadlines, invalid clocks, relocks, and what a lock is worth after somebody has timed out.
 * As in libc a deadline is checked before the lock is looked at.
 */
#include "gate.h"
#include <limits.h>

static pthread_rwlock_t lock;

/* The six timed calls, times three kinds of lock. */
enum { CALLS = 6, KINDS = 3, CASES = CALLS * KINDS };

static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                            PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};

static bool is_writer(int call)
{
    return call % 2;
}

static clockid_t clock_of(int call)
{
    return call / 2 == 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

static int timed(int call, const struct timespec *deadline)
{
    switch (call) {
    case 0:
        return pthread_rwlock_timedrdlock(&lock, deadline);
    case 1:
        return pthread_rwlock_timedwrlock(&lock, deadline);
    case 2:
    case 4:
        return pthread_rwlock_clockrdlock(&lock, clock_of(call), deadline);
    default:
        return pthread_rwlock_clockwrlock(&lock, clock_of(call), deadline);
    }
}

static void init_lock(int kind)
{
    pthread_rwlockattr_t attr;
    OK(pthread_rwlockattr_init(&attr));
    OK(pthread_rwlockattr_setkind_np(&attr, kind));
    OK(pthread_rwlock_init(&lock, &attr));
    OK(pthread_rwlockattr_destroy(&attr));
}

struct task {
    struct thread thread;
    int call;
    long ms;
    int done;
};

static void *time_out_here(void *argument)
{
    struct task *t = argument;
    struct timespec deadline = deadline_in_ms(clock_of(t->call), t->ms);
    EXPECT(timed(t->call, &deadline), ETIMEDOUT);
    ck_assert_msg(deadline_passed(clock_of(t->call), deadline), "call %d is early", t->call);
    raise_flag(&t->done, 1);
    return NULL;
}

static void *get_it_here(void *argument)
{
    struct task *t = argument;
    struct timespec deadline = deadline_in_ms(clock_of(t->call), t->ms);
    OK(timed(t->call, &deadline));
    raise_flag(&t->done, 1);
    OK(pthread_rwlock_unlock(&lock));
    return NULL;
}

/* In a thread of its own, since the caller holds the lock. */
static void time_out_elsewhere(int call, long ms)
{
    struct task t = {.call = call, .ms = ms};
    in_thread(time_out_here, &t);
}

static void get_it_elsewhere(int call, long ms)
{
    struct task t = {.call = call, .ms = ms};
    in_thread(get_it_here, &t);
}

START_TEST(a_timed_call_against_a_writer_times_out_and_never_early)
{
    static const long delays[] = {-1000, -1, 0, 1, 2, 10, 60};
    init_lock(kinds[_i / CALLS]);
    OK(pthread_rwlock_wrlock(&lock));
    for (size_t i = 0; i < COUNT_OF(delays); i++)
        time_out_elsewhere(_i % CALLS, delays[i]);
    OK(pthread_rwlock_unlock(&lock));
    for (size_t i = 0; i < COUNT_OF(delays); i++)
        get_it_elsewhere(_i % CALLS, delays[i]);
    OK(pthread_rwlock_destroy(&lock));
}
END_TEST

START_TEST(a_timed_call_against_a_reader)
{
    int call = _i % CALLS;
    init_lock(kinds[_i / CALLS]);
    OK(pthread_rwlock_rdlock(&lock));
    if (is_writer(call)) {
        time_out_elsewhere(call, -1);
        time_out_elsewhere(call, 20);
        /* The reader itself has to wait as well. */
        struct task own = {.call = call, .ms = 10};
        time_out_here(&own);
    } else {
        get_it_elsewhere(call, -1);
        get_it_elsewhere(call, 100000);
    }
    OK(pthread_rwlock_tryrdlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
}
END_TEST

START_TEST(a_free_lock_is_taken_in_spite_of_a_past_deadline)
{
    int call = _i % CALLS;
    static const struct timespec pasts[] = {{0, 0}, {1, 999999999}, {-1, 0}, {TIME_BEGINNING, 5}};
    init_lock(kinds[_i / CALLS]);
    for (size_t i = 0; i < COUNT_OF(pasts); i++) {
        OK(timed(call, &pasts[i]));
        EXPECT(pthread_rwlock_trywrlock(&lock), EBUSY);
        OK(pthread_rwlock_unlock(&lock));
    }
}
END_TEST

#ifdef __GLIBC__ /* musl's writer waits for itself */
START_TEST(the_writer_that_relocks_gets_EDEADLK)
{
    int call = _i % CALLS;
    struct timespec past = {0, 0}, later = deadline_in_ms(clock_of(call), 100000);
    init_lock(kinds[_i / CALLS]);
    OK(pthread_rwlock_wrlock(&lock));
    EXPECT(timed(call, &past), EDEADLK);
    EXPECT(timed(call, &later), EDEADLK);
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
}
END_TEST
#endif

/* Free, held by a reader and held by a writer; the lock is left as it was. */
static void expect_in_every_state(int (*call)(int, const void *), int number, const void *argument)
{
    EXPECT(call(number, argument), EINVAL);
    OK(pthread_rwlock_rdlock(&lock));
    EXPECT(call(number, argument), EINVAL);
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_wrlock(&lock));
    EXPECT(call(number, argument), EINVAL);
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
}

static int with_deadline(int call, const void *deadline)
{
    return timed(call, deadline);
}

START_TEST(invalid_nanoseconds_give_EINVAL)
{
    static const long invalid[] = {-1, 1000000000, LONG_MAX, LONG_MIN};
    init_lock(kinds[_i / CALLS]);
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        struct timespec deadline = {time_on(CLOCK_REALTIME).tv_sec + 1000, invalid[i]};
        expect_in_every_state(with_deadline, _i % CALLS, &deadline);
        deadline.tv_sec = 0;
        expect_in_every_state(with_deadline, _i % CALLS, &deadline);
    }
}
END_TEST

static int with_clock(int writer, const void *clock)
{
    struct timespec deadline = deadline_in_ms(CLOCK_REALTIME, 100000);
    return writer ? pthread_rwlock_clockwrlock(&lock, *(const clockid_t *)clock, &deadline)
                  : pthread_rwlock_clockrdlock(&lock, *(const clockid_t *)clock, &deadline);
}

START_TEST(invalid_clocks_give_EINVAL)
{
    static const clockid_t invalid[] = {CLOCK_PROCESS_CPUTIME_ID,
                                        CLOCK_THREAD_CPUTIME_ID,
                                        CLOCK_MONOTONIC_RAW,
                                        CLOCK_BOOTTIME,
                                        4711,
                                        -1};
    init_lock(kinds[_i / 2]);
    for (size_t i = 0; i < COUNT_OF(invalid); i++)
        expect_in_every_state(with_clock, _i % 2, &invalid[i]);
}
END_TEST

START_TEST(a_lock_released_before_the_deadline_is_taken)
{
    struct task t = {.call = _i % CALLS, .ms = 100000};
    init_lock(kinds[_i / CALLS]);
    OK(pthread_rwlock_wrlock(&lock));
    thread_start(&t.thread, get_it_here, &t);
    wait_until_asleep(t.thread.tid);
    ck_assert_int_eq(__atomic_load_n(&t.done, __ATOMIC_ACQUIRE), 0);
    OK(pthread_rwlock_unlock(&lock));
    thread_join(&t.thread);
    ck_assert_int_eq(t.done, 1);
}
END_TEST

/* A reader holds, a writer waits with a deadline, and a reader comes behind it. */
START_TEST(a_writer_that_times_out_leaves_the_readers_behind_it_free)
{
    int writing = _i % CALLS | 1;
    struct task writer = {.call = writing, .ms = 150}, reader = {.call = writing - 1, .ms = 100000};
    init_lock(kinds[_i / CALLS]);
    OK(pthread_rwlock_rdlock(&lock));
    thread_start(&writer.thread, time_out_here, &writer);
    sleep_ms(20);
    thread_start(&reader.thread, get_it_here, &reader);
    thread_join(&reader.thread);
    thread_join(&writer.thread);
    get_it_elsewhere(writing - 1, -1);
    OK(pthread_rwlock_unlock(&lock));
    get_it_elsewhere(writing, -1);
    OK(pthread_rwlock_destroy(&lock));
}
END_TEST

START_TEST(readers_that_time_out_leave_the_lock_in_order)
{
    struct task reader[20], writer = {.call = 1, .ms = 100000};
    init_lock(kinds[_i]);
    OK(pthread_rwlock_wrlock(&lock));
    for (int i = 0; i < 20; i++) {
        reader[i] = (struct task){.call = i % 3 * 2, .ms = 5 + i};
        thread_start(&reader[i].thread, time_out_here, &reader[i]);
    }
    thread_start(&writer.thread, get_it_here, &writer);
    for (int i = 0; i < 20; i++)
        thread_join(&reader[i].thread);
    ck_assert_int_eq(__atomic_load_n(&writer.done, __ATOMIC_ACQUIRE), 0);
    OK(pthread_rwlock_unlock(&lock));
    thread_join(&writer.thread);
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_destroy(&lock));
}
END_TEST

/* Deadlines of some microseconds that race with the release, by readers and writers at once. */
static long inside, torn, early, odd, time_outs;

static void *race_with_deadlines(void *argument)
{
    unsigned seed = (unsigned)(long)argument;
    for (int i = 0; i < 6000; i++) {
        int call = rand_r(&seed) % CALLS;
        struct timespec deadline = time_on(clock_of(call));
        deadline.tv_nsec += rand_r(&seed) % 60000;
        if (deadline.tv_nsec >= 1000000000)
            deadline.tv_nsec = 999999999;
        int error = timed(call, &deadline);
        if (error == ETIMEDOUT) {
            __atomic_add_fetch(&time_outs, 1, __ATOMIC_RELAXED);
            if (!deadline_passed(clock_of(call), deadline))
                __atomic_add_fetch(&early, 1, __ATOMIC_RELAXED);
        } else if (error != 0) {
            __atomic_add_fetch(&odd, 1, __ATOMIC_RELAXED);
        } else {
            long delta = is_writer(call) ? 1000 : 1;
            long before = __atomic_fetch_add(&inside, delta, __ATOMIC_ACQ_REL);
            if (is_writer(call) ? before != 0 : before >= 1000)
                __atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
            if (i % 8 == 0)
                sched_yield();
            __atomic_fetch_sub(&inside, delta, __ATOMIC_ACQ_REL);
            if (pthread_rwlock_unlock(&lock) != 0)
                __atomic_add_fetch(&odd, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

START_TEST(short_deadlines_race_with_releases)
{
    struct thread t[6];
    init_lock(kinds[_i]);
    for (long i = 0; i < 6; i++)
        thread_start(&t[i], race_with_deadlines, (void *)(i + 1));
    join_many(t, 6);
    ck_assert_int_eq(torn, 0);
    ck_assert_int_eq(early, 0);
    ck_assert_int_eq(odd, 0);
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_destroy(&lock));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rwlock_time");
    TCase *tcase = conform_case(suite, "time");
    tcase_add_loop_test(tcase, a_timed_call_against_a_writer_times_out_and_never_early, 0, CASES);
    tcase_add_loop_test(tcase, a_timed_call_against_a_reader, 0, CASES);
    tcase_add_loop_test(tcase, a_free_lock_is_taken_in_spite_of_a_past_deadline, 0, CASES);
#ifdef __GLIBC__
    tcase_add_loop_test(tcase, the_writer_that_relocks_gets_EDEADLK, 0, CASES);
#endif
    tcase_add_loop_test(tcase, invalid_nanoseconds_give_EINVAL, 0, CASES);
    tcase_add_loop_test(tcase, invalid_clocks_give_EINVAL, 0, 2 * KINDS);
    tcase_add_loop_test(tcase, a_lock_released_before_the_deadline_is_taken, 0, CASES);
    tcase_add_loop_test(tcase, a_writer_that_times_out_leaves_the_readers_behind_it_free, 0, CASES);
    tcase_add_loop_test(tcase, readers_that_time_out_leave_the_lock_in_order, 0, KINDS);
    tcase_add_loop_test(tcase, short_deadlines_race_with_releases, 0, KINDS);
    return conform_run(suite);
}
