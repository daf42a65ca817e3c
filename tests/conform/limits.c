/* SPDX-License-Identifier: MIT */
/*
 * How far one thread can go: a recursive mutex and read locks taken millions of times, to the end
 * where that can be reached, and millions of objects used one after another, without growth of
 * memory. How many threads there can be is left to limits_threads, the count that overflows for
 * mutexes to mutex_kinds.
 */
#include "gate.h"

#include "mutex_kinds.h"
#include "rwlock_kinds.h"

enum {
    KINDS = MUTEX_PP_KINDS_BEGIN,
    DEPTH = 10000000,
    READS = 1000000,
    OBJECTS = 1000000,
    SECONDS = 300, /* for a million objects on a slow machine */
    GROWTH = 8192, /* kilobytes that a million uses may cost */
};

static const struct mutex_kind *kind;

/* ---- depth ---- */

static void *trylock_is_busy(void *m)
{
    EXPECT(pthread_mutex_trylock(m), EBUSY);
    return NULL;
}

static void *lock_and_unlock(void *m)
{
    OK(pthread_mutex_lock(m));
    OK(pthread_mutex_unlock(m));
    return NULL;
}

START_TEST(a_recursive_mutex_counts_to_millions_and_back)
{
    pthread_mutex_t m;
    int errors = 0;
    kind = &mutex_kinds[_i];
    int depth = _i == 1 || is_soak() ? DEPTH : DEPTH / 10;
    make_mutex(&m, kind);
    for (int i = 0; i < depth; i++)
        errors += pthread_mutex_lock(&m) != 0;
    in_thread(trylock_is_busy, &m);
    for (int i = 1; i < depth; i++)
        errors += pthread_mutex_unlock(&m) != 0;
    ck_assert_int_eq(errors, 0);
    in_thread(trylock_is_busy, &m);
    OK(pthread_mutex_unlock(&m));
    EXPECT(pthread_mutex_unlock(&m), EPERM);
    in_thread(lock_and_unlock, &m);
    OK(pthread_mutex_destroy(&m));
}
END_TEST

START_TEST(a_recursive_mutex_gives_EAGAIN_after_four_thousand_million_locks)
{
    pthread_mutex_t m = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    unsigned long locks = 0;
    while (pthread_mutex_lock(&m) == 0)
        locks++;
    ck_assert_uint_eq(locks, UINT32_MAX);
    EXPECT(pthread_mutex_lock(&m), EAGAIN);
    in_thread(trylock_is_busy, &m);
    for (unsigned long i = 0; i < UINT32_MAX; i++)
        REQUIRE(pthread_mutex_unlock(&m) == 0, "unlock %lu fails", i);
    EXPECT(pthread_mutex_unlock(&m), EPERM);
    in_thread(lock_and_unlock, &m);
}
END_TEST

static void *write_is_busy(void *l)
{
    EXPECT(pthread_rwlock_trywrlock(l), EBUSY);
    return NULL;
}

static void *write_and_unlock(void *l)
{
    OK(pthread_rwlock_wrlock(l));
    OK(pthread_rwlock_unlock(l));
    return NULL;
}

static int release_reads(pthread_rwlock_t *l, long reads)
{
    int errors = 0;
    for (long i = 1; i < reads; i++)
        errors += pthread_rwlock_unlock(l) != 0;
    in_thread(write_is_busy, l);
    OK(pthread_rwlock_unlock(l));
    in_thread(write_and_unlock, l);
    return errors;
}

START_TEST(one_thread_holds_a_million_read_locks)
{
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 1000000);
    pthread_rwlock_t l;
    int errors = 0;
    make_rwlock(&l, _i);
    for (int i = 0; i < READS; i += 4) {
        errors += pthread_rwlock_rdlock(&l) != 0;
        errors += pthread_rwlock_tryrdlock(&l) != 0;
        errors += pthread_rwlock_timedrdlock(&l, &later) != 0;
        errors += pthread_rwlock_rdlock(&l) != 0;
    }
    in_thread(write_is_busy, &l);
    errors += release_reads(&l, READS);
    ck_assert_int_eq(errors, 0);
    OK(pthread_rwlock_destroy(&l));
}
END_TEST

