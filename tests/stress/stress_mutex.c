/* SPDX-License-Identifier: MIT */
/* Mutual exclusion of every mutex kind: lock, trylock, timedlock and clocklock
   mixed, with short deadlines on both clocks and signals. Two unprotected
   counters tell of a second thread inside; their sum, of a lost critical
   section. */
#include "stress.h"

#include <errno.h>
#include <stdio.h>

static struct {
    pthread_mutex_t mutex;
    volatile unsigned long count;
    volatile unsigned long count_again;
    volatile int inside;
} cell;

/* Returns whether the mutex is held now. */
static bool take(struct stress_random *random)
{
    struct timespec deadline;
    int err;

    switch (stress_below(random, 6)) {
    case 0:
        err = pthread_mutex_trylock(&cell.mutex);
        EXPECT(err == 0 || err == EBUSY, "trylock gives %d", err);
        break;
    case 1:
        deadline = stress_deadline(CLOCK_REALTIME, (long)stress_below(random, 200000));
        err = pthread_mutex_timedlock(&cell.mutex, &deadline);
        EXPECT(err == 0 || err == ETIMEDOUT, "timedlock gives %d", err);
        break;
    case 2:
        deadline = stress_deadline(CLOCK_MONOTONIC, (long)stress_below(random, 200000));
        err = pthread_mutex_clocklock(&cell.mutex, CLOCK_MONOTONIC, &deadline);
        if (err == EINVAL) /* a PI mutex on a kernel without FUTEX_LOCK_PI2 */
            return false;
        EXPECT(err == 0 || err == ETIMEDOUT, "clocklock gives %d", err);
        break;
    default:
        err = pthread_mutex_lock(&cell.mutex);
        EXPECT(err == 0, "lock gives %d", err);
    }
    return err == 0;
}

static void critical_section(struct stress_random *random)
{
    EXPECT(cell.inside == 0, "thread %d is inside already", cell.inside);
    cell.inside = 1;
    unsigned long count = cell.count;
    stress_work(random, 30);
    cell.count = count + 1;
    if (stress_below(random, 500) == 0)
        sched_yield();
    cell.count_again++;
    EXPECT(cell.inside == 1, "another thread was inside");
    cell.inside = 0;
}

static void lock_and_unlock(struct stress_worker *worker)
{
    const struct stress_mutex_kind *kind = worker->data;

    while (stress_goes_on() || worker->done == 0) {
        if (!take(&worker->random))
            continue;
        bool again = kind->type == PTHREAD_MUTEX_RECURSIVE && take(&worker->random);
        critical_section(&worker->random);
        worker->done++;
        if (kind->type == PTHREAD_MUTEX_ERRORCHECK && stress_below(&worker->random, 8) == 0) {
            int err = pthread_mutex_lock(&cell.mutex);
            EXPECT(err == EDEADLK, "a second lock gives %d", err);
        }
        if (again)
            OK(pthread_mutex_unlock(&cell.mutex));
        OK(pthread_mutex_unlock(&cell.mutex));
        stress_work(&worker->random, 60);
    }
}

START_TEST(no_two_threads_are_inside_and_none_is_stuck)
{
    const struct stress_mutex_kind *kind = &stress_mutex_kinds[_i / 3];
    int threads = stress_thread_counts[_i % 3];
    char name[64];

    snprintf(name, sizeof name, "%s, %d threads", kind->name, threads);
    stress_begin(name, _i);
    watchdog_watch("mutex", &cell.mutex, sizeof cell.mutex);
    stress_mutex_init(&cell.mutex, kind);
    unsigned long done = stress_run(threads, lock_and_unlock, (void *)kind, NULL);
    EXPECT(done > 0, "nobody ever held the mutex");
    EXPECT(cell.count == done && cell.count_again == done, "%lu and %lu of %lu counted", cell.count,
           cell.count_again, done);
    OK(pthread_mutex_trylock(&cell.mutex));
    OK(pthread_mutex_unlock(&cell.mutex));
    OK(pthread_mutex_destroy(&cell.mutex));
    watchdog_stop();
}
END_TEST

int main(int argc, char **argv)
{
    return stress_main(argc, argv, "mutex", no_two_threads_are_inside_and_none_is_stuck,
                       3 * stress_mutex_kind_count);
}
