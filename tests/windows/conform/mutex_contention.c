/* SPDX-License-Identifier: MIT */
/* Several threads at one mutex, by all calls that lock: nobody is inside with another, and nothing
   is lost. FASTSYNC_SOAK=1 goes round more often. */
#include "check.h"

#include <stdlib.h>

#define THREADS 4

static const pthread_mutex_t initial[] = {PTHREAD_MUTEX_INITIALIZER,
                                          PTHREAD_ERRORCHECK_MUTEX_INITIALIZER,
                                          PTHREAD_RECURSIVE_MUTEX_INITIALIZER};
static pthread_mutex_t mutex;
static int rounds;
static int count; /* guarded by the mutex */
static int inside;

static void lock_somehow(int how)
{
    struct timespec at;
    int err;

    switch (how % 4) {
    case 0:
    case 1:
        OK(pthread_mutex_lock(&mutex));
        return;
    case 2:
        while ((err = pthread_mutex_trylock(&mutex)) == EBUSY)
            check_pause(0);
        OK(err);
        return;
    default:
        do {
            at = check_after(1);
            err = pthread_mutex_timedlock(&mutex, &at);
        } while (err == ETIMEDOUT);
        OK(err);
    }
}

static int go_round(void *argument)
{
    int me = (int)(intptr_t)argument;

    for (int i = 0; i < rounds; i++) {
        lock_somehow(i + me);
        CHECK_INT(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
        count++;
        if (i % 64 == 0)
            check_pause(0);
        __atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
        OK(pthread_mutex_unlock(&mutex));
    }
    return 0;
}

static void nobody_is_inside_with_another(void)
{
    const char *soak = getenv("FASTSYNC_SOAK");

    rounds = soak && *soak && *soak != '0' ? 500000 : 10000;
    for (unsigned kind = 0; kind < sizeof initial / sizeof *initial; kind++) {
        struct thread threads[THREADS];

        mutex = initial[kind];
        count = 0;
        for (int i = 0; i < THREADS; i++)
            thread_start(&threads[i], go_round, (void *)(intptr_t)i);
        for (int i = 0; i < THREADS; i++)
            OK(thread_join(&threads[i]));
        CHECK_INT(count, THREADS * rounds);
        OK(pthread_mutex_destroy(&mutex));
    }
}

static const struct check_case cases[] = {
    CHECK_CASE(nobody_is_inside_with_another),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