/* A hundred million and more; glibc counts to another end than the library. */
START_TEST(too_many_read_locks_give_EAGAIN_and_harm_nothing)
{
    struct timespec later = deadline_in_ms(CLOCK_REALTIME, 1000000);
    pthread_rwlock_t l;
    long reads = 0;
    int error;
    make_rwlock(&l, _i);
    while ((error = pthread_rwlock_rdlock(&l)) == 0)
        reads++;
    ck_assert_int_eq(error, EAGAIN);
    ck_assert_int_gt(reads, 100000000);
    EXPECT(pthread_rwlock_rdlock(&l), EAGAIN);
    EXPECT(pthread_rwlock_tryrdlock(&l), EAGAIN);
    EXPECT(pthread_rwlock_timedrdlock(&l, &later), EAGAIN);
    EXPECT(pthread_rwlock_clockrdlock(&l, CLOCK_MONOTONIC, &later), EAGAIN);
    EXPECT(pthread_rwlock_trywrlock(&l), EBUSY);
    OK(pthread_rwlock_unlock(&l));
    OK(pthread_rwlock_tryrdlock(&l));
    EXPECT(pthread_rwlock_tryrdlock(&l), EAGAIN);
    ck_assert_int_eq(release_reads(&l, reads), 0);
    OK(pthread_rwlock_destroy(&l));
}
END_TEST

/* ---- one after another ---- */

