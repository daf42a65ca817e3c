/* SPDX-License-Identifier: MIT */
/* The cells of winpthreads' locks. The calls go straight through the import table, as those of a
   program that was built against the DLL. */
#include "worker.h"

#include <pthread.h>

static _Alignas(LINE) pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Alignas(LINE) pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static _Alignas(LINE) pthread_cond_t my_turn[2] = {PTHREAD_COND_INITIALIZER,
                                                   PTHREAD_COND_INITIALIZER};
static _Alignas(LINE) volatile int turn;
static _Alignas(LINE) volatile unsigned long guarded;

static void lock_mutex(struct seat *seat)
{
    PAIRS(seat, pthread_mutex_lock(&mutex); guarded = guarded + 1, pthread_mutex_unlock(&mutex));
}

static void read_rwlock(struct seat *seat)
{
    PAIRS(seat, pthread_rwlock_rdlock(&rwlock), pthread_rwlock_unlock(&rwlock));
}

static void write_rwlock(struct seat *seat)
{
    PAIRS(seat, pthread_rwlock_wrlock(&rwlock);
          guarded = guarded + 1, pthread_rwlock_unlock(&rwlock));
}

static void take_turns(struct seat *seat)
{
    TURNS(seat, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex),
          pthread_cond_wait(&my_turn[seat->number], &mutex),
          pthread_cond_signal(&my_turn[!seat->number]));
}

static void end_turns(void)
{
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&my_turn[0]);
    pthread_cond_signal(&my_turn[1]);
    pthread_mutex_unlock(&mutex);
}

const struct cell pthread_cells[] = {
    {"mutex", lock_mutex, NULL},
    {"rwlock-read", read_rwlock, NULL},
    {"rwlock-write", write_rwlock, NULL},
    {"cond-pingpong", take_turns, end_turns},
    {NULL, NULL, NULL},
};
