/* SPDX-License-Identifier: MIT */
/*
 * Where plausible reader-writer locks break: read locks that are nested while writers come and go,
 * and read locks released by another thread than their taker, which POSIX leaves open and glibc
 * bears.
 */
#include "conform.h"

enum { ROUNDS = 3000, HANDED = 16 };

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static volatile long first_half, second_half;
static int stop;
static int handed; /* read locks taken and left for the other thread to release */

static void *write_until_stopped(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        OK(pthread_rwlock_wrlock(&lock));
        first_half = first_half + 1;
        sched_yield();
        second_half = second_half + 1;
        OK(pthread_rwlock_unlock(&lock));
        sched_yield();
    }
    return unused;
}

static void look(void)
{
    REQUIRE(first_half == second_half, "a reader sees half a write");
}

static void *read_nested(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        int depth = 1 + i % 4;
        for (int k = 0; k < depth; k++) {
            OK(pthread_rwlock_rdlock(&lock));
            look();
            if (k == 0 && i % 8 == 0)
                sched_yield();
        }
        for (int k = 0; k < depth; k++) {
            look();
            OK(pthread_rwlock_unlock(&lock));
        }
    }
    return unused;
}

static void run(void *(*first)(void *), void *(*second)(void *))
{
    struct thread one, other, writers[2];
    for (int i = 0; i < 2; i++)
        thread_start(&writers[i], write_until_stopped, NULL);
    thread_start(&one, first, NULL);
    thread_start(&other, second, NULL);
    thread_join(&one);
    thread_join(&other);
    raise_flag(&stop, 1);
    for (int i = 0; i < 2; i++)
        thread_join(&writers[i]);
    OK(pthread_rwlock_trywrlock(&lock));
    OK(pthread_rwlock_unlock(&lock));
    OK(pthread_rwlock_destroy(&lock));
}

START_TEST(nested_read_locks_go_on_while_writers_come_and_go)
{
    run(read_nested, read_nested);
}
END_TEST

static void *read_and_leave(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        OK(pthread_rwlock_rdlock(&lock));
        look();
        while (__atomic_load_n(&handed, __ATOMIC_ACQUIRE) >= HANDED)
            sched_yield();
        __atomic_add_fetch(&handed, 1, __ATOMIC_RELEASE);
        OK(pthread_rwlock_rdlock(&lock)); /* one of its own all the while */
        look();
        OK(pthread_rwlock_unlock(&lock));
    }
    return unused;
}

static void *release_what_was_left(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        while (__atomic_load_n(&handed, __ATOMIC_ACQUIRE) == 0)
            sched_yield();
        look();
        __atomic_sub_fetch(&handed, 1, __ATOMIC_RELEASE);
        OK(pthread_rwlock_unlock(&lock));
    }
    return unused;
}

START_TEST(read_locks_released_by_another_thread_keep_writers_out_until_then)
{
    run(read_and_leave, release_what_was_left);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("break_rwlock");
    TCase *tcase = conform_case(suite, "rwlock");
    tcase_add_test(tcase, nested_read_locks_go_on_while_writers_come_and_go);
    tcase_add_test(tcase, read_locks_released_by_another_thread_keep_writers_out_until_then);
    return conform_run(suite);
}
