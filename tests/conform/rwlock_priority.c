/* SPDX-License-Identifier: MIT */
/*
 * Real-time threads of different priorities on one CPU and one reader-writer lock: everybody
 * gets through, since nobody spins against a thread that it keeps from running; and a waiting
 * urgent writer is woken before a waiting writer that is less urgent.
 */
#include "gate.h"

enum { THREADS = 6, ROUNDS = 1500, LOW = 10, MIDDLE = 20, HIGH = 30, KINDS = 3 };

static pthread_rwlock_t lock;
static long first, second, torn, errors;

static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                            PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};

static bool become_real_time(int priority)
{
    struct sched_param param = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), priority ? SCHED_FIFO : SCHED_OTHER, &param) == 0;
}

static void pin_to_one_cpu(void)
{
    cpu_set_t all, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
            return;
        }
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

struct part {
    int priority;
    bool writes;
};

static const struct part parts[THREADS] = {{LOW, true},     {LOW, false},  {MIDDLE, true},
                                           {MIDDLE, false}, {HIGH, false}, {0, true}};

static void *play(void *argument)
{
    const struct part *part = argument;
    unsigned seed = (unsigned)part->priority + part->writes;
    if (part->priority)
        become_real_time(part->priority);
    for (int i = 0; i < ROUNDS; i++) {
        long bad =
            (part->writes ? pthread_rwlock_wrlock(&lock) : pthread_rwlock_rdlock(&lock)) != 0;
        if (part->writes) {
            first++;
            if (i % 8 == 0)
                usleep(1);
            second++;
        } else if (*(volatile long *)&first != *(volatile long *)&second) {
            __atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
        }
        bad += pthread_rwlock_unlock(&lock) != 0;
        if (bad)
            __atomic_add_fetch(&errors, bad, __ATOMIC_RELAXED);
        usleep((unsigned)rand_r(&seed) % 80);
    }
    return NULL;
}

/*
 * In libc an urgent thread can spin without end against a preempted writer that is about to
 * leave (its bug 25619), and this test does not end there: it is asked of the library only.
 */
START_TEST(priorities_do_not_block_each_other)
{
    struct thread t[THREADS];
    if (!become_real_time(LOW))
        SKIP_TEST("no permission for SCHED_FIFO");
    ck_assert(become_real_time(0));
    init_lock(kinds[_i]);
    pin_to_one_cpu();
    for (int i = 0; i < THREADS; i++)
        thread_start(&t[i], play, (void *)&parts[i]);
    join_many(t, THREADS);
    ck_assert_int_eq(errors, 0);
    ck_assert_int_eq(torn, 0);
    ck_assert_int_eq(first, 3 * ROUNDS);
    ck_assert_int_eq(second, 3 * ROUNDS);
    OK(pthread_rwlock_destroy(&lock));
}
END_TEST

static int order[THREADS], arrived;

static void *write_once(void *argument)
{
    int priority = *(const int *)argument;
    ck_assert(become_real_time(priority));
    OK(pthread_rwlock_wrlock(&lock));
    order[arrived++] = priority;
    OK(pthread_rwlock_unlock(&lock));
    return NULL;
}

START_TEST(the_most_urgent_waiting_writer_goes_first)
{
    static const int priorities[4] = {12, 11, 14, 13};
    struct thread t[4];
    if (!become_real_time(LOW))
        SKIP_TEST("no permission for SCHED_FIFO");
    ck_assert(become_real_time(0));
    init_lock(kinds[_i]);
    pin_to_one_cpu();
    OK(pthread_rwlock_wrlock(&lock));
    for (int i = 0; i < 4; i++) {
        thread_start(&t[i], write_once, (void *)&priorities[i]);
        wait_until_asleep(t[i].tid);
    }
    ck_assert(become_real_time(HIGH));
    OK(pthread_rwlock_unlock(&lock));
    join_many(t, 4);
    ck_assert_int_eq(arrived, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(order[i] == 14 - i, "place %d goes to priority %d", i, order[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rwlock_priority");
    TCase *tcase = conform_case(suite, "priority");
    if (under_library())
        tcase_add_loop_test(tcase, priorities_do_not_block_each_other, 0, KINDS);
    tcase_add_loop_test(tcase, the_most_urgent_waiting_writer_goes_first, 0, KINDS);
    return conform_run(suite);
}
