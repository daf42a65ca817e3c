/* SPDX-License-Identifier: MIT */
/*
 * How many threads there can be: ten thousand that come and go, each using every kind of object,
 * two thousand that are asleep on one condition variable, mutex or reader-writer lock at once, and
 * a thousand readers with a million read locks; a tenth of them under an emulator. What one thread
 * can do is left to limits.
 */
#include "gate.h"

#include "mutex_kinds.h"
#include "rwlock_kinds.h"

enum {
    KINDS = MUTEX_PP_KINDS_BEGIN,
    IN_TURN = 10000,
    AT_ONCE = 2000,
    READERS = 1000,
    READS = 1000,
    GROWTH = 8192, /* kilobytes that ten thousand threads may leave behind */
};

/* Every fourth kind of mutex is of type normal: three of these are used in every run, all in a
 * soak.
 */
enum { NORMAL = 0, ROBUST = 2, INHERITING = 4 };

static pthread_mutex_t mutexes[KINDS], mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlocks[RWLOCK_KINDS], rwlock;

/* Unlike thread_start, without waiting for the thread. Gives pthread_create's error. */
static int try_to_start(pthread_t *id, void *(*body)(void *), void *argument)
{
    pthread_attr_t attr;
    OK(pthread_attr_init(&attr));
    OK(pthread_attr_setstacksize(&attr, GATE_STACK_SIZE));
    int error = pthread_create(id, &attr, body, argument);
    REQUIRE(error == 0 || error == EAGAIN, "pthread_create: %s", strerror(error));
    OK(pthread_attr_destroy(&attr));
    return error;
}

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t id;
    int error = try_to_start(&id, body, argument);
    REQUIRE(error == 0, "pthread_create: %s", strerror(error));
    return id;
}

/* ---- in turn ---- */

static pthread_cond_t conds[KINDS];
static int posted;

static void use_all(int number)
{
    struct timespec past = {-1, 0};
    for (int i = 0; i < KINDS; i++) {
        OK(pthread_mutex_lock(&mutexes[i]));
        if (i == number % KINDS) {
            /* 0 when the next thread's signal comes first. */
            int error = pthread_cond_timedwait(&conds[i], &mutexes[i], &past);
            REQUIRE(error == ETIMEDOUT || error == 0, "timedwait gives %d", error);
        }
        OK(pthread_cond_signal(&conds[i]));
        OK(pthread_mutex_unlock(&mutexes[i]));
    }
    for (int i = 0; i < RWLOCK_KINDS; i++) {
        OK(pthread_rwlock_rdlock(&rwlocks[i]));
        OK(pthread_rwlock_unlock(&rwlocks[i]));
        OK(pthread_rwlock_wrlock(&rwlocks[i]));
        OK(pthread_rwlock_unlock(&rwlocks[i]));
    }
}

