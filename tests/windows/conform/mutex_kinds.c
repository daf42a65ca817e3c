/* SPDX-License-Identifier: MIT */
/* Mutexes of every kind, made in every way: what a thread gets that asks again, what a stranger
   gets, and who may unlock. What holds of the objects themselves is in mutex_objects.c. */
#include "check.h"

static const struct way {
    const char *name;
    pthread_mutex_t initial;
    int type;       /* what it behaves like */
    bool attribute; /* made by pthread_mutex_init with that type */
} ways[] = {
    {"static", PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_NORMAL, false},
    {"zero", 0, PTHREAD_MUTEX_NORMAL, false},
    {"static errorcheck", PTHREAD_ERRORCHECK_MUTEX_INITIALIZER, PTHREAD_MUTEX_ERRORCHECK, false},
    {"static recursive", PTHREAD_RECURSIVE_MUTEX_INITIALIZER, PTHREAD_MUTEX_RECURSIVE, false},
    {"normal", 4, PTHREAD_MUTEX_NORMAL, true},
    {"errorcheck", 4, PTHREAD_MUTEX_ERRORCHECK, true},
    {"recursive", 4, PTHREAD_MUTEX_RECURSIVE, true},
};

static void make(pthread_mutex_t *mutex, const struct way *way)
{
    pthread_mutexattr_t attr;

    check_context(way->name);
    *mutex = way->initial;
    if (!way->attribute)
        return;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_settype(&attr, way->type));
    OK(pthread_mutex_init(mutex, &attr));
    OK(pthread_mutexattr_destroy(&attr));
}

/* Every way with a fresh mutex. */
#define EACH_WAY(way, mutex)                                                                       \
    for (const struct way *way = ways; way < ways + sizeof ways / sizeof *ways; way++)             \
        for (pthread_mutex_t mutex, *once = (make(&mutex, way), &mutex); once;                     \
             OK(pthread_mutex_destroy(&mutex)), once = NULL)

static int try_it(void *mutex)
{
    int err = pthread_mutex_trylock(mutex);

    if (err == 0)
        OK(pthread_mutex_unlock(mutex));
    return err;
}

static int unlock_it(void *mutex)
{
    return pthread_mutex_unlock(mutex);
}

static int wait_a_moment(void *mutex)
{
    struct timespec at = check_after(20);
    int err = pthread_mutex_timedlock(mutex, &at);

    if (err == 0)
        OK(pthread_mutex_unlock(mutex));
    return err;
}

static void a_mutex_is_locked_and_unlocked(void)
{
    EACH_WAY(way, mutex)
    {
        for (int i = 0; i < 3; i++) {
            OK(pthread_mutex_lock(&mutex));
            CHECK_INT(in_thread(try_it, &mutex), EBUSY);
            OK(pthread_mutex_unlock(&mutex));
            OK(in_thread(try_it, &mutex));
        }
    }
}

static void a_stranger_waits_until_its_deadline(void)
{
    EACH_WAY(way, mutex)
    {
        OK(pthread_mutex_lock(&mutex));
        CHECK_INT(in_thread(wait_a_moment, &mutex), ETIMEDOUT);
        OK(pthread_mutex_unlock(&mutex));
        OK(in_thread(wait_a_moment, &mutex));
    }
}

static void unlock_by_a_stranger_is_refused_by_types_with_an_owner(void)
{
    EACH_WAY(way, mutex)
    {
        OK(pthread_mutex_lock(&mutex));
        if (way->type != PTHREAD_MUTEX_NORMAL) {
            CHECK_INT(in_thread(unlock_it, &mutex), EPERM);
            OK(pthread_mutex_unlock(&mutex));
        } else {
            OK(in_thread(unlock_it, &mutex));
        }
        OK(in_thread(try_it, &mutex));
    }
}

