/* SPDX-License-Identifier: MIT */
/* Reader-writer locks: who gets in beside whom, who goes first, moments, and what odd objects are
   answered. */
#include "check.h"

#include <stdlib.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int readers, writers; /* inside */

static int try_read(void *nothing)
{
    int err = pthread_rwlock_tryrdlock(&lock);

    if (err == 0)
        OK(pthread_rwlock_unlock(&lock));
    return err;
}

static int try_write(void *nothing)
{
    int err = pthread_rwlock_trywrlock(&lock);

    if (err == 0)
        OK(pthread_rwlock_unlock(&lock));
    return err;
}

static int read_until(void *at)
{
    int err = pthread_rwlock_timedrdlock(&lock, at);

    if (err == 0)
        OK(pthread_rwlock_unlock(&lock));
    return err;
}

static int write_until(void *at)
{
    int err = pthread_rwlock_timedwrlock(&lock, at);

    if (err == 0)
        OK(pthread_rwlock_unlock(&lock));
    return err;
}

static void readers_share_and_writers_do_not(void)
{
    OK(pthread_rwlock_rdlock(&lock));
    OK(pthread_rwlock_rdlock(&lock));
    OK(in_thread(try_read, NULL));
    CHECK_INT(in_thread(try_write, NULL), EBUSY);
    CHECK_INT(pthread_rwlock_trywrlock(&lock), EBUSY);
    OK(pthread_rwlock_unlock(&lock));
    CHECK_INT(in_thread(try_write, NULL), EBUSY);
    OK(pthread_rwlock_unlock(&lock));
    OK(in_thread(try_write, NULL));
    OK(pthread_rwlock_wrlock(&lock));
    CHECK_INT(in_thread(try_read, NULL), EBUSY);
    CHECK_INT(in_thread(try_write, NULL), EBUSY);
    CHECK_INT(pthread_rwlock_tryrdlock(&lock), EBUSY);
    CHECK_INT(pthread_rwlock_trywrlock(&lock), EBUSY);
    OK(pthread_rwlock_unlock(&lock));
    OK(in_thread(try_read, NULL));
    OK(in_thread(try_write, NULL));
}

static int unlock_it(void *nothing)
{
    return pthread_rwlock_unlock(&lock);
}

static void anybody_may_unlock(void)
{
    OK(pthread_rwlock_wrlock(&lock));
    OK(in_thread(unlock_it, NULL));
    OK(in_thread(try_write, NULL));
    OK(pthread_rwlock_rdlock(&lock));
    OK(in_thread(unlock_it, NULL));
    OK(in_thread(try_write, NULL));
}

static void unlock_of_one_that_nobody_holds_changes_nothing(void)
{
    for (int i = 0; i < 3; i++) {
        OK(pthread_rwlock_unlock(&lock));
        OK(pthread_rwlock_rdlock(&lock));
        CHECK_INT(in_thread(try_write, NULL), EBUSY);
        OK(pthread_rwlock_unlock(&lock));
        OK(in_thread(try_write, NULL));
    }
}

/* ---- moments ------------------------------------------------------------------- */

static void moments(void)
{
    struct timespec passed = {0, 0};

    OK(in_thread(read_until, &passed));
    OK(in_thread(write_until, &passed));
    OK(in_thread(read_until, NULL));
    CHECK_INT(in_thread(write_until, NULL), EINVAL);
    OK(pthread_rwlock_wrlock(&lock));
    CHECK_INT(in_thread(read_until, &passed), ETIMEDOUT);
    CHECK_INT(in_thread(write_until, &passed), ETIMEDOUT);
    for (int i = 0; i < 5; i++) {
        struct timespec at = check_after(5 + i);

        CHECK_INT(in_thread(read_until, &at), ETIMEDOUT);
        CHECK(check_is_past(at));
        at = check_after(5 + i);
        CHECK_INT(in_thread(write_until, &at), ETIMEDOUT);
        CHECK(check_is_past(at));
    }
    passed = check_after(10);
    CHECK_INT(pthread_rwlock_timedrdlock(&lock, &passed), ETIMEDOUT);
    CHECK_INT(pthread_rwlock_timedwrlock(&lock, &passed), ETIMEDOUT);
    OK(pthread_rwlock_unlock(&lock));
    OK(in_thread(try_write, NULL));
    OK(pthread_rwlock_rdlock(&lock));
    passed = check_after(10);
    OK(in_thread(read_until, &passed));
    CHECK_INT(in_thread(write_until, &passed), ETIMEDOUT);
    OK(in_thread(try_read, NULL)); /* no writer waits any more */
    OK(pthread_rwlock_unlock(&lock));
    OK(in_thread(try_write, NULL));
}

