/* SPDX-License-Identifier: MIT */
/*
 * Who goes first on a reader-writer lock: recursive readers while a writer waits, a waiting
 * writer before later readers where the kind asks for it, readers alongside readers, and no
 * starvation when there are gaps; with stress for exclusion under each preference.
 */
#include "gate.h"

static pthread_rwlock_t lock;

enum { KINDS = 3, NONRECURSIVE = 2 };

static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                            PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};

static void init_lock(int kind)
{
    pthread_rwlockattr_t attr;
    OK(pthread_rwlockattr_init(&attr));
    OK(pthread_rwlockattr_setkind_np(&attr, kind));
    OK(pthread_rwlock_init(&lock, &attr));
    OK(pthread_rwlockattr_destroy(&attr));
}

struct actor {
    struct thread thread;
    int (*call)(pthread_rwlock_t *);
    int has, leave, place;
};

static int next_place;

static void *act(void *argument)
{
    struct actor *a = argument;
    OK(a->call(&lock));
    a->place = __atomic_add_fetch(&next_place, 1, __ATOMIC_ACQ_REL);
    raise_flag(&a->has, 1);
    wait_for_flag(&a->leave, 1);
    OK(pthread_rwlock_unlock(&lock));
    return NULL;
}

static void start_actor(struct actor *a, int (*call)(pthread_rwlock_t *))
{
    *a = (struct actor){.call = call};
    thread_start(&a->thread, act, a);
}

static bool has_it(struct actor *a)
{
    return __atomic_load_n(&a->has, __ATOMIC_ACQUIRE) != 0;
}

static void end_actor(struct actor *a)
{
    wait_for_flag(&a->has, 1);
    raise_flag(&a->leave, 1);
    thread_join(&a->thread);
}

static void start_waiting_actor(struct actor *a, int (*call)(pthread_rwlock_t *))
{
    start_actor(a, call);
    wait_until_asleep(a->thread.tid);
    ck_assert(!has_it(a));
}

START_TEST(a_reader_reads_again_while_a_writer_waits)
{
    struct actor writer;
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 100000);
    init_lock(kinds[_i]);
    OK(pthread_rwlock_rdlock(&lock));
    start_waiting_actor(&writer, pthread_rwlock_wrlock);
    OK(pthread_rwlock_rdlock(&lock));
    OK(pthread_rwlock_tryrdlock(&lock));
    OK(pthread_rwlock_timedrdlock(&lock, &later));
    for (int i = 0; i < 4; i++) {
        ck_assert(!has_it(&writer));
        OK(pthread_rwlock_unlock(&lock));
    }
    end_actor(&writer);
}
END_TEST

START_TEST(another_reader_joins_while_a_writer_waits)
{
    struct actor writer, reader;
    init_lock(kinds[_i]);
    OK(pthread_rwlock_rdlock(&lock));
    start_waiting_actor(&writer, pthread_rwlock_wrlock);
    start_actor(&reader, pthread_rwlock_rdlock);
    wait_for_flag(&reader.has, 1);
    ck_assert(!has_it(&writer));
    end_actor(&reader);
    OK(pthread_rwlock_unlock(&lock));
    end_actor(&writer);
}
END_TEST

