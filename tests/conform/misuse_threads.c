/* SPDX-License-Identifier: MIT */
/*
 * Misuse that takes several calls or threads: unlocking what is not locked or another's, destroying
 * what is held or waited on, initialising what is in use, one condition variable with two mutexes.
 * Each story is told for every kind of object, on both sides (misuse.h), and tells by its value
 * what the calls returned. A story that ends with libc has to end here.
 */
#include "misuse.h"

#include "mutex_kinds.h"

enum { KINDS = MUTEX_PP_KINDS_BEGIN, RW_KINDS = 6 };

static pthread_mutex_t mutex, second;
static pthread_cond_t cond;
static pthread_rwlock_t lock;

/* One digit of the value that a story returns. */
static int digit(int value, int result)
{
    return value * 10 + (result == 0        ? 0
                         : result == EPERM  ? 1
                         : result == EBUSY  ? 2
                         : result == EINVAL ? 3
                                            : 4);
}

static void init_cond(int shared)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setpshared(&attr, shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
    pthread_cond_init(&cond, &attr);
}

/* ---- stories about a mutex ---- */

static void *lock_it(void *unused)
{
    pthread_mutex_lock(&mutex);
    return unused;
}

static void *unlock_it(void *unused)
{
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void *cycle(void *unused)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void start(struct thread *t, void *(*body)(void *))
{
    thread_start(t, body, NULL);
    wait_until_asleep(t->tid);
}

static int unlock_a_free_one_twice_then_use_it(void)
{
    int value = digit(0, pthread_mutex_unlock(&mutex));
    value = digit(value, pthread_mutex_unlock(&mutex));
    value = digit(value, pthread_mutex_lock(&mutex));
    value = digit(value, pthread_mutex_unlock(&mutex));
    in_thread(cycle, NULL);
    return value;
}

static int unlock_another_threads_while_a_third_waits(void)
{
    static struct thread waiter;
    pthread_mutex_lock(&mutex);
    start(&waiter, cycle);
    in_thread(unlock_it, NULL);
    int value = digit(0, pthread_mutex_unlock(&mutex));
    thread_join(&waiter);
    return value;
}

static int destroy_a_held_one_then_unlock_it(void)
{
    pthread_mutex_lock(&mutex);
    int value = digit(0, pthread_mutex_destroy(&mutex));
    value = digit(value, pthread_mutex_unlock(&mutex));
    return digit(value, pthread_mutex_destroy(&mutex));
}

static int destroy_one_that_an_ended_thread_holds(void)
{
    in_thread(lock_it, NULL);
    int value = digit(0, pthread_mutex_destroy(&mutex));
    return digit(value, pthread_mutex_trylock(&mutex));
}

static int init_a_held_one_then_use_others(void)
{
    const struct mutex_kind *robust = &mutex_kinds[8];
    pthread_mutex_lock(&mutex);
    pthread_mutex_init(&mutex, NULL);
    int value = digit(0, pthread_mutex_lock(&mutex));
    make_mutex(&second, robust);
    value = digit(value, pthread_mutex_lock(&second));
    value = digit(value, pthread_mutex_unlock(&second));
    return digit(value, pthread_mutex_unlock(&mutex));
}

static int init_one_that_is_waited_for(void)
{
    static struct thread waiter;
    pthread_mutex_lock(&mutex);
    start(&waiter, cycle);
    pthread_mutex_init(&mutex, NULL);
    int value = digit(0, pthread_mutex_lock(&mutex));
    return digit(value, pthread_mutex_unlock(&mutex));
}

static int init_a_free_one_again(void)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    int value = digit(0, pthread_mutex_init(&mutex, NULL));
    value = digit(value, pthread_mutex_lock(&mutex));
    return digit(value, pthread_mutex_unlock(&mutex));
}

static int lock_a_normal_one_twice(void)
{
    pthread_mutex_lock(&mutex);
    return digit(0, pthread_mutex_lock(&mutex));
}

static int end_a_thread_that_destroyed_what_it_holds(void)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_destroy(&mutex);
    make_mutex(&second, &mutex_kinds[8]);
    pthread_mutex_lock(&second);
    return digit(0, pthread_mutex_unlock(&second));
}

static void *end_a_thread(void *unused)
{
    end_a_thread_that_destroyed_what_it_holds();
    return unused;
}

static int destroy_held_ones_in_a_thread_that_ends(void)
{
    in_thread(end_a_thread, NULL);
    return end_a_thread_that_destroyed_what_it_holds();
}

/* ---- stories about a condition variable, with every kind of mutex ---- */

static void *wait_once(void *other)
{
    pthread_mutex_t *m = other ? &second : &mutex;
    pthread_mutex_lock(m);
    pthread_cond_wait(&cond, m);
    pthread_mutex_unlock(m);
    return NULL;
}

static int wait_without_the_mutex(void)
{
    struct timespec past = {1, 0};
    int value = digit(0, pthread_cond_timedwait(&cond, &mutex, &past));
    value = digit(value, pthread_mutex_unlock(&mutex));
    in_thread(cycle, NULL);
    return value;
}

