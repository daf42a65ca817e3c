/* SPDX-License-Identifier: MIT */
/* Reader-writer locks of every kind under readers and writers that lock, try,
   and wait with short deadlines on both clocks; readers nest where the kind
   allows it. A writer changes two words in turn; a reader must see them equal. */
#include "stress.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

static const struct rwlock_kind {
    const char *name;
    int kind;
    int shared;
    unsigned writers_per_16;
} kinds[] = {
    {"prefers readers", PTHREAD_RWLOCK_PREFER_READER_NP, 0, 4},
    {"prefers readers, mostly read", PTHREAD_RWLOCK_PREFER_READER_NP, 0, 1},
    {"prefers writers", PTHREAD_RWLOCK_PREFER_WRITER_NP, 0, 4},
    {"prefers writers, not recursive", PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, 0, 4},
    {"pshared", PTHREAD_RWLOCK_PREFER_READER_NP, 1, 4},
};

static struct {
    pthread_rwlock_t lock;
    volatile unsigned long first;
    volatile unsigned long second;
    atomic_int readers;
    atomic_int writers;
} cell;

static int take_read(struct stress_random *random)
{
    struct timespec deadline;

    switch (stress_below(random, 6)) {
    case 0:
        return pthread_rwlock_tryrdlock(&cell.lock);
    case 1:
        deadline = stress_deadline(CLOCK_REALTIME, (long)stress_below(random, 200000));
        return pthread_rwlock_timedrdlock(&cell.lock, &deadline);
    case 2:
        deadline = stress_deadline(CLOCK_MONOTONIC, (long)stress_below(random, 200000));
        return pthread_rwlock_clockrdlock(&cell.lock, CLOCK_MONOTONIC, &deadline);
    default:
        return pthread_rwlock_rdlock(&cell.lock);
    }
}

static int take_write(struct stress_random *random)
{
    struct timespec deadline;

    switch (stress_below(random, 6)) {
    case 0:
        return pthread_rwlock_trywrlock(&cell.lock);
    case 1:
        deadline = stress_deadline(CLOCK_REALTIME, (long)stress_below(random, 200000));
        return pthread_rwlock_timedwrlock(&cell.lock, &deadline);
    case 2:
        deadline = stress_deadline(CLOCK_MONOTONIC, (long)stress_below(random, 200000));
        return pthread_rwlock_clockwrlock(&cell.lock, CLOCK_MONOTONIC, &deadline);
    default:
        return pthread_rwlock_wrlock(&cell.lock);
    }
}

static void write_once(struct stress_worker *worker)
{
    int err = take_write(&worker->random);

    EXPECT(err == 0 || err == EBUSY || err == ETIMEDOUT, "a write lock gives %d", err);
    if (err != 0)
        return;
    EXPECT(atomic_fetch_add(&cell.writers, 1) == 0, "another writer is inside");
    EXPECT(atomic_load(&cell.readers) == 0, "a reader is inside");
    cell.first++;
    stress_work(&worker->random, 50);
    cell.second++;
    atomic_fetch_sub(&cell.writers, 1);
    worker->done++;
    OK(pthread_rwlock_unlock(&cell.lock));
}

static void look(struct stress_random *random)
{
    unsigned long first = cell.first;

    EXPECT(atomic_load(&cell.writers) == 0, "a writer is inside");
    stress_work(random, 50);
    EXPECT(first == cell.second, "a reader saw half of a change");
}

/* A thread that holds a read lock may take another, even while a writer waits, unless the kind
   says otherwise. */
static void read_once(struct stress_worker *worker, bool may_nest)
{
    int err = take_read(&worker->random);

    EXPECT(err == 0 || err == EBUSY || err == ETIMEDOUT, "a read lock gives %d", err);
    if (err != 0)
        return;
    atomic_fetch_add(&cell.readers, 1);
    look(&worker->random);
    if (may_nest && stress_below(&worker->random, 4) == 0) {
        OK(pthread_rwlock_rdlock(&cell.lock));
        look(&worker->random);
        OK(pthread_rwlock_unlock(&cell.lock));
    }
    look(&worker->random);
    atomic_fetch_sub(&cell.readers, 1);
    worker->aux++;
    OK(pthread_rwlock_unlock(&cell.lock));
}

static void read_and_write(struct stress_worker *worker)
{
    const struct rwlock_kind *kind = worker->data;
    bool may_nest = kind->kind != PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;

    while (stress_goes_on() || worker->aux == 0) {
        if (stress_below(&worker->random, 16) < kind->writers_per_16)
            write_once(worker);
        else
            read_once(worker, may_nest);
        stress_work(&worker->random, 60);
    }
}

START_TEST(writers_are_alone_and_nobody_is_stuck)
{
    const struct rwlock_kind *kind = &kinds[_i / 3];
    int threads = stress_thread_counts[_i % 3];
    pthread_rwlockattr_t attr;
    unsigned long reads = 0;
    char name[64];

    snprintf(name, sizeof name, "%s, %d threads", kind->name, threads);
    stress_begin(name, _i);
    watchdog_watch("rwlock", &cell.lock, sizeof cell.lock);
    OK(pthread_rwlockattr_init(&attr));
    OK(pthread_rwlockattr_setkind_np(&attr, kind->kind));
    OK(pthread_rwlockattr_setpshared(&attr, kind->shared));
    OK(pthread_rwlock_init(&cell.lock, &attr));
    unsigned long writes = stress_run(threads, read_and_write, (void *)kind, &reads);
    EXPECT(reads > 0, "nobody ever read");
    EXPECT(cell.first == writes && cell.second == writes, "%lu and %lu of %lu writes", cell.first,
           cell.second, writes);
    OK(pthread_rwlock_trywrlock(&cell.lock));
    OK(pthread_rwlock_unlock(&cell.lock));
    OK(pthread_rwlock_destroy(&cell.lock));
    watchdog_stop();
}
END_TEST

int main(int argc, char **argv)
{
    return stress_main(argc, argv, "rwlock", writers_are_alone_and_nobody_is_stuck,
                       3 * sizeof kinds / sizeof *kinds);
}
