/* SPDX-License-Identifier: MIT */
/* Mutexes as objects: static initialisers that several threads use first, destruction and what is
   left behind, many objects at once, and objects that are made and destroyed all the time while
   others are only just done with them. */
#include "check.h"

#include <stdlib.h>

#define THREADS 4

static int try_it(void *mutex)
{
    int err = pthread_mutex_trylock(mutex);

    if (err == 0)
        OK(pthread_mutex_unlock(mutex));
    return err;
}

/* ---- the first use ------------------------------------------------------------- */

#define RACERS 2
#define RACES 1500

static struct {
    pthread_mutex_t mutexes[RACES];
    int counts[RACES];
    int inside;
    int ready;
} race;

static int use_first(void *nothing)
{
    for (int i = 0; i < RACES; i++) {
        check_add(&race.ready, 1);
        for (int spun = 1; check_load(&race.ready) < RACERS * (i + 1); spun++)
            if (spun % 1000 == 0)
                check_pause(0);
        OK(pthread_mutex_lock(&race.mutexes[i]));
        CHECK_INT(__atomic_fetch_add(&race.inside, 1, __ATOMIC_RELAXED), 0);
        for (int j = 0; j < 20; j++)
            race.counts[i] += check_load(&race.ready) > 0;
        __atomic_fetch_sub(&race.inside, 1, __ATOMIC_RELAXED);
        OK(pthread_mutex_unlock(&race.mutexes[i]));
    }
    return 0;
}

static void of_threads_that_use_a_mutex_first_all_get_the_same(void)
{
    static const pthread_mutex_t initial[] = {PTHREAD_MUTEX_INITIALIZER, 0,
                                              PTHREAD_ERRORCHECK_MUTEX_INITIALIZER,
                                              PTHREAD_RECURSIVE_MUTEX_INITIALIZER};
    struct thread threads[RACERS];

    for (int i = 0; i < RACES; i++)
        race.mutexes[i] = initial[i % 4];
    for (int i = 0; i < RACERS; i++)
        thread_start(&threads[i], use_first, NULL);
    for (int i = 0; i < RACERS; i++)
        OK(thread_join(&threads[i]));
    for (int i = 0; i < RACES; i++) {
        CHECK_INT(race.counts[i], 20 * RACERS);
        OK(pthread_mutex_destroy(&race.mutexes[i]));
    }
}

/* ---- destruction ----------------------------------------------------------------- */

static void a_destroyed_mutex_is_zero_and_an_unused_one_stays(void)
{
    static const pthread_mutex_t initial[] = {PTHREAD_MUTEX_INITIALIZER, 0,
                                              PTHREAD_ERRORCHECK_MUTEX_INITIALIZER,
                                              PTHREAD_RECURSIVE_MUTEX_INITIALIZER};

    for (int i = 0; i < 4; i++) {
        pthread_mutex_t mutex = initial[i];

        OK(pthread_mutex_destroy(&mutex));
        CHECK_INT(mutex, initial[i]);
        OK(pthread_mutex_lock(&mutex));
        OK(pthread_mutex_unlock(&mutex));
        OK(pthread_mutex_destroy(&mutex));
        CHECK_INT(mutex, 0);
        OK(pthread_mutex_destroy(&mutex));
        CHECK_INT(mutex, 0);
    }
}

static void a_destroyed_mutex_is_a_normal_one(void)
{
    pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER;

    OK(pthread_mutex_lock(&mutex));
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_mutex_destroy(&mutex));
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_mutex_lock(&mutex));
    CHECK_INT(pthread_mutex_trylock(&mutex), EBUSY);
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_mutex_destroy(&mutex));
}

static void a_locked_mutex_is_destroyed_and_its_successor_is_free(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    for (int i = 0; i < 10; i++) {
        OK(pthread_mutex_lock(&mutex));
        OK(pthread_mutex_destroy(&mutex));
        OK(pthread_mutex_unlock(&mutex));
        OK(pthread_mutex_init(&mutex, NULL));
        OK(pthread_mutex_trylock(&mutex));
        OK(pthread_mutex_unlock(&mutex));
        OK(pthread_mutex_destroy(&mutex));
    }
}

static void initialising_again_makes_a_fresh_mutex(void)
{
    pthread_mutex_t mutex;

    OK(pthread_mutex_init(&mutex, NULL));
    OK(pthread_mutex_lock(&mutex));
    OK(pthread_mutex_init(&mutex, NULL));
    OK(pthread_mutex_trylock(&mutex));
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_mutex_destroy(&mutex));
}

static void a_shared_mutex_is_not_to_be_had(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex = 4712;

    OK(pthread_mutexattr_init(&attr));
    CHECK_INT(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), ENOSYS);
    OK(pthread_mutex_init(&mutex, &attr));
    OK(pthread_mutex_destroy(&mutex));
    attr |= 4; /* the bit of it all the same */
    mutex = 4712;
    CHECK_INT(pthread_mutex_init(&mutex, &attr), ENOSYS);
    CHECK_INT(mutex, 4712);
}

