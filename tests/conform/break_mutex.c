/* SPDX-License-Identifier: MIT */
/*
 * Where plausible mutexes break although every ordinary test passes: the unlocker that looks at the
 * mutex once more after somebody else has freed it, the waiter that gave up when it was just being
 * served, and mutexes that one thread has had for itself until others come. tests/BREAKS.md lists
 * what else can break and where that is tested.
 */
#include "conform.h"

#include "mutex_kinds.h"

enum { PAGE = 4096, LAST_USES = 400, ROUNDS = 60, MANY = 100000 };

/* ---- memory that goes with the last unlock ---- */

struct object {
    pthread_mutex_t mutex;
    int references;
};

static struct object *object;
static pthread_barrier_t both;

/* Whoever drops the last reference unmaps the mutex, while the other may still be on its way out of
 * its own unlock. */
static void *drop_references(void *unused)
{
    for (int i = 0; i < LAST_USES; i++) {
        pthread_barrier_wait(&both);
        struct object *mine = object;
        OK(pthread_mutex_lock(&mine->mutex));
        bool last = --mine->references == 0;
        OK(pthread_mutex_unlock(&mine->mutex));
        if (last)
            REQUIRE(munmap(mine, PAGE) == 0, "munmap: %s", strerror(errno));
        pthread_barrier_wait(&both);
    }
    return unused;
}

START_TEST(the_last_unlock_of_another_thread_may_be_followed_by_munmap)
{
    struct thread threads[2];
    OK(pthread_barrier_init(&both, NULL, 3));
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], drop_references, NULL);
    for (int i = 0; i < LAST_USES; i++) {
        object = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(object != MAP_FAILED, "mmap: %s", strerror(errno));
        make_mutex(&object->mutex, &mutex_kinds[_i]);
        object->references = 2;
        pthread_barrier_wait(&both);
        pthread_barrier_wait(&both);
    }
    for (int i = 0; i < 2; i++)
        thread_join(&threads[i]);
}
END_TEST

/* ---- served at the moment of giving up ---- */

static pthread_mutex_t mutex;

static void *give_up_soon(void *ms)
{
    struct timespec deadline = deadline_in_ms(CLOCK_MONOTONIC, *(int *)ms);
    int error = pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &deadline);
    REQUIRE(error == 0 || error == ETIMEDOUT, "clocklock gives %d", error);
    if (error == 0)
        OK(pthread_mutex_unlock(&mutex));
    return NULL;
}

/* Waits long enough that a lock may want to serve the waiters in turn, and is released when
 * they time out. Whatever was left for one of them, anybody can have. */
START_TEST(what_is_released_as_its_waiters_time_out_can_be_taken_by_trylock)
{
    static int ms[4] = {3, 4, 5, 5};
    struct thread threads[4];
    make_mutex(&mutex, &mutex_kinds[_i]);
    for (int round = 0; round < ROUNDS; round++) {
        OK(pthread_mutex_lock(&mutex));
        for (int i = 0; i < 4; i++)
            thread_start(&threads[i], give_up_soon, &ms[i]);
        struct timespec end = deadline_in_ms(CLOCK_MONOTONIC, 5);
        sleep_ms(2);
        while (!deadline_passed(CLOCK_MONOTONIC, end)) {
            OK(pthread_mutex_unlock(&mutex));
            OK(pthread_mutex_lock(&mutex));
        }
        OK(pthread_mutex_unlock(&mutex));
        for (int i = 0; i < 4; i++)
            thread_join(&threads[i]);
        OK(pthread_mutex_trylock(&mutex));
        OK(pthread_mutex_unlock(&mutex));
    }
    OK(pthread_mutex_destroy(&mutex));
}
END_TEST

/* ---- one thread first, others later ---- */

static pthread_mutex_t *many;
static long *values;

static void *use_all(void *unused)
{
    for (int i = 0; i < MANY; i++) {
        OK(pthread_mutex_lock(&many[i]));
        values[i]++;
        OK(pthread_mutex_unlock(&many[i]));
    }
    return unused;
}

START_TEST(a_hundred_thousand_mutexes_of_one_thread_serve_others_afterwards)
{
    struct thread threads[3];
    many = calloc(MANY, sizeof *many);
    values = calloc(MANY, sizeof *values);
    ck_assert(many && values);
    in_thread(use_all, NULL);
    for (int i = 0; i < 20; i++)
        use_all(NULL);
    for (int i = 0; i < 3; i++)
        thread_start(&threads[i], use_all, NULL);
    for (int i = 0; i < 3; i++)
        thread_join(&threads[i]);
    for (int i = 0; i < MANY; i++)
        REQUIRE(values[i] == 24, "mutex %d guarded %ld additions, not 24", i, values[i]);
}
END_TEST

static volatile long counter;
static int stop;

/* Comes now and then into what another thread takes thousands of times in a row. */
static void *come_now_and_then(void *unused)
{
    for (int i = 0; i < 300; i++) {
        struct timespec soon = deadline_in_ms(CLOCK_REALTIME, i % 3);
        int error =
            i % 3 == 0 ? pthread_mutex_trylock(&mutex) : pthread_mutex_timedlock(&mutex, &soon);
        if (error == 0) {
            long seen = counter;
            sched_yield();
            REQUIRE(counter == seen, "two threads are inside");
            counter = seen + 1;
            OK(pthread_mutex_unlock(&mutex));
        }
        sleep_ms(1);
    }
    raise_flag(&stop, 1);
    return unused;
}

START_TEST(a_visitor_excludes_the_thread_that_has_the_mutex_nearly_always)
{
    struct thread visitor;
    make_mutex(&mutex, &mutex_kinds[_i]);
    thread_start(&visitor, come_now_and_then, NULL);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        OK(pthread_mutex_lock(&mutex));
        long seen = counter;
        for (int i = 0; i < 20; i++)
            REQUIRE(counter == seen, "two threads are inside");
        counter = seen + 1;
        OK(pthread_mutex_unlock(&mutex));
    }
    thread_join(&visitor);
    OK(pthread_mutex_destroy(&mutex));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("break_mutex");
    TCase *tcase = conform_case(suite, "mutex");
    tcase_add_loop_test(tcase, the_last_unlock_of_another_thread_may_be_followed_by_munmap, 0,
                        MUTEX_PP_KINDS_BEGIN);
    tcase_add_loop_test(tcase, what_is_released_as_its_waiters_time_out_can_be_taken_by_trylock, 0,
                        4);
    tcase_add_test(tcase, a_hundred_thousand_mutexes_of_one_thread_serve_others_afterwards);
    tcase_add_loop_test(tcase, a_visitor_excludes_the_thread_that_has_the_mutex_nearly_always, 0,
                        4);
    return conform_run(suite);
}
