/* SPDX-License-Identifier: MIT */
/*
 * The objects, the threads that make the calls, and what can be seen of them: whether a call has
 * returned and with what, and whether all threads that are in a call sleep for good. Orders are
 * given by futex words of their own, so that nothing here uses the locks under test.
 */
#ifndef TESTS_FUZZ_WORKERS_H
#define TESTS_FUZZ_WORKERS_H

#include <pthread.h>
#include <time.h>

#include "model.h"

struct objects {
    pthread_mutex_t mutexes[MUTEXES];
    pthread_cond_t conds[CONDS];
    pthread_rwlock_t rwlocks[RWLOCKS];
};

extern struct objects objects;

/* A call, and all that its result depends on but the objects. */
struct order {
    struct call call;
    clockid_t clock;
    struct timespec deadline;
    int8_t expected[MUTEXES]; /* fork: what trylock returns in the child; -1: not tried */
    uint8_t cond_kind;        /* timed wait: of its condition variable */
};

struct worker {
    pthread_t id;
    pid_t tid;
    uint32_t ordered, taken, finished; /* sequence numbers */
    struct order order;
    int result;
    bool was_early; /* timed out before its deadline */
    int state_fd, ran_fd;
};

extern struct worker workers[THREADS];

void objects_init(const struct script *s);

/* Sets clock and deadline. */
void order_set_deadline(struct order *order);

/* Makes the call. May not return: a cancelled wait ends the thread. */
int perform(const struct order *order);

void workers_start(void);
void worker_order(int t, const struct order *order);
bool worker_is_done(int t); /* acquire: the result may be read */

/* Joins a thread that has ended, or is about to, and starts another in its place. */
void worker_replace(int t);

/* Two looks at the threads in a call: none of them ran in between, and all were asleep. */
bool workers_are_at_rest(const bool in_call[THREADS]);

bool time_is_past(clockid_t clock, const struct timespec *deadline);
double seconds_now(void);

#endif