/* A copy names the same mutex; what is destroyed once is not given away twice. */
static void destroying_a_copy_too_does_no_harm(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t copy;
    pthread_mutex_t first;
    pthread_mutex_t second;

    OK(pthread_mutex_lock(&mutex));
    copy = mutex;
    CHECK_INT(pthread_mutex_trylock(&copy), EBUSY);
    OK(pthread_mutex_unlock(&copy));
    OK(pthread_mutex_destroy(&mutex));
    pthread_mutex_destroy(&copy);
    OK(pthread_mutex_init(&first, NULL));
    OK(pthread_mutex_init(&second, NULL));
    OK(pthread_mutex_lock(&first));
    OK(in_thread(try_it, &second));
    OK(pthread_mutex_unlock(&first));
    OK(pthread_mutex_destroy(&first));
    OK(pthread_mutex_destroy(&second));
}

/* ---- many ------------------------------------------------------------------------ */

#define MANY 5000

static void many_mutexes_are_each_one_of_its_own(void)
{
    pthread_mutex_t *mutexes = calloc(MANY, sizeof *mutexes);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            OK(pthread_mutex_init(&mutexes[i], NULL));
            OK(pthread_mutex_trylock(&mutexes[i])); /* would fail on another's */
        }
        for (int i = 0; i < MANY; i += 500)
            CHECK_INT(in_thread(try_it, &mutexes[i]), EBUSY);
        for (int i = 0; i < MANY; i++) {
            OK(pthread_mutex_unlock(&mutexes[i]));
            OK(pthread_mutex_destroy(&mutexes[i]));
        }
    }
    free(mutexes);
}

/* What is given back is used again, or the loop would need some GB. */
static void memory_does_not_grow_with_what_has_been_destroyed(void)
{
    intptr_t lowest = INTPTR_MAX;
    intptr_t highest = 0;

    for (int i = 0; i < 100000; i++) {
        pthread_mutex_t mutex;

        OK(pthread_mutex_init(&mutex, NULL));
        lowest = mutex < lowest ? mutex : lowest;
        highest = mutex > highest ? mutex : highest;
        OK(pthread_mutex_destroy(&mutex));
    }
    CHECK(highest - lowest < 1 << 20);
}

/* ---- one that is destroyed as soon as nobody needs it ---------------------------- */

#define OBJECTS 400

struct counted {
    pthread_mutex_t mutex;
    int references;
};

static struct counted *objects[OBJECTS];
static int let_go;

/* The last one to leave destroys the mutex while the others may still be inside their unlock. */
static int leave_all(void *nothing)
{
    check_add(&let_go, 1);
    check_until(&let_go, THREADS);
    for (int i = 0; i < OBJECTS; i++) {
        struct counted *object = objects[i];
        bool last;

        OK(pthread_mutex_lock(&object->mutex));
        last = --object->references == 0;
        OK(pthread_mutex_unlock(&object->mutex));
        if (last) {
            pthread_mutex_t next;

            OK(pthread_mutex_destroy(&object->mutex));
            OK(pthread_mutex_init(&next, NULL)); /* likely the same memory */
            OK(pthread_mutex_trylock(&next));
            OK(pthread_mutex_unlock(&next));
            OK(pthread_mutex_destroy(&next));
            free(object);
        }
    }
    return 0;
}

static void the_last_user_destroys(void)
{
    struct thread threads[THREADS];

    for (int i = 0; i < OBJECTS; i++) {
        objects[i] = malloc(sizeof *objects[i]);
        objects[i]->references = THREADS;
        OK(pthread_mutex_init(&objects[i]->mutex, NULL));
    }
    for (int i = 0; i < THREADS; i++)
        thread_start(&threads[i], leave_all, NULL);
    for (int i = 0; i < THREADS; i++)
        OK(thread_join(&threads[i]));
}

static const struct check_case cases[] = {
    CHECK_CASE(of_threads_that_use_a_mutex_first_all_get_the_same),
    CHECK_CASE(a_destroyed_mutex_is_zero_and_an_unused_one_stays),
    CHECK_CASE(a_destroyed_mutex_is_a_normal_one),
    CHECK_CASE(a_locked_mutex_is_destroyed_and_its_successor_is_free),
    CHECK_CASE(initialising_again_makes_a_fresh_mutex),
    CHECK_CASE(a_shared_mutex_is_not_to_be_had),
    CHECK_CASE_OURS(destroying_a_copy_too_does_no_harm, "winpthreads reads freed memory"),
    CHECK_CASE(many_mutexes_are_each_one_of_its_own),
    CHECK_CASE_OURS(memory_does_not_grow_with_what_has_been_destroyed,
                    "says nothing of winpthreads, whose objects are the heap's"),
    CHECK_CASE(the_last_user_destroys),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
