/* SPDX-License-Identifier: MIT */
/*
 * Free running. Every round has fresh objects of random kinds and threads that race through random
 * sections: locked ones, nested ones, read and written ones, and a semaphore made of a condition
 * variable. Checked are exclusion, sums, and that everybody gets to the end: when all threads sleep
 * for good, only consumers may, and only while no token is there.
 */
#include "free.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers.h"

enum { SECTIONS = 400, ROUND_LIMIT_S = 60, NAP_US = 500 };

struct racer {
    pthread_t id;
    pid_t tid;
    uint64_t random;
    unsigned long mutex_sections[MUTEXES], written[RWLOCKS];
    uint32_t ended;
};

/* What the locks guard: plain memory, on purpose. */
static struct {
    unsigned long mutex_count[MUTEXES], write_count[RWLOCKS];
    int inside[MUTEXES], writers[RWLOCKS], readers[RWLOCKS];
    int tokens[CONDS], waiters[CONDS];
    bool is_closed;
} guarded;

static struct racer racers[THREADS];
static uint32_t broken;

static void report(const char *what, int value)
{
    if (__atomic_exchange_n(&broken, 1, __ATOMIC_ACQ_REL) == 0)
        printf("invariant: %s (%d)\n", what, value);
}

static int add(int *value, int change)
{
    return __atomic_add_fetch(value, change, __ATOMIC_RELAXED);
}

static struct timespec deadline_in_ns(clockid_t clock, long ns)
{
    struct timespec at;

    clock_gettime(clock, &at);
    at.tv_nsec += ns;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

/* ---- sections ---- */

static int acquire_mutex(struct racer *r, pthread_mutex_t *m)
{
    struct timespec at;

    switch (random_next(&r->random) % 8) {
    case 0:
        return pthread_mutex_trylock(m);
    case 1:
        at = deadline_in_ns(CLOCK_REALTIME, (long)(random_next(&r->random) % 200000));
        return pthread_mutex_timedlock(m, &at);
    case 2:
        at = deadline_in_ns(CLOCK_MONOTONIC, (long)(random_next(&r->random) % 200000));
        return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &at);
    default:
        return pthread_mutex_lock(m);
    }
}

/* Locks, and with luck the next mutex as well. */
static void lock_section(struct racer *r, int i)
{
    int err = acquire_mutex(r, &objects.mutexes[i]);

    if (err == EBUSY || err == ETIMEDOUT)
        return;
    if (err != 0)
        report("lock", err);
    if (add(&guarded.inside[i], 1) != 1)
        report("two threads hold a mutex", i);
    guarded.mutex_count[i]++;
    r->mutex_sections[i]++;
    if (random_next(&r->random) % 4 == 0 && i + 1 < MUTEXES)
        lock_section(r, i + 1);
    if (random_next(&r->random) % 64 == 0)
        usleep(20);
    add(&guarded.inside[i], -1);
    err = pthread_mutex_unlock(&objects.mutexes[i]);
    if (err != 0)
        report("unlock", err);
}

static int enter(struct racer *r, pthread_rwlock_t *l, bool writes)
{
    struct timespec at;

    switch (random_next(&r->random) % 6) {
    case 0:
        return writes ? pthread_rwlock_trywrlock(l) : pthread_rwlock_tryrdlock(l);
    case 1:
        at = deadline_in_ns(CLOCK_REALTIME, (long)(random_next(&r->random) % 200000));
        return writes ? pthread_rwlock_timedwrlock(l, &at) : pthread_rwlock_timedrdlock(l, &at);
    case 2:
        at = deadline_in_ns(CLOCK_MONOTONIC, (long)(random_next(&r->random) % 200000));
        return writes ? pthread_rwlock_clockwrlock(l, CLOCK_MONOTONIC, &at)
                      : pthread_rwlock_clockrdlock(l, CLOCK_MONOTONIC, &at);
    default:
        return writes ? pthread_rwlock_wrlock(l) : pthread_rwlock_rdlock(l);
    }
}