static void the_writer_that_asks_again_is_told(void)
{
    OK(pthread_rwlock_wrlock(&lock));
    CHECK_INT(pthread_rwlock_wrlock(&lock), EDEADLK);
    CHECK_INT(pthread_rwlock_rdlock(&lock), EDEADLK);
    OK(pthread_rwlock_unlock(&lock));
    OK(in_thread(try_write, NULL));
    CHECK_INT(pthread_rwlock_destroy(&lock), 0);
    lock = PTHREAD_RWLOCK_INITIALIZER;
}

/* ---- waiting --------------------------------------------------------------------- */

static int begun;
static int inside;
static int let_go;

static int be_writer(void *nothing)
{
    check_add(&begun, 1);
    OK(pthread_rwlock_wrlock(&lock));
    check_add(&inside, 1);
    check_until(&let_go, 1);
    OK(pthread_rwlock_unlock(&lock));
    return 0;
}

static int be_reader(void *nothing)
{
    check_add(&begun, 1);
    OK(pthread_rwlock_rdlock(&lock));
    check_add(&inside, 1);
    check_until(&let_go, 1);
    OK(pthread_rwlock_unlock(&lock));
    return 0;
}

static void a_waiting_writer_keeps_new_readers_out(void)
{
    struct thread writer;
    struct timespec at;

    begun = inside = let_go = 0;
    OK(pthread_rwlock_rdlock(&lock));
    thread_start(&writer, be_writer, NULL);
    while (in_thread(try_read, NULL) == 0)
        check_pause(1);
    CHECK_INT(in_thread(try_read, NULL), EBUSY);
    at = check_after(10);
    CHECK_INT(in_thread(read_until, &at), ETIMEDOUT);
    CHECK_INT(check_load(&inside), 0);
    OK(pthread_rwlock_unlock(&lock));
    check_until(&inside, 1);
    CHECK_INT(in_thread(try_read, NULL), EBUSY);
    let_go = 1;
    OK(thread_join(&writer));
    OK(in_thread(try_read, NULL));
}

static void waiting_readers_enter_together(void)
{
    struct thread threads[4];

    begun = inside = let_go = 0;
    OK(pthread_rwlock_wrlock(&lock));
    for (int i = 0; i < 4; i++)
        thread_start(&threads[i], be_reader, NULL);
    check_until(&begun, 4);
    check_pause(20);
    CHECK_INT(check_load(&inside), 0);
    OK(pthread_rwlock_unlock(&lock));
    check_until(&inside, 4); /* each stays until let go */
    let_go = 1;
    for (int i = 0; i < 4; i++)
        OK(thread_join(&threads[i]));
    OK(in_thread(try_write, NULL));
}

static void waiting_writers_enter_one_by_one(void)
{
    struct thread threads[3];

    begun = inside = let_go = 0;
    OK(pthread_rwlock_wrlock(&lock));
    for (int i = 0; i < 3; i++)
        thread_start(&threads[i], be_writer, NULL);
    check_until(&begun, 3);
    OK(pthread_rwlock_unlock(&lock));
    check_until(&inside, 1);
    check_pause(20);
    CHECK_INT(check_load(&inside), 1);
    let_go = 1;
    for (int i = 0; i < 3; i++)
        OK(thread_join(&threads[i]));
    OK(in_thread(try_write, NULL));
}

static int let_go_soon(void *nothing)
{
    check_pause(20);
    check_add(&let_go, 1);
    return 0;
}

/* It is no longer the writer, and waits like anybody else. */
static void a_writer_that_has_left_waits_again(void)
{
    for (int round = 0; round < 2; round++) {
        struct thread other;
        struct thread opener;

        begun = inside = let_go = 0;
        OK(pthread_rwlock_wrlock(&lock));
        OK(pthread_rwlock_unlock(&lock));
        thread_start(&other, round == 0 ? be_reader : be_writer, NULL);
        check_until(&inside, 1);
        thread_start(&opener, let_go_soon, NULL);
        OK(round == 0 ? pthread_rwlock_wrlock(&lock) : pthread_rwlock_rdlock(&lock));
        OK(pthread_rwlock_unlock(&lock));
        OK(thread_join(&other));
        OK(thread_join(&opener));
    }
}

/* ---- objects ---------------------------------------------------------------------- */