/* Wakes the thread before it and waits for the one after it, which may overtake it. */
static void *use_all_and_wait_for_the_next(void *argument)
{
    int me = (int)(long)argument;
    use_all(me);
    OK(pthread_mutex_lock(&mutex));
    if (posted < me)
        posted = me;
    OK(pthread_cond_broadcast(&cond));
    while (posted <= me)
        OK(pthread_cond_wait(&cond, &mutex));
    OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

static long resident_kilobytes(void)
{
    long pages = -1;
    FILE *file = fopen("/proc/self/statm", "re");
    REQUIRE(file && fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm cannot be read");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

START_TEST(ten_thousand_threads_in_turn_use_every_kind_of_object)
{
    const int threads = repeats(IN_TURN);
    long before = 0;
    make_mutex(&mutex, &mutex_kinds[0]);
    for (int i = 0; i < KINDS; i++) {
        make_mutex(&mutexes[i], &mutex_kinds[i]);
        OK(pthread_cond_init(&conds[i], NULL));
    }
    for (int i = 0; i < RWLOCK_KINDS; i++)
        make_rwlock(&rwlocks[i], i);
    pthread_t last = start(use_all_and_wait_for_the_next, (void *)1);
    for (long i = 2; i <= threads; i++) {
        pthread_t next = start(use_all_and_wait_for_the_next, (void *)i);
        ck_assert_int_eq(pthread_join(last, NULL), 0);
        last = next;
        if (i == threads / 10)
            before = resident_kilobytes();
    }
    OK(pthread_mutex_lock(&mutex));
    posted = threads + 1;
    OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
    ck_assert_int_eq(pthread_join(last, NULL), 0);
    long grown = resident_kilobytes() - before;
    ck_assert_msg(grown < GROWTH, "%d threads leave %ld kilobytes", threads, grown);
}
END_TEST

/* ---- at once ---- */

static pthread_t ids[AT_ONCE];
static pid_t tids[AT_ONCE];
static int came, served, open, inside;

/* Every thread that sleeps anywhere else does so for a moment only. */
static void await_all_asleep(int n)
{
    while (__atomic_load_n(&came, __ATOMIC_ACQUIRE) < n)
        sleep_ms(1);
    for (int i = 0; i < n; i++) {
        while (thread_state(tids[i]) != 'S')
            sleep_ms(1);
    }
}

static void come(void)
{
    int number = __atomic_fetch_add(&came, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&tids[number], (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
}

/* So many threads may be more than a limit on processes allows. Those that are there sleep, so
 * that the test, which runs in a child of its own, can only be left by ending the child.
 */
static void start_all(const char *test, void *(*body)(void *), int n)
{
    for (long i = 0; i < n; i++) {
        int error = try_to_start(&ids[i], body, (void *)i);
        if (error == 0)
            continue;
        skip_line(test, "pthread_create: %s after %ld threads", strerror(error), i);
        _exit(EXIT_SUCCESS);
    }
}

static void join_all(int n)
{
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
}

static void *wait_until_open(void *unused)
{
    OK(pthread_mutex_lock(&mutex));
    come();
    while (!open)
        OK(pthread_cond_wait(&cond, &mutex));
    served++;
    OK(pthread_mutex_unlock(&mutex));
    (void)unused;
    return NULL;
}

static void wake_all(int (*notify)(pthread_cond_t *), int times, bool holding)
{
    OK(pthread_mutex_lock(&mutex));
    ck_assert_int_eq(served, 0);
    open = 1;
    if (!holding)
        OK(pthread_mutex_unlock(&mutex));
    for (int i = 0; i < times; i++)
        OK(notify(&cond));
    if (holding)
        OK(pthread_mutex_unlock(&mutex));
}

START_TEST(two_thousand_asleep_on_one_condition_variable_are_all_woken)
{
    make_mutex(&mutex, &mutex_kinds[_i / 3 * 4]);
    start_all(__func__, wait_until_open, repeats(AT_ONCE));
    await_all_asleep(repeats(AT_ONCE));
    if (_i % 3 == 2)
        wake_all(pthread_cond_signal, repeats(AT_ONCE), false);
    else
        wake_all(pthread_cond_broadcast, 1, _i % 3 == 0);
    join_all(repeats(AT_ONCE));
    ck_assert_int_eq(served, repeats(AT_ONCE));
    OK(pthread_cond_destroy(&cond));
    OK(pthread_mutex_destroy(&mutex));
}
END_TEST

static void be_served(void)
{
    int seen = served;
    if (seen % 256 == 0)
        sched_yield();
    REQUIRE(served == seen, "%s: two threads are inside", conform_context);
    served = seen + 1;
}

static void *pass_mutex(void *unused)
{
    come();
    OK(pthread_mutex_lock(&mutex));
    be_served();
    OK(pthread_mutex_unlock(&mutex));
    return unused;
}

START_TEST(two_thousand_asleep_on_one_mutex_all_get_it)
{
    make_mutex(&mutex, &mutex_kinds[4 * _i]);
    OK(pthread_mutex_lock(&mutex));
    start_all(__func__, pass_mutex, repeats(AT_ONCE));
    await_all_asleep(repeats(AT_ONCE));
    ck_assert_int_eq(served, 0);
    OK(pthread_mutex_unlock(&mutex));
    join_all(repeats(AT_ONCE));
    ck_assert_int_eq(served, repeats(AT_ONCE));
    OK(pthread_mutex_destroy(&mutex));
}
END_TEST

static void *read_or_write(void *number)
{
    bool writing = (long)number % 2;
    come();
    OK(writing ? pthread_rwlock_wrlock(&rwlock) : pthread_rwlock_rdlock(&rwlock));
    if (writing) {
        REQUIRE(__atomic_load_n(&inside, __ATOMIC_RELAXED) == 0, "a writer beside readers");
        be_served();
    } else {
        __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
    }
    OK(pthread_rwlock_unlock(&rwlock));
    return NULL;
}

START_TEST(two_thousand_asleep_on_one_rwlock_all_get_it)
{
    make_rwlock(&rwlock, _i);
    OK(pthread_rwlock_wrlock(&rwlock));
    start_all(__func__, read_or_write, repeats(AT_ONCE));
    await_all_asleep(repeats(AT_ONCE));
    ck_assert_int_eq(served, 0);
    OK(pthread_rwlock_unlock(&rwlock));
    join_all(repeats(AT_ONCE));
    ck_assert_int_eq(served, repeats(AT_ONCE) / 2);
    OK(pthread_rwlock_destroy(&rwlock));
}
END_TEST

/* ---- readers ---- */

static void *read_many_times(void *unused)
{
    int errors = 0;
    for (int i = 0; i < READS; i++)
        errors += pthread_rwlock_rdlock(&rwlock) != 0;
    __atomic_add_fetch(&inside, 1, __ATOMIC_RELEASE);
    come();
    OK(pthread_mutex_lock(&mutex));
    while (!open)
        OK(pthread_cond_wait(&cond, &mutex));
    OK(pthread_mutex_unlock(&mutex));
    __atomic_sub_fetch(&inside, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < READS; i++)
        errors += pthread_rwlock_unlock(&rwlock) != 0;
    REQUIRE(errors == 0, "%d calls of a reader fail", errors);
    return unused;
}

static void *write_after_all(void *unused)
{
    OK(pthread_rwlock_wrlock(&rwlock));
    REQUIRE(__atomic_load_n(&inside, __ATOMIC_ACQUIRE) == 0, "a writer beside readers");
    OK(pthread_rwlock_unlock(&rwlock));
    return unused;
}

START_TEST(a_thousand_readers_hold_a_million_read_locks)
{
    struct thread writer;
    make_mutex(&mutex, &mutex_kinds[0]);
    make_rwlock(&rwlock, _i);
    start_all(__func__, read_many_times, repeats(READERS));
    await_all_asleep(repeats(READERS));
    ck_assert_int_eq(inside, repeats(READERS));
    EXPECT(pthread_rwlock_trywrlock(&rwlock), EBUSY);
    thread_start(&writer, write_after_all, NULL);
    wait_until_asleep(writer.tid);
    wake_all(pthread_cond_broadcast, 1, true);
    join_all(repeats(READERS));
    thread_join(&writer);
    OK(pthread_rwlock_trywrlock(&rwlock));
    OK(pthread_rwlock_unlock(&rwlock));
    OK(pthread_rwlock_destroy(&rwlock));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits_threads");
    TCase *tcase = conform_case(suite, "in turn");
    tcase_add_test(tcase, ten_thousand_threads_in_turn_use_every_kind_of_object);
    tcase = conform_case(suite, "at once");
    bool soak = is_soak();
    for (int i = 0; i < KINDS / 4; i++) {
        if (!soak && i != NORMAL && i != ROBUST && i != INHERITING)
            continue;
        tcase_add_loop_test(tcase, two_thousand_asleep_on_one_condition_variable_are_all_woken,
                            3 * i, 3 * i + (soak || i == NORMAL ? 3 : 1));
        tcase_add_loop_test(tcase, two_thousand_asleep_on_one_mutex_all_get_it, i, i + 1);
    }
    tcase_add_loop_test(tcase, two_thousand_asleep_on_one_rwlock_all_get_it, 0,
                        soak ? RWLOCK_KINDS : RWLOCK_SHARED_KINDS_BEGIN);
    tcase = conform_case(suite, "readers");
    tcase_add_loop_test(tcase, a_thousand_readers_hold_a_million_read_locks, 0, RWLOCK_KINDS);
    return conform_run(suite);
}