static void rwlock_section(struct racer *r, int i)
{
    bool writes = random_next(&r->random) % 3 == 0;
    int err = enter(r, &objects.rwlocks[i], writes);

    if (err == EBUSY || err == ETIMEDOUT)
        return;
    if (err != 0)
        report("enter a reader-writer lock", err);
    if (add(writes ? &guarded.writers[i] : &guarded.readers[i], 1) != 1 && writes)
        report("two writers", i);
    if (__atomic_load_n(writes ? &guarded.readers[i] : &guarded.writers[i], __ATOMIC_RELAXED) != 0)
        report("a reader beside a writer", i);
    if (writes) {
        guarded.write_count[i]++;
        r->written[i]++;
    }
    if (random_next(&r->random) % 64 == 0)
        usleep(20);
    add(writes ? &guarded.writers[i] : &guarded.readers[i], -1);
    err = pthread_rwlock_unlock(&objects.rwlocks[i]);
    if (err != 0)
        report("leave a reader-writer lock", err);
}

static void produce(struct racer *r, int i)
{
    bool outside = random_next(&r->random) % 2;
    bool all = random_next(&r->random) % 4 == 0;
    pthread_cond_t *c = &objects.conds[i];

    pthread_mutex_lock(&objects.mutexes[i]);
    guarded.tokens[i]++;
    if (!outside)
        all ? pthread_cond_broadcast(c) : pthread_cond_signal(c);
    pthread_mutex_unlock(&objects.mutexes[i]);
    if (outside)
        all ? pthread_cond_broadcast(c) : pthread_cond_signal(c);
}

static void consume(struct racer *r, int i)
{
    bool is_timed = random_next(&r->random) % 3 == 0;
    struct timespec at = deadline_in_ns(CLOCK_MONOTONIC, (long)(random_next(&r->random) % 300000));
    int err = 0;

    pthread_mutex_lock(&objects.mutexes[i]);
    while (guarded.tokens[i] == 0 && !guarded.is_closed && err == 0) {
        add(&guarded.waiters[i], 1);
        if (is_timed)
            err = pthread_cond_clockwait(&objects.conds[i], &objects.mutexes[i], CLOCK_MONOTONIC,
                                         &at);
        else
            err = pthread_cond_wait(&objects.conds[i], &objects.mutexes[i]);
        add(&guarded.waiters[i], -1);
    }
    if (err != 0 && err != ETIMEDOUT)
        report("wait", err);
    if (guarded.tokens[i] > 0)
        guarded.tokens[i]--;
    pthread_mutex_unlock(&objects.mutexes[i]);
}