static void unlock_of_an_unlocked_mutex_changes_nothing(void)
{
    EACH_WAY(way, mutex)
    {
        int expected = way->type == PTHREAD_MUTEX_NORMAL ? 0 : EINVAL;

        CHECK_INT(pthread_mutex_unlock(&mutex), expected);
        CHECK_INT(in_thread(unlock_it, &mutex), expected);
        OK(pthread_mutex_lock(&mutex));
        CHECK_INT(in_thread(try_it, &mutex), EBUSY);
        OK(pthread_mutex_unlock(&mutex));
        CHECK_INT(pthread_mutex_unlock(&mutex), expected);
        OK(in_thread(try_it, &mutex));
    }
}

static void the_owner_asks_again(void)
{
    EACH_WAY(way, mutex)
    {
        struct timespec at = check_after(20);
        bool recursive = way->type == PTHREAD_MUTEX_RECURSIVE;
        bool errorcheck = way->type == PTHREAD_MUTEX_ERRORCHECK;

        OK(pthread_mutex_lock(&mutex));
        CHECK_INT(pthread_mutex_trylock(&mutex), recursive ? 0 : EBUSY);
        CHECK_INT(pthread_mutex_timedlock(&mutex, &at), recursive    ? 0
                                                        : errorcheck ? EDEADLK
                                                                     : ETIMEDOUT);
        if (way->type != PTHREAD_MUTEX_NORMAL)
            CHECK_INT(pthread_mutex_lock(&mutex), recursive ? 0 : EDEADLK);
        for (int depth = recursive ? 4 : 1; depth > 0; depth--) {
            CHECK_INT(in_thread(try_it, &mutex), EBUSY);
            OK(pthread_mutex_unlock(&mutex));
        }
        OK(in_thread(try_it, &mutex));
    }
}

static void a_recursive_mutex_is_held_as_often_as_locked(void)
{
    pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER;

    for (int i = 0; i < 1000; i++)
        OK(i % 2 ? pthread_mutex_lock(&mutex) : pthread_mutex_trylock(&mutex));
    for (int i = 0; i < 999; i++)
        OK(pthread_mutex_unlock(&mutex));
    CHECK_INT(in_thread(try_it, &mutex), EBUSY);
    CHECK_INT(in_thread(unlock_it, &mutex), EPERM);
    OK(pthread_mutex_unlock(&mutex));
    OK(in_thread(try_it, &mutex));
    CHECK_INT(pthread_mutex_unlock(&mutex), EINVAL);
    OK(pthread_mutex_destroy(&mutex));
}

struct handover {
    pthread_mutex_t mutex;
    int waiting, passed;
};

static int pass(void *argument)
{
    struct handover *h = argument;

    check_add(&h->waiting, 1);
    OK(pthread_mutex_lock(&h->mutex));
    check_add(&h->passed, 1);
    OK(pthread_mutex_unlock(&h->mutex));
    return 0;
}

static void lockers_sleep_until_the_mutex_is_free(void)
{
    for (const struct way *way = ways; way < ways + sizeof ways / sizeof *ways; way++) {
        struct handover h = {0};
        struct thread threads[3];

        make(&h.mutex, way);
        OK(pthread_mutex_lock(&h.mutex));
        for (int i = 0; i < 3; i++)
            thread_start(&threads[i], pass, &h);
        check_until(&h.waiting, 3);
        check_pause(20);
        CHECK_INT(check_load(&h.passed), 0);
        OK(pthread_mutex_unlock(&h.mutex));
        for (int i = 0; i < 3; i++)
            OK(thread_join(&threads[i]));
        CHECK_INT(h.passed, 3);
        OK(pthread_mutex_destroy(&h.mutex));
    }
}

static const struct check_case cases[] = {
    CHECK_CASE(a_mutex_is_locked_and_unlocked),
    CHECK_CASE(a_stranger_waits_until_its_deadline),
    CHECK_CASE(unlock_by_a_stranger_is_refused_by_types_with_an_owner),
    CHECK_CASE(unlock_of_an_unlocked_mutex_changes_nothing),
    CHECK_CASE(the_owner_asks_again),
    CHECK_CASE(a_recursive_mutex_is_held_as_often_as_locked),
    CHECK_CASE(lockers_sleep_until_the_mutex_is_free),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