START_TEST(nonrecursive_a_waiting_writer_holds_later_readers_back)
{
    struct actor writer, reader[5];
    struct timespec soon;
    init_lock(kinds[NONRECURSIVE]);
    OK(pthread_rwlock_rdlock(&lock));
    start_waiting_actor(&writer, pthread_rwlock_wrlock);
    EXPECT(pthread_rwlock_tryrdlock(&lock), EBUSY);
    soon = deadline_in_ms(CLOCK_REALTIME, 10);
    EXPECT(pthread_rwlock_timedrdlock(&lock, &soon), ETIMEDOUT);
    soon = deadline_in_ms(CLOCK_MONOTONIC, 10);
    EXPECT(pthread_rwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    for (int i = 0; i < 5; i++)
        start_waiting_actor(&reader[i], pthread_rwlock_rdlock);
    OK(pthread_rwlock_unlock(&lock));
    end_actor(&writer);
    for (int i = 0; i < 5; i++)
        end_actor(&reader[i]);
    ck_assert_int_eq(writer.place, 1);
    ck_assert_int_eq(next_place, 6);
    OK(pthread_rwlock_trywrlock(&lock));
}
END_TEST

START_TEST(nonrecursive_all_waiting_writers_go_before_the_readers)
{
    struct actor writer[4], reader[3];
    init_lock(kinds[NONRECURSIVE]);
    OK(pthread_rwlock_wrlock(&lock));
    for (int i = 0; i < 3; i++)
        start_waiting_actor(&reader[i], pthread_rwlock_rdlock);
    for (int i = 0; i < 4; i++)
        start_waiting_actor(&writer[i], pthread_rwlock_wrlock);
    OK(pthread_rwlock_unlock(&lock));
    for (int i = 0; i < 4; i++)
        raise_flag(&writer[i].leave, 1);
    for (int i = 0; i < 3; i++)
        end_actor(&reader[i]);
    for (int i = 0; i < 4; i++) {
        thread_join(&writer[i].thread);
        ck_assert_int_le(writer[i].place, 4);
    }
}
END_TEST

START_TEST(nonrecursive_without_a_waiting_writer_a_reader_reads_again)
{
    init_lock(kinds[NONRECURSIVE]);
    for (int i = 0; i < 100; i++)
        OK(pthread_rwlock_rdlock(&lock));
    for (int i = 0; i < 100; i++)
        OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_trywrlock(&lock));
}
END_TEST

START_TEST(when_a_writer_leaves_all_waiting_readers_come_in_together)
{
    struct actor reader[16];
    init_lock(kinds[_i]);
    OK(pthread_rwlock_wrlock(&lock));
    for (int i = 0; i < 16; i++)
        start_waiting_actor(&reader[i], pthread_rwlock_rdlock);
    OK(pthread_rwlock_unlock(&lock));
    /* None leaves before all are in. */
    for (int i = 0; i < 16; i++)
        wait_for_flag(&reader[i].has, 1);
    for (int i = 0; i < 16; i++)
        end_actor(&reader[i]);
    OK(pthread_rwlock_trywrlock(&lock));
}
END_TEST

START_TEST(waiting_writers_follow_each_other)
{
    struct actor writer[6];
    init_lock(kinds[_i]);
    OK(pthread_rwlock_rdlock(&lock));
    for (int i = 0; i < 6; i++) {
        start_waiting_actor(&writer[i], pthread_rwlock_wrlock);
        raise_flag(&writer[i].leave, 1);
    }
    OK(pthread_rwlock_unlock(&lock));
    for (int i = 0; i < 6; i++)
        thread_join(&writer[i].thread);
    ck_assert_int_eq(next_place, 6);
    OK(pthread_rwlock_trywrlock(&lock));
}
END_TEST

/* ---- starvation ---- */

static int stop;

static void *read_with_gaps(void *argument)
{
    unsigned seed = (unsigned)(long)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        pthread_rwlock_rdlock(&lock);
        usleep((unsigned)rand_r(&seed) % 100);
        pthread_rwlock_unlock(&lock);
        usleep(200 + (unsigned)rand_r(&seed) % 600);
    }
    return NULL;
}

START_TEST(readers_with_gaps_do_not_starve_a_writer)
{
    struct thread t[2];
    init_lock(kinds[_i]);
    for (long i = 0; i < 2; i++)
        thread_start(&t[i], read_with_gaps, (void *)(i + 1));
    for (int i = 0; i < 200; i++) {
        OK(pthread_rwlock_wrlock(&lock));
        OK(pthread_rwlock_unlock(&lock));
        usleep(100);
    }
    raise_flag(&stop, 1);
    join_many(t, 2);
}
END_TEST

/* Readers that overlap all the time: only a kind that prefers writers promises them a turn. */
static void *read_without_gaps(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        pthread_rwlock_rdlock(&lock);
        usleep(200);
        pthread_rwlock_unlock(&lock);
    }
    return NULL;
}