static long resident_kilobytes(void)
{
    long pages = -1;
    FILE *file = fopen("/proc/self/statm", "re");
    REQUIRE(file && fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm cannot be read");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Memory that is there already when the counting begins. */
static void *resident_memory(size_t size)
{
    void *p = malloc(size);
    REQUIRE(p, "no memory");
    memset(p, 0xff, size);
    return p;
}

/* Two threads, or three, that go through all objects together. */
static void go_through(void *(*body)(void *), int threads)
{
    struct thread t[3];
    long before = resident_kilobytes();
    for (int i = 0; i < threads; i++)
        start_many(&t[i], 1, body, &t[i]);
    join_many(t, threads);
    long grown = resident_kilobytes() - before;
    ck_assert_msg(grown < GROWTH, "%d objects cost %ld kilobytes", OBJECTS, grown);
}

static pthread_cond_t *conds;
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static int posted, waits, places;

/* Of so many condition variables one is waited for until the other thread signals it; every fourth
 * of the rest is waited for in vain. A soak has the other thread for all. */
static int stride(void)
{
    return is_soak() ? 1 : 32;
}

static void use_alone(pthread_cond_t *c, bool waiting)
{
    struct timespec past = {-1, 0};
    OK(pthread_cond_init(c, NULL));
    if (waiting)
        EXPECT(pthread_cond_timedwait(c, &table, &past), ETIMEDOUT);
    OK(pthread_cond_signal(c));
    OK(pthread_cond_broadcast(c));
    OK(pthread_cond_destroy(c));
}

/* The two threads are waiter and signaller in turn. Each waits for the next one before the other,
 * who needs the mutex, can signal that. */
static void *post_and_wait(void *unused)
{
    (void)unused;
    OK(pthread_mutex_lock(&table));
    int me = places++;
    for (int i = 0; i < OBJECTS; i += stride()) {
        if (i / stride() % 2 == me) {
            while (posted <= i) {
                waits++;
                OK(pthread_cond_wait(&conds[i], &table));
            }
            OK(pthread_cond_destroy(&conds[i]));
        } else {
            int next = i + stride();
            if (next < OBJECTS)
                OK(pthread_cond_init(&conds[next], NULL));
            for (int k = i + 1; k < next; k++)
                use_alone(&conds[k], k % 4 == 0);
            posted = i + 1;
            OK(pthread_cond_signal(&conds[i]));
        }
    }
    OK(pthread_mutex_unlock(&table));
    return NULL;
}

START_TEST(a_million_condition_variables_in_turn_cost_no_memory)
{
    conds = resident_memory(OBJECTS * sizeof *conds);
    OK(pthread_cond_init(&conds[0], NULL));
    go_through(post_and_wait, 2);
    ck_assert_int_ge(waits, OBJECTS / stride() - 1);
}
END_TEST

static pthread_mutex_t *mutexes;
static unsigned char *uses;

/* Three threads follow each other: whoever overtakes nobody waits for the one before it. */
static void *pass_from_mutex_to_mutex(void *unused)
{
    (void)unused;
    OK(pthread_mutex_lock(&mutexes[0]));
    for (int i = 0; i < OBJECTS; i++) {
        uses[i]++;
        if (i + 1 < OBJECTS)
            OK(pthread_mutex_lock(&mutexes[i + 1]));
        OK(pthread_mutex_unlock(&mutexes[i]));
    }
    return NULL;
}

START_TEST(a_million_mutexes_in_turn_cost_no_memory)
{
    kind = &mutex_kinds[_i];
    mutexes = resident_memory(OBJECTS * sizeof *mutexes);
    uses = resident_memory(OBJECTS);
    memset(uses, 0, OBJECTS);
    for (int i = 0; i < OBJECTS; i++)
        make_mutex(&mutexes[i], kind);
    go_through(pass_from_mutex_to_mutex, 3);
    for (int i = 0; i < OBJECTS; i++) {
        REQUIRE(uses[i] == 3, "%s: number %d was used %d times", kind->name, i, uses[i]);
        OK(pthread_mutex_destroy(&mutexes[i]));
    }
}
END_TEST

static pthread_rwlock_t *rwlocks;

/* A writer never overtakes, a reader only readers. */
static void *pass_from_rwlock_to_rwlock(void *unused)
{
    static int writers;
    bool writing = __atomic_add_fetch(&writers, 1, __ATOMIC_RELAXED) <= 2;
    int (*lock)(pthread_rwlock_t *) = writing ? pthread_rwlock_wrlock : pthread_rwlock_rdlock;
    (void)unused;
    OK(lock(&rwlocks[0]));
    for (int i = 0; i < OBJECTS; i++) {
        uses[i] += writing;
        if (i + 1 < OBJECTS)
            OK(lock(&rwlocks[i + 1]));
        OK(pthread_rwlock_unlock(&rwlocks[i]));
    }
    return NULL;
}

START_TEST(a_million_rwlocks_in_turn_cost_no_memory)
{
    rwlocks = resident_memory(OBJECTS * sizeof *rwlocks);
    uses = resident_memory(OBJECTS);
    memset(uses, 0, OBJECTS);
    for (int i = 0; i < OBJECTS; i++)
        make_rwlock(&rwlocks[i], _i);
    go_through(pass_from_rwlock_to_rwlock, 3);
    for (int i = 0; i < OBJECTS; i++) {
        REQUIRE(uses[i] == 2, "number %d was written %d times", i, uses[i]);
        OK(pthread_rwlock_destroy(&rwlocks[i]));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *tcase = conform_case(suite, "depth");
    for (int i = 0; i < KINDS; i++) {
        if (mutex_kinds[i].type == PTHREAD_MUTEX_RECURSIVE)
            tcase_add_loop_test(tcase, a_recursive_mutex_counts_to_millions_and_back, i, i + 1);
    }
    tcase_add_loop_test(tcase, one_thread_holds_a_million_read_locks, 0, RWLOCK_KINDS);
    if (is_soak()) {
        tcase = conform_case(suite, "the end");
        tcase_set_timeout(tcase, 20 * CONFORM_TIMEOUT);
        tcase_add_test(tcase, a_recursive_mutex_gives_EAGAIN_after_four_thousand_million_locks);
        tcase_add_loop_test(tcase, too_many_read_locks_give_EAGAIN_and_harm_nothing, 0,
                            RWLOCK_KINDS);
    }
    tcase = conform_case(suite, "condition variables");
    tcase_set_timeout(tcase, SECONDS);
    tcase_add_test(tcase, a_million_condition_variables_in_turn_cost_no_memory);
    tcase = conform_case(suite, "mutexes");
    tcase_set_timeout(tcase, SECONDS);
    static const int kinds[] = {0, 8, 16};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        tcase_add_loop_test(tcase, a_million_mutexes_in_turn_cost_no_memory, kinds[i],
                            kinds[i] + 1);
    tcase = conform_case(suite, "rwlocks");
    tcase_set_timeout(tcase, SECONDS);
    tcase_add_loop_test(tcase, a_million_rwlocks_in_turn_cost_no_memory, 0, 3);
    return conform_run(suite);
}
