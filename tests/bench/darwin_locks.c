/* SPDX-License-Identifier: MIT */
/*
 * macOS: what a pair of lock and unlock costs, alone and with as many threads as processors, for a
 * pthread mutex and for os_unfair_lock. Run it once plain and once with the library inserted: only
 * the mutex changes. os_unfair_lock is the least that macOS can do for a lock; it works with no
 * condition variable, so it takes no mutex's place and is here for comparison alone.
 *
 * Prints a line per lock and number of threads: nanoseconds per pair, from the median of the
 * rounds. Built by the cross build; nobody has run it on a Mac so far.
 */
#include <os/lock.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 11
#define PAIRS 200000
#define THREADS_MAX 16

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static os_unfair_lock unfair = OS_UNFAIR_LOCK_INIT;
static volatile unsigned long guarded;

static void pairs_of_mutex(void)
{
    for (int i = 0; i < PAIRS; i++) {
        pthread_mutex_lock(&mutex);
        guarded = guarded + 1;
        pthread_mutex_unlock(&mutex);
    }
}

static void pairs_of_unfair_lock(void)
{
    for (int i = 0; i < PAIRS; i++) {
        os_unfair_lock_lock(&unfair);
        guarded = guarded + 1;
        os_unfair_lock_unlock(&unfair);
    }
}

static const struct lock {
    const char *name;
    void (*pairs)(void);
} locks[] = {
    {"pthread_mutex", pairs_of_mutex},
    {"os_unfair_lock", pairs_of_unfair_lock},
};

static void *run(void *lock)
{
    ((const struct lock *)lock)->pairs();
    return NULL;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Nanoseconds of one round; the calling thread is one of them. False when a thread is not to be
   had, or a pair of the round was lost: the lock did not exclude. */
static bool measure_round(const struct lock *lock, unsigned threads, uint64_t *ns)
{
    pthread_t others[THREADS_MAX];
    unsigned started = 0;
    uint64_t begin;

    guarded = 0;
    begin = now_ns();
    while (started + 1 < threads &&
           pthread_create(&others[started], NULL, run, (void *)(uintptr_t)lock) == 0)
        started++;
    lock->pairs();
    for (unsigned i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    *ns = now_ns() - begin;
    return started + 1 == threads && guarded == (unsigned long)threads * PAIRS;
}

static uint64_t median(uint64_t figures[ROUNDS])
{
    for (int i = 1; i < ROUNDS; i++)
        for (int j = i; j > 0 && figures[j] < figures[j - 1]; j--) {
            uint64_t larger = figures[j - 1];

            figures[j - 1] = figures[j];
            figures[j] = larger;
        }
    return figures[ROUNDS / 2];
}

static char *put(char *at, const char *text)
{
    size_t length = strlen(text);

    memcpy(at, text, length);
    return at + length;
}

static char *put_number(char *at, uint64_t number, int digits)
{
    char reversed[24];
    int length = 0;

    do {
        reversed[length++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0 || length < digits);
    while (length > 0)
        *at++ = reversed[--length];
    return at;
}

static void print(const struct lock *lock, unsigned threads, uint64_t hundredths)
{
    char line[128];
    char *at = put(line, lock->name);

    at = put(at, " threads=");
    at = put_number(at, threads, 1);
    at = put(at, " ns_per_pair=");
    at = put_number(at, hundredths / 100, 1);
    at = put(at, ".");
    at = put_number(at, hundredths % 100, 2);
    at = put(at, "\n");
    if (write(STDOUT_FILENO, line, (size_t)(at - line)) < 0)
        _exit(1);
}

static bool measure(const struct lock *lock, unsigned threads)
{
    uint64_t figures[ROUNDS];

    for (int i = 0; i < ROUNDS; i++)
        if (!measure_round(lock, threads, &figures[i]))
            return false;
    print(lock, threads, median(figures) * 100 / ((uint64_t)threads * PAIRS));
    return true;
}

int main(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned most = processors < 2             ? 2
                    : processors > THREADS_MAX ? THREADS_MAX
                                               : (unsigned)processors;

    for (unsigned i = 0; i < sizeof locks / sizeof locks[0]; i++)
        if (!measure(&locks[i], 1) || !measure(&locks[i], most))
            return 1;
    return 0;
}
