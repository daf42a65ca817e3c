/* SPDX-License-Identifier: MIT */
/* What the tests of the condition variable have in common: a condition variable with its mutex,
   threads that wait there, and counts of the system calls made. fs_futex_wake,
   fs_futex_wake_bitset, fs_futex_cmp_requeue and fs_system_thread_id are wrapped by the linker (see
   meson.build). What is expected is each program's business. */
#ifndef FS_TESTS_UNIT_CONDITION_PLACE_H
#define FS_TESTS_UNIT_CONDITION_PLACE_H

#include "sleepers.h"

#include "eventually.h"
#include "lock/condition.h"
#include "lock/settings.h"

/* Calls made through the wrappers so far. */
uint32_t wakes_so_far(void);
uint32_t requeues_so_far(void);

/* Runs in the calling thread whenever it asks for its own id; null: nothing does. */
extern FS_THREAD_LOCAL void (*when_asked_who_i_am)(void);

/* The uncounted ones. */
int __real_fs_futex_wake(fs_word *w, int count, enum fs_scope scope);
uint32_t __real_fs_system_thread_id(void);

struct place {
    struct fs_condition cond;
    struct fs_mutex mutex;
    uint32_t inside; /* waiters with its mutex that have not left yet; guarded by it */
    bool unmap;      /* the last one does it */
};

struct waiter {
    struct place *place;
    struct fs_mutex *mutex; /* null: the place's */
    enum fs_move move;
    const struct fs_deadline *deadline;
    struct fs_wait wait;
    fs_word joined; /* 1 when wait is filled in */
    struct sleeper sleeper;
};

void lock(struct fs_mutex *m);
void unlock(struct fs_mutex *m);

/* As the callers do it, with the mutex held; returns what the wait returned. */
int wait_on(struct fs_condition *cond, struct fs_mutex *m, struct waiter *w);

/* The same with its own lock and unlock; the body of a thread, whose argument is a waiter. */
int wait_once(void *arg);

void put_to_sleep(struct waiter *w, struct place *place, enum fs_move move);
void put_all_to_sleep(struct waiter *waiters, int count, struct place *place, enum fs_move move);
void expect_end(struct waiter *w, int result);
void expect_all_end(struct waiter *waiters, int count);
uint32_t state_of(struct waiter *w);

/* The first ones are signalled, the others sleep. */
void expect_states(struct waiter *waiters, int count, int signalled);

/* What the kernel says the thread sleeps on; null while it runs. */
const void *sleeps_on(struct waiter *w);

/* Runs these cases, each test without spinning and as on two processors. */
int run_condition_cases(const char *name, TCase *cases[], int count);

#endif
