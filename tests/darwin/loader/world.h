/* SPDX-License-Identifier: MIT */
/* The small world under the doubles: one lock over all of their state, queues of sleeping threads,
   and the threads themselves. It lies in memory that fork children share, so that process-shared
   objects work; what is private to a process carries the process's id. world.c has the lock and the
   queues, double_threads.c the threads. */
#ifndef FS_TEST_WORLD_H
#define FS_TEST_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wake_reason {
    STILL_ASLEEP = 0,
    WOKEN,
    TIMED_OUT,
    CANCELLED, /* pthread_cancel */
};

/* One per thread; used for one sleep at a time. */
struct sleeper {
    uint32_t state; /* enum wake_reason; the word it sleeps on */
    bool cancellable;
    bool stuck;         /* until somebody of this process wakes it */
    int process;        /* whose thread it is; 0: not asleep */
    const void *thread; /* the pthread_t */
    struct queue *queue;
    struct sleeper *next;
    struct sleeper *previous;
};

struct queue {
    struct sleeper *first;
    struct sleeper *last;
    int process; /* 0: shared by all; else another's sleepers are none of ours */
};

#define FOR_EVER UINT64_MAX

/* Before anything else. */
void world_begin(void);

/* Memory that fork children share, zeroed; never given back. */
void *world_allocate(size_t size);

void world_lock(void);
void world_unlock(void);

/* All of these require the lock. queue_sleep gives it up while it sleeps. A cancellable sleep ends
   at once when a cancellation is pending. */
void queue_begin(struct queue *queue, bool shared);
enum wake_reason queue_sleep(struct queue *queue, uint64_t timeout_ns, bool cancellable);
unsigned queue_wake(struct queue *queue, unsigned count);
bool queue_wake_thread(struct queue *queue, const void *thread);
unsigned queue_length(struct queue *queue);
void sleeper_cancel(struct sleeper *sleeper);

/* ---- census.c -------------------------------------------------------------- */

/* Who is left to wake others: when every thread of the process sleeps for ever, the loader says so
   and ends. These require the lock too. */
void census_thread_begins(void);
void census_thread_ends(void);
void census_gets_stuck(void);
void census_gets_loose(void);
void census_begin_child(void);

/* The sleeper is about to sleep in its queue; it is being woken, or has woken by itself. */
void census_count_in(struct sleeper *sleeper, uint64_t timeout_ns);
void census_count_out(struct sleeper *sleeper);

/* For test programs: how many threads of the process sleep in a wait call or in a lock of
   libpthread's; and a loop until *word is at least `least`, which ends the loader when nobody is
   left who could write there. */
int census_asleep(void);
void census_poll(const int *word, int least);

/* ---- double_threads.c ----------------------------------------------------- */

struct sleeper *thread_sleeper(void);

/* Whether a cancellation is pending and enabled; acting on it, which does not return. */
bool thread_is_cancelled(void);
void thread_cancellation_point(void);

/* A number that differs between threads and may be anything, as the kernel's port is. */
uint32_t thread_port(void);

void thread_begin_main(void);

/* ---- double_waits.c ------------------------------------------------------- */

/* Before the first fork: processes that share a word look for it in one table. */
void waits_begin(void);

/* ---- double_time.c ----------------------------------------------------------- */

/* The clock that deadlines of condition variables are on, in ns, as the program sees it. */
int64_t time_wall_now(void);

/* Nanoseconds from now, 0 when the moment is past; on the wall clock, and in ticks of the mach
   clock. */
uint64_t time_until(int64_t wall_ns);
uint64_t time_until_mach(uint64_t ticks);

/* ---- faults.c ------------------------------------------------------------------ */

enum fault {
    FAULT_EINTR,
    FAULT_EFAULT,
    FAULT_SPURIOUS,
    FAULT_DELAY,
    FAULT_WAKE_EINTR,
    FAULT_COUNT
};

/* From now on faults happen, by this seed; 0 for none. */
void faults_begin(uint64_t seed);
bool faults_happen(enum fault fault);
void faults_delay(void);

#endif