static int wait_with_anothers_mutex(void)
{
    struct timespec past = {1, 0};
    in_thread(lock_it, NULL);
    return digit(0, pthread_cond_timedwait(&cond, &mutex, &past));
}

static int wait_with_a_destroyed_mutex(void)
{
    struct timespec past = {1, 0};
    pthread_mutex_destroy(&mutex);
    return digit(0, pthread_cond_timedwait(&cond, &mutex, &past));
}

static int wait_with_two_mutexes_and_broadcast(void)
{
    static struct thread a, b;
    pthread_mutex_init(&second, NULL);
    start(&a, wait_once);
    thread_start(&b, wait_once, &second);
    wait_until_asleep(b.tid);
    pthread_mutex_lock(&mutex);
    int value = digit(0, pthread_cond_broadcast(&cond));
    pthread_mutex_unlock(&mutex);
    thread_join(&a);
    thread_join(&b);
    return value;
}

static int wait_with_two_mutexes_and_signal_twice(void)
{
    static struct thread a, b;
    pthread_mutex_init(&second, NULL);
    start(&a, wait_once);
    thread_start(&b, wait_once, &second);
    wait_until_asleep(b.tid);
    pthread_mutex_lock(&second);
    int value = digit(0, pthread_cond_signal(&cond));
    value = digit(value, pthread_cond_signal(&cond));
    pthread_mutex_unlock(&second);
    thread_join(&a);
    thread_join(&b);
    return value;
}

static int destroy_with_a_waiter(void)
{
    static struct thread a;
    start(&a, wait_once);
    return digit(0, pthread_cond_destroy(&cond));
}

static int destroy_with_a_waiter_then_init_and_signal(void)
{
    static struct thread a;
    start(&a, wait_once);
    int value = digit(0, pthread_cond_destroy(&cond));
    init_cond(0);
    value = digit(value, pthread_cond_signal(&cond));
    return digit(value, pthread_cond_broadcast(&cond));
}

static int init_with_a_waiter_then_broadcast(void)
{
    static struct thread a;
    start(&a, wait_once);
    init_cond(0);
    return digit(0, pthread_cond_broadcast(&cond));
}

static int use_a_destroyed_one(void)
{
    struct timespec past = {1, 0};
    int value = digit(0, pthread_cond_destroy(&cond));
    value = digit(value, pthread_cond_signal(&cond));
    value = digit(value, pthread_cond_broadcast(&cond));
    pthread_mutex_lock(&mutex);
    value = digit(value, pthread_cond_timedwait(&cond, &mutex, &past));
    return digit(value, pthread_cond_destroy(&cond));
}

/* ---- stories about a reader-writer lock ---- */

static void *read_it(void *unused)
{
    pthread_rwlock_rdlock(&lock);
    return unused;
}

static void *write_it(void *unused)
{
    pthread_rwlock_wrlock(&lock);
    return unused;
}

static int unlock_a_free_rwlock(void)
{
    return digit(0, pthread_rwlock_unlock(&lock));
}

static int unlock_a_free_rwlock_then_use_it(void)
{
    int value = digit(0, pthread_rwlock_unlock(&lock));
    value = digit(value, pthread_rwlock_tryrdlock(&lock));
    value = digit(value, pthread_rwlock_unlock(&lock));
    value = digit(value, pthread_rwlock_trywrlock(&lock));
    return digit(value, pthread_rwlock_unlock(&lock));
}

static int unlock_anothers_read_lock(void)
{
    in_thread(read_it, NULL);
    int value = digit(0, pthread_rwlock_unlock(&lock));
    return digit(value, pthread_rwlock_trywrlock(&lock));
}

static int unlock_anothers_write_lock(void)
{
    in_thread(write_it, NULL);
    int value = digit(0, pthread_rwlock_unlock(&lock));
    return digit(value, pthread_rwlock_tryrdlock(&lock));
}

static int destroy_a_held_rwlock(void)
{
    pthread_rwlock_wrlock(&lock);
    int value = digit(0, pthread_rwlock_destroy(&lock));
    return digit(value, pthread_rwlock_unlock(&lock));
}

static int destroy_a_rwlock_with_waiters(void)
{
    static struct thread a, b;
    pthread_rwlock_wrlock(&lock);
    start(&a, read_it);
    start(&b, write_it);
    return digit(0, pthread_rwlock_destroy(&lock));
}

static int write_a_rwlock_that_one_reads(void)
{
    pthread_rwlock_rdlock(&lock);
    return digit(0, pthread_rwlock_wrlock(&lock));
}

static int read_a_rwlock_that_one_writes(void)
{
    pthread_rwlock_wrlock(&lock);
    return digit(0, pthread_rwlock_rdlock(&lock));
}

static int init_a_held_rwlock(void)
{
    pthread_rwlock_wrlock(&lock);
    pthread_rwlock_init(&lock, NULL);
    int value = digit(0, pthread_rwlock_tryrdlock(&lock));
    return digit(value, pthread_rwlock_unlock(&lock));
}

