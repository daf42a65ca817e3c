/* SPDX-License-Identifier: MIT */
/*
 * The bounded queue of the textbooks: one mutex, one condition variable for each end.
 * Cell: cap<capacity>/<producers>x<consumers>/<after|under>, the last saying whether the signal is
 * sent after the unlock or under the mutex. One operation is one item that arrived.
 */
#include "team.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct {
    _Alignas(BENCH_LINE) pthread_mutex_t mutex;
    _Alignas(BENCH_LINE) pthread_cond_t not_full;
    _Alignas(BENCH_LINE) pthread_cond_t not_empty;
    _Alignas(BENCH_LINE) int items;
    bool stop;
    _Alignas(BENCH_LINE) int capacity;
    int producers;
    bool under;
} queue;

static void leave_and_signal(pthread_cond_t *cond)
{
    if (queue.under) {
        pthread_cond_signal(cond);
        pthread_mutex_unlock(&queue.mutex);
    } else {
        pthread_mutex_unlock(&queue.mutex);
        pthread_cond_signal(cond);
    }
}

static bool put(void)
{
    pthread_mutex_lock(&queue.mutex);
    while (queue.items == queue.capacity && !queue.stop) {
        pthread_cond_wait(&queue.not_full, &queue.mutex);
    }
    if (queue.stop) {
        pthread_mutex_unlock(&queue.mutex);
        return false;
    }
    queue.items++;
    leave_and_signal(&queue.not_empty);
    return true;
}

static bool get(void)
{
    pthread_mutex_lock(&queue.mutex);
    while (queue.items == 0 && !queue.stop) {
        pthread_cond_wait(&queue.not_empty, &queue.mutex);
    }
    if (queue.stop) {
        pthread_mutex_unlock(&queue.mutex);
        return false;
    }
    queue.items--;
    leave_and_signal(&queue.not_full);
    return true;
}

static void produce_or_consume(int index, void *argument)
{
    (void)argument;
    if (index < queue.producers) {
        while (put()) {
        }
    } else {
        while (get()) {
            team_count(index);
        }
    }
}

static bool parse(const char *spec, int *threads)
{
    char when[8];
    int consumers;

    if (sscanf(spec, "cap%d/%dx%d/%7s", &queue.capacity, &queue.producers, &consumers, when) != 4 ||
        queue.capacity <= 0 || queue.producers <= 0 || consumers <= 0) {
        return false;
    }
    *threads = queue.producers + consumers;
    queue.under = strcmp(when, "under") == 0;
    return *threads <= TEAM_MAX && (queue.under || strcmp(when, "after") == 0);
}

bool run_queue(const char *spec, int milliseconds, struct bench_sample *out)
{
    int threads;

    if (!parse(spec, &threads)) {
        return false;
    }
    pthread_mutex_init(&queue.mutex, NULL);
    pthread_cond_init(&queue.not_full, NULL);
    pthread_cond_init(&queue.not_empty, NULL);
    queue.items = 0;
    queue.stop = false;
    team_start(threads, produce_or_consume, NULL);
    team_measure(milliseconds, out);
    pthread_mutex_lock(&queue.mutex);
    queue.stop = true;
    pthread_cond_broadcast(&queue.not_full);
    pthread_cond_broadcast(&queue.not_empty);
    pthread_mutex_unlock(&queue.mutex);
    team_wait();
    pthread_cond_destroy(&queue.not_empty);
    pthread_cond_destroy(&queue.not_full);
    pthread_mutex_destroy(&queue.mutex);
    return true;
}
