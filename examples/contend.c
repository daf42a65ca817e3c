/* SPDX-License-Identifier: MIT */
/*
 * A small program to measure: threads that share one mutex, then a bounded queue guarded by a mutex
 * and two condition variables. It prints what must come out the same with any correct library, and
 * how fast it was. Plain POSIX threads; it knows nothing of fastsync.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUEUE_CAPACITY = 64, MOST_THREADS = 1024 };

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    uint64_t items[QUEUE_CAPACITY];
    unsigned head;
    unsigned length;
};

static struct queue queue = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .not_empty = PTHREAD_COND_INITIALIZER,
    .not_full = PTHREAD_COND_INITIALIZER,
};
static pthread_mutex_t counter_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t counter;
static uint64_t operations = 5000000;
static uint64_t items_per_producer;

static void put(struct queue *q, uint64_t item)
{
    pthread_mutex_lock(&q->mutex);
    while (q->length == QUEUE_CAPACITY)
        pthread_cond_wait(&q->not_full, &q->mutex);
    q->items[(q->head + q->length++) % QUEUE_CAPACITY] = item;
    pthread_mutex_unlock(&q->mutex);
    pthread_cond_signal(&q->not_empty);
}

static uint64_t take(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    while (q->length == 0)
        pthread_cond_wait(&q->not_empty, &q->mutex);
    uint64_t item = q->items[q->head];
    q->head = (q->head + 1) % QUEUE_CAPACITY;
    q->length--;
    pthread_mutex_unlock(&q->mutex);
    pthread_cond_signal(&q->not_full);
    return item;
}

static void *count(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < operations; i++) {
        pthread_mutex_lock(&counter_mutex);
        counter++;
        pthread_mutex_unlock(&counter_mutex);
    }
    return NULL;
}

static void *produce(void *unused)
{
    (void)unused;
    for (uint64_t i = 1; i <= items_per_producer; i++)
        put(&queue, i);
    return NULL;
}

static void *consume(void *sum)
{
    for (uint64_t i = 0; i < items_per_producer; i++)
        *(uint64_t *)sum += take(&queue);
    return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
    int err = pthread_create(thread, NULL, body, argument);
    if (err != 0) {
        fprintf(stderr, "contend: no thread: %s\n", strerror(err));
        exit(1);
    }
}

static void run_counters(unsigned threads)
{
    pthread_t thread[MOST_THREADS];
    for (unsigned i = 0; i < threads; i++)
        start(&thread[i], count, NULL);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
}

static uint64_t run_queue(unsigned pairs)
{
    pthread_t producer[MOST_THREADS], consumer[MOST_THREADS];
    uint64_t sums[MOST_THREADS] = {0};
    uint64_t sum = 0;
    for (unsigned i = 0; i < pairs; i++) {
        start(&producer[i], produce, NULL);
        start(&consumer[i], consume, &sums[i]);
    }
    for (unsigned i = 0; i < pairs; i++) {
        pthread_join(producer[i], NULL);
        pthread_join(consumer[i], NULL);
        sum += sums[i];
    }
    return sum;
}

static bool parse(const char *argument, const char *name, uint64_t most, uint64_t *value)
{
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return false;
    char *end;
    *value = strtoull(argument + length, &end, 10);
    return end != argument + length && *end == '\0' && *value >= 1 && *value <= most;
}

int main(int argc, char **argv)
{
    uint64_t threads = 2;
    for (int i = 1; i < argc; i++) {
        if (!parse(argv[i], "--threads=", MOST_THREADS, &threads) &&
            !parse(argv[i], "--operations=", UINT32_MAX, &operations)) {
            fprintf(stderr, "usage: contend [--threads=N] [--operations=N]\n");
            return 2;
        }
    }
    unsigned pairs = threads / 2 > 0 ? (unsigned)threads / 2 : 1;
    items_per_producer = operations / 10 + 1;

    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    run_counters((unsigned)threads);
    uint64_t sum = run_queue(pairs);
    clock_gettime(CLOCK_MONOTONIC, &to);

    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    uint64_t done = threads * operations + 2 * pairs * items_per_producer;
    bool right = counter == threads * operations &&
                 sum == pairs * (items_per_producer * (items_per_producer + 1) / 2);
    printf("counter: %" PRIu64 "\nsum of items: %" PRIu64 "\n", counter, sum);
    printf("operations per second: %.0f\n", (double)done / seconds);
    return right ? 0 : 1;
}