/* ---- the rows ---- */

#define STORY(story)                                                                               \
    {                                                                                              \
        story, #story                                                                              \
    }

static const struct story {
    int (*tell)(void);
    const char *name;
} mutex_stories[] =
    {
        STORY(unlock_a_free_one_twice_then_use_it),
        STORY(unlock_another_threads_while_a_third_waits),
        STORY(destroy_a_held_one_then_unlock_it),
        STORY(destroy_one_that_an_ended_thread_holds),
        STORY(init_a_held_one_then_use_others),
        STORY(init_one_that_is_waited_for),
        STORY(init_a_free_one_again),
        STORY(lock_a_normal_one_twice),
        STORY(destroy_held_ones_in_a_thread_that_ends),
},
  cond_stories[] =
      {
          STORY(wait_without_the_mutex),
          STORY(wait_with_anothers_mutex),
          STORY(wait_with_a_destroyed_mutex),
          STORY(wait_with_two_mutexes_and_broadcast),
          STORY(wait_with_two_mutexes_and_signal_twice),
          STORY(destroy_with_a_waiter),
          STORY(destroy_with_a_waiter_then_init_and_signal),
          STORY(init_with_a_waiter_then_broadcast),
          STORY(use_a_destroyed_one),
},
  rwlock_stories[] = {
      STORY(unlock_a_free_rwlock),
      STORY(unlock_a_free_rwlock_then_use_it),
      STORY(unlock_anothers_read_lock),
      STORY(unlock_anothers_write_lock),
      STORY(destroy_a_held_rwlock),
      STORY(destroy_a_rwlock_with_waiters),
      STORY(write_a_rwlock_that_one_reads),
      STORY(read_a_rwlock_that_one_writes),
      STORY(init_a_held_rwlock),
};

static int mutex_body(int row)
{
    make_mutex(&mutex, &mutex_kinds[row % KINDS]);
    return mutex_stories[row / KINDS].tell();
}

static void mutex_describe(int row, char *text, size_t size)
{
    snprintf(text, size, "%s, %s mutex", mutex_stories[row / KINDS].name,
             mutex_kinds[row % KINDS].name);
}

/* Row by story, mutex kind and whether the condition variable is process-shared. */
static int cond_body(int row)
{
    make_mutex(&mutex, &mutex_kinds[row / 2 % KINDS]);
    init_cond(row % 2);
    return cond_stories[row / 2 / KINDS].tell();
}

static void cond_describe(int row, char *text, size_t size)
{
    snprintf(text, size, "%s, %s condition variable, %s mutex", cond_stories[row / 2 / KINDS].name,
             row % 2 ? "shared" : "private", mutex_kinds[row / 2 % KINDS].name);
}

static int rwlock_body(int row)
{
    static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                                PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, kinds[row % 3]);
    pthread_rwlockattr_setpshared(&attr, row % RW_KINDS / 3 ? PTHREAD_PROCESS_SHARED
                                                            : PTHREAD_PROCESS_PRIVATE);
    pthread_rwlock_init(&lock, &attr);
    return rwlock_stories[row / RW_KINDS].tell();
}

static void rwlock_describe(int row, char *text, size_t size)
{
    snprintf(text, size, "%s, %s, kind %d", rwlock_stories[row / RW_KINDS].name,
             row % RW_KINDS / 3 ? "shared" : "private", row % 3);
}

static bool always(int row)
{
    return true;
}

static bool never(int row)
{
    return false;
}

static const struct rows list[] = {
    {"mutexes", COUNT_OF(mutex_stories) * KINDS, 1000, mutex_body, always, never, mutex_describe},
    {"conditions", COUNT_OF(cond_stories) * KINDS * 2, 1000, cond_body, always, never,
     cond_describe},
    {"rwlocks", COUNT_OF(rwlock_stories) * RW_KINDS, 1000, rwlock_body, always, never,
     rwlock_describe},
};

START_TEST(a_misused_mutex_does_no_more_harm_than_with_libc)
{
    if (why_not_compare())
        SKIP_TEST("%s", why_not_compare());
    compare_with_libc(&list[0]);
}
END_TEST

START_TEST(a_misused_condition_variable_does_no_more_harm_than_with_libc)
{
    if (why_not_compare())
        SKIP_TEST("%s", why_not_compare());
    compare_with_libc(&list[1]);
}
END_TEST

START_TEST(a_misused_rwlock_does_no_more_harm_than_with_libc)
{
    if (why_not_compare())
        SKIP_TEST("%s", why_not_compare());
    compare_with_libc(&list[2]);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("misuse_threads");
    TCase *tcase = conform_case(suite, "threads");
    int status;
    if (is_row_run(argc, argv, list, COUNT_OF(list), &status))
        return status;
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, a_misused_mutex_does_no_more_harm_than_with_libc);
    tcase_add_test(tcase, a_misused_condition_variable_does_no_more_harm_than_with_libc);
    tcase_add_test(tcase, a_misused_rwlock_does_no_more_harm_than_with_libc);
    return conform_run(suite);
}