static void *race(void *argument)
{
    struct racer *r = argument;

    __atomic_store_n(&r->tid, gettid(), __ATOMIC_RELEASE);
    for (int n = 0; n < SECTIONS; n++) {
        int i = (int)(random_next(&r->random) % MUTEXES);

        switch (random_next(&r->random) % 8) {
        case 0:
        case 1:
        case 2:
            lock_section(r, i);
            break;
        case 3:
        case 4:
            rwlock_section(r, i % RWLOCKS);
            break;
        case 5:
        case 6:
            produce(r, i % CONDS);
            break;
        default:
            consume(r, i % CONDS);
        }
    }
    __atomic_store_n(&r->ended, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* ---- a round ---- */

static void make_objects(uint64_t *random)
{
    struct script s = {.steps = 0};

    for (int i = 0; i < MUTEXES; i++)
        s.mutex_kinds[i] = (uint8_t)(random_next(random) % MUTEX_KINDS);
    for (int i = 0; i < CONDS; i++)
        s.cond_kinds[i] = (uint8_t)(random_next(random) % COND_KINDS);
    for (int i = 0; i < RWLOCKS; i++)
        s.rwlock_kinds[i] = (uint8_t)(random_next(random) % RWLOCK_KINDS);
    objects_init(&s);
    memset(&guarded, 0, sizeof guarded);
}

static bool have_all_ended(void)
{
    for (int t = 0; t < THREADS; t++)
        if (!__atomic_load_n(&racers[t].ended, __ATOMIC_ACQUIRE))
            return false;
    return true;
}

static unsigned long progress(void)
{
    unsigned long sum = 0;

    for (int i = 0; i < MUTEXES; i++)
        sum += __atomic_load_n(&guarded.mutex_count[i], __ATOMIC_RELAXED);
    for (int i = 0; i < CONDS; i++)
        sum += (unsigned long)__atomic_load_n(&guarded.tokens[i], __ATOMIC_RELAXED);
    return sum;
}

/* Only waiters are left: the doors are closed and all are told. */
static void release_waiters(void)
{
    for (int i = 0; i < CONDS; i++) {
        pthread_mutex_lock(&objects.mutexes[i]);
        __atomic_store_n(&guarded.is_closed, true, __ATOMIC_RELAXED);
        pthread_cond_broadcast(&objects.conds[i]);
        pthread_mutex_unlock(&objects.mutexes[i]);
    }
}

/* Somebody is about to be woken, or a wake-up is lost. */
static bool has_tokens_for_waiters(void)
{
    for (int i = 0; i < CONDS; i++)
        if (__atomic_load_n(&guarded.tokens[i], __ATOMIC_RELAXED) > 0 &&
            __atomic_load_n(&guarded.waiters[i], __ATOMIC_RELAXED) > 0)
            return true;
    return false;
}

/* Nothing changes for a while: everybody who has not ended is a waiter, or something hangs. */
static bool await_end(void)
{
    double last_change = seconds_now(), begin = last_change;
    unsigned long before = 0;

    while (!have_all_ended()) {
        double now = seconds_now();
        unsigned long sum = progress();
        int waiting = 0, alive = 0;

        if (sum != before)
            last_change = now;
        before = sum;
        for (int i = 0; i < CONDS; i++)
            waiting += __atomic_load_n(&guarded.waiters[i], __ATOMIC_RELAXED);
        for (int t = 0; t < THREADS; t++)
            alive += !__atomic_load_n(&racers[t].ended, __ATOMIC_ACQUIRE);
        if (waiting == alive && !has_tokens_for_waiters() && now - last_change > 0.02) {
            release_waiters();
            last_change = now;
        }
        if (now - last_change > ROUND_LIMIT_S || now - begin > 2 * ROUND_LIMIT_S) {
            report(has_tokens_for_waiters() ? "threads wait although tokens are there; threads left"
                                            : "no progress; threads left",
                   alive);
            return false;
        }
        usleep(NAP_US);
    }
    return true;
}

static void check_sums(void)
{
    for (int i = 0; i < MUTEXES; i++) {
        unsigned long sum = 0;

        for (int t = 0; t < THREADS; t++)
            sum += racers[t].mutex_sections[i];
        if (sum != guarded.mutex_count[i])
            report("a count under a mutex is wrong", i);
    }
    for (int i = 0; i < RWLOCKS; i++) {
        unsigned long sum = 0;

        for (int t = 0; t < THREADS; t++)
            sum += racers[t].written[i];
        if (sum != guarded.write_count[i])
            report("a count under a write lock is wrong", i);
    }
}

static bool run_round(uint64_t seed)
{
    uint64_t random = seed * 2 + 1;

    make_objects(&random);
    for (int t = 0; t < THREADS; t++) {
        racers[t] = (struct racer){.random = random_next(&random)};
        if (pthread_create(&racers[t].id, NULL, race, &racers[t]) != 0)
            return false;
    }
    if (!await_end())
        return false;
    for (int t = 0; t < THREADS; t++)
        pthread_join(racers[t].id, NULL);
    check_sums();
    return __atomic_load_n(&broken, __ATOMIC_ACQUIRE) == 0;
}

int free_run(const void *argument)
{
    const struct free_options *o = argument;
    double end = seconds_now() + o->seconds;
    unsigned long rounds = 0;

    do {
        if (!run_round(o->seed + rounds)) {
            printf("free running: seed %llu\n", (unsigned long long)(o->seed + rounds));
            fflush(stdout);
            return 1;
        }
        rounds++;
    } while (seconds_now() < end);
    printf("free running: %lu rounds, %d threads, %d sections each: every invariant held\n", rounds,
           THREADS, SECTIONS);
    fflush(stdout);
    return 0;
}