static void destruction(void)
{
    pthread_rwlock_t one = PTHREAD_RWLOCK_INITIALIZER;
    struct timespec at = check_after(10);

    OK(pthread_rwlock_destroy(&one));
    CHECK_INT(one, 0);
    CHECK_INT(pthread_rwlock_destroy(&one), EINVAL);
    CHECK_INT(pthread_rwlock_unlock(&one), EINVAL);
    CHECK_INT(pthread_rwlock_rdlock(&one), EINVAL);
    CHECK_INT(pthread_rwlock_wrlock(&one), EINVAL);
    CHECK_INT(pthread_rwlock_tryrdlock(&one), EINVAL);
    CHECK_INT(pthread_rwlock_trywrlock(&one), EINVAL);
    CHECK_INT(pthread_rwlock_timedrdlock(&one, &at), EINVAL);
    CHECK_INT(pthread_rwlock_timedwrlock(&one, &at), EINVAL);
    OK(pthread_rwlock_init(&one, NULL));
    OK(pthread_rwlock_rdlock(&one));
    CHECK_INT(pthread_rwlock_destroy(&one), EBUSY);
    OK(pthread_rwlock_unlock(&one));
    OK(pthread_rwlock_destroy(&one));
    CHECK_INT(pthread_rwlock_init(NULL, NULL), EINVAL);
    CHECK_INT(pthread_rwlock_destroy(NULL), EINVAL);
    CHECK_INT(pthread_rwlock_unlock(NULL), EINVAL);
}

static void one_that_is_held_for_writing_is_not_destroyed(void)
{
    pthread_rwlock_t one = PTHREAD_RWLOCK_INITIALIZER;

    OK(pthread_rwlock_wrlock(&one));
    CHECK_INT(pthread_rwlock_destroy(&one), EBUSY);
    OK(pthread_rwlock_unlock(&one));
    OK(pthread_rwlock_destroy(&one));
}

static void one_that_nobody_has_used_is_not_unlocked(void)
{
    pthread_rwlock_t one = PTHREAD_RWLOCK_INITIALIZER;

    CHECK_INT(pthread_rwlock_unlock(&one), EPERM);
    CHECK_INT(one, -1);
}

static void a_shared_one_is_made_like_any_other(void)
{
    pthread_rwlockattr_t attr;
    pthread_rwlock_t one;

    OK(pthread_rwlockattr_init(&attr));
    OK(pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
    OK(pthread_rwlock_init(&one, &attr));
    OK(pthread_rwlock_rdlock(&one));
    OK(pthread_rwlock_unlock(&one));
    OK(pthread_rwlock_destroy(&one));
}

/* ---- counts ------------------------------------------------------------------------- */

#define THREADS 4

static int rounds;
static int total; /* guarded by the lock */

static int go_round(void *argument)
{
    unsigned seed = (unsigned)(intptr_t)argument;

    for (int i = 0; i < rounds; i++) {
        seed = seed * 1103515245 + 12345;
        if (seed >> 16 & 3) {
            OK(pthread_rwlock_rdlock(&lock));
            check_add(&readers, 1);
            CHECK_INT(check_load(&writers), 0);
            check_add(&readers, -1);
        } else {
            OK(pthread_rwlock_wrlock(&lock));
            check_add(&writers, 1);
            CHECK_INT(check_load(&writers), 1);
            CHECK_INT(check_load(&readers), 0);
            total++;
            check_add(&writers, -1);
        }
        if (i % 64 == 0)
            check_pause(0);
        OK(pthread_rwlock_unlock(&lock));
    }
    return 0;
}

static int count_writes(int id)
{
    unsigned seed = (unsigned)id;
    int writes = 0;

    for (int i = 0; i < rounds; i++) {
        seed = seed * 1103515245 + 12345;
        writes += (seed >> 16 & 3) == 0;
    }
    return writes;
}

static void readers_and_writers_are_never_inside_together(void)
{
    const char *soak = getenv("FASTSYNC_SOAK");
    struct thread threads[THREADS];
    int expected = 0;

    rounds = soak && *soak && *soak != '0' ? 300000 : 6000;
    total = 0;
    for (int i = 0; i < THREADS; i++)
        thread_start(&threads[i], go_round, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        OK(thread_join(&threads[i]));
        expected += count_writes(i + 1);
    }
    CHECK_INT(total, expected);
}

static const struct check_case cases[] = {
    CHECK_CASE(readers_share_and_writers_do_not),
    CHECK_CASE(anybody_may_unlock),
    CHECK_CASE_OURS(unlock_of_one_that_nobody_holds_changes_nothing,
                    "winpthreads lets writers in beside readers then"),
    CHECK_CASE(moments),
    CHECK_CASE_OURS(the_writer_that_asks_again_is_told, "winpthreads waits for ever then"),
    CHECK_CASE(a_waiting_writer_keeps_new_readers_out),
    CHECK_CASE(waiting_readers_enter_together),
    CHECK_CASE(waiting_writers_enter_one_by_one),
    CHECK_CASE(a_writer_that_has_left_waits_again),
    CHECK_CASE(destruction),
    CHECK_CASE_OURS(one_that_is_held_for_writing_is_not_destroyed,
                    "winpthreads waits for ever then"),
    CHECK_CASE_OURS(one_that_nobody_has_used_is_not_unlocked, "winpthreads reads address -1"),
    CHECK_CASE(a_shared_one_is_made_like_any_other),
    CHECK_CASE(readers_and_writers_are_never_inside_together),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