START_TEST(nonrecursive_readers_without_gaps_do_not_starve_a_writer)
{
    struct thread t[6];
    init_lock(kinds[NONRECURSIVE]);
    start_many(t, 6, read_without_gaps, NULL);
    for (int i = 0; i < 200; i++) {
        OK(pthread_rwlock_wrlock(&lock));
        OK(pthread_rwlock_unlock(&lock));
    }
    raise_flag(&stop, 1);
    join_many(t, 6);
}
END_TEST

/* ---- exclusion ---- */

static long first, second, torn, errors;

struct share {
    long writes;
    unsigned seed, percent;
};

static void read_once(bool try, bool twice)
{
    if (try ? pthread_rwlock_tryrdlock(&lock) != 0 : pthread_rwlock_rdlock(&lock) != 0) {
        if (!try)
            __atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
        return;
    }
    bool again = twice && pthread_rwlock_tryrdlock(&lock) == 0;
    long a = *(volatile long *)&first;
    if (twice)
        sched_yield();
    long b = *(volatile long *)&second;
    long bad = a != b;
    bad += again && pthread_rwlock_unlock(&lock) != 0;
    bad += pthread_rwlock_unlock(&lock) != 0;
    if (bad)
        __atomic_add_fetch(&torn, bad, __ATOMIC_RELAXED);
}

static bool write_once(bool try)
{
    if (try ? pthread_rwlock_trywrlock(&lock) != 0 : pthread_rwlock_wrlock(&lock) != 0)
        return false;
    first++;
    if (first % 16 == 0)
        sched_yield();
    second++;
    if (pthread_rwlock_unlock(&lock) != 0)
        __atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
    return true;
}

static void *read_and_write(void *argument)
{
    struct share *s = argument;
    for (int i = 0; i < 12000; i++) {
        unsigned dice = (unsigned)rand_r(&s->seed);
        if (dice % 100 < s->percent)
            s->writes += write_once(dice / 100 % 4 == 0);
        else
            read_once(dice / 100 % 4 == 0, dice / 400 % 8 == 0);
    }
    return NULL;
}

START_TEST(readers_never_see_a_write_half_done)
{
    static const unsigned percents[] = {1, 20, 60, 100};
    enum { THREADS = 8 };
    struct thread t[THREADS];
    struct share s[THREADS];
    long writes = 0;
    init_lock(kinds[_i % KINDS]);
    for (int i = 0; i < THREADS; i++) {
        s[i] = (struct share){.seed = (unsigned)i + 1, .percent = percents[_i / KINDS]};
        thread_start(&t[i], read_and_write, &s[i]);
    }
    join_many(t, THREADS);
    for (int i = 0; i < THREADS; i++)
        writes += s[i].writes;
    ck_assert_int_eq(torn, 0);
    ck_assert_int_eq(errors, 0);
    ck_assert_int_eq(first, writes);
    ck_assert_int_eq(second, writes);
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_destroy(&lock));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rwlock_preference");
    TCase *tcase = conform_case(suite, "preference");
    tcase_add_loop_test(tcase, a_reader_reads_again_while_a_writer_waits, 0, NONRECURSIVE);
    tcase_add_loop_test(tcase, another_reader_joins_while_a_writer_waits, 0, NONRECURSIVE);
    tcase_add_test(tcase, nonrecursive_a_waiting_writer_holds_later_readers_back);
    tcase_add_test(tcase, nonrecursive_all_waiting_writers_go_before_the_readers);
    tcase_add_test(tcase, nonrecursive_without_a_waiting_writer_a_reader_reads_again);
    tcase_add_loop_test(tcase, when_a_writer_leaves_all_waiting_readers_come_in_together, 0, KINDS);
    tcase_add_loop_test(tcase, waiting_writers_follow_each_other, 0, KINDS);
    tcase_add_loop_test(tcase, readers_with_gaps_do_not_starve_a_writer, 0, KINDS);
    tcase_add_test(tcase, nonrecursive_readers_without_gaps_do_not_starve_a_writer);
    tcase = conform_case(suite, "exclusion");
    tcase_add_loop_test(tcase, readers_never_see_a_write_half_done, 0, 4 * KINDS);
    return conform_run(suite);
}
