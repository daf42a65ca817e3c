/* SPDX-License-Identifier: MIT */
/* Many threads in a process's life: ten thousand that come and go, joined or
   detached, each using every family of locks; and five hundred that wait on one
   condition variable at once. The amounts are fixed; the time only adds. */
#include "stress.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    CHURN_THREADS = 10000,
    AT_ONCE = 16,
    CROWD = 500,
    STACK_SIZE = 64 * 1024,
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_cond_t report;
    pthread_cond_t gate;
    pthread_rwlock_t rwlock;
    volatile int waiting;
    volatile int tokens;
    volatile int woken;
    volatile int ended;
    volatile unsigned generation;
    volatile bool quit;
} cell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,   PTHREAD_COND_INITIALIZER,
          PTHREAD_COND_INITIALIZER,  PTHREAD_RWLOCK_INITIALIZER, .waiting = 0};

static pthread_attr_t small_stack;

static void *live_shortly(void *number)
{
    struct timespec deadline = stress_deadline(CLOCK_REALTIME, 20000);
    int err = 0;

    OK(pthread_rwlock_rdlock(&cell.rwlock));
    OK(pthread_rwlock_unlock(&cell.rwlock));
    OK(pthread_mutex_lock(&cell.mutex));
    if ((uintptr_t)number % 2 == 0)
        err = pthread_cond_timedwait(&cell.condition, &cell.mutex, &deadline);
    EXPECT(err == 0 || err == ETIMEDOUT, "timedwait gives %d", err);
    cell.ended++;
    OK(pthread_cond_signal(&cell.condition));
    OK(pthread_cond_signal(&cell.report));
    OK(pthread_mutex_unlock(&cell.mutex));
    return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), int number)
{
    int err;

    while ((err = pthread_create(thread, &small_stack, body, (void *)(uintptr_t)number)) == EAGAIN)
        usleep(1000);
    EXPECT(err == 0, "pthread_create gives %d", err);
}

static void churn_joined(void)
{
    pthread_t threads[AT_ONCE];

    for (int i = 0; i < CHURN_THREADS; i += AT_ONCE) {
        for (int j = 0; j < AT_ONCE; j++)
            start(&threads[j], live_shortly, i + j);
        for (int j = 0; j < AT_ONCE; j++)
            OK(pthread_join(threads[j], NULL));
    }
    EXPECT(cell.ended == CHURN_THREADS, "%d threads ended", cell.ended);
}

static void churn_detached(void)
{
    pthread_t thread;

    OK(pthread_attr_setdetachstate(&small_stack, PTHREAD_CREATE_DETACHED));
    for (int i = 0; i < CHURN_THREADS; i++) {
        start(&thread, live_shortly, i);
        OK(pthread_mutex_lock(&cell.mutex));
        while (i + 1 - cell.ended >= AT_ONCE)
            OK(pthread_cond_wait(&cell.report, &cell.mutex));
        OK(pthread_mutex_unlock(&cell.mutex));
    }
    OK(pthread_mutex_lock(&cell.mutex));
    while (cell.ended < CHURN_THREADS)
        OK(pthread_cond_wait(&cell.report, &cell.mutex));
    OK(pthread_mutex_unlock(&cell.mutex));
}

/* First each waits for a token, then all wait at the gate for the next round. */
static void *wait_in_crowd(void *unused)
{
    OK(pthread_mutex_lock(&cell.mutex));
    while (!cell.quit) {
        unsigned mine = cell.generation;
        if (++cell.waiting == CROWD)
            OK(pthread_cond_signal(&cell.report));
        while (cell.tokens == 0)
            OK(pthread_cond_wait(&cell.condition, &cell.mutex));
        cell.tokens--;
        if (++cell.woken == CROWD)
            OK(pthread_cond_signal(&cell.report));
        while (cell.generation == mine)
            OK(pthread_cond_wait(&cell.gate, &cell.mutex));
    }
    OK(pthread_mutex_unlock(&cell.mutex));
    return NULL;
}

/* Called with the mutex held, and all of the crowd waiting. */
static void hand_out_tokens(bool one_by_one)
{
    if (!one_by_one) {
        cell.tokens = CROWD;
        OK(pthread_cond_broadcast(&cell.condition));
        return;
    }
    for (int i = 0; i < CROWD; i++) {
        cell.tokens++;
        if (i % 3 == 0)
            OK(pthread_cond_signal(&cell.condition));
        OK(pthread_mutex_unlock(&cell.mutex));
        if (i % 3 != 0)
            OK(pthread_cond_signal(&cell.condition));
        OK(pthread_mutex_lock(&cell.mutex));
    }
}

static void wake_crowd(bool one_by_one)
{
    static pthread_t threads[CROWD];

    for (int i = 0; i < CROWD; i++)
        start(&threads[i], wait_in_crowd, i);
    OK(pthread_mutex_lock(&cell.mutex));
    for (int round = 0; !cell.quit; round++) {
        while (cell.waiting < CROWD)
            OK(pthread_cond_wait(&cell.report, &cell.mutex));
        hand_out_tokens(one_by_one);
        while (cell.woken < CROWD)
            OK(pthread_cond_wait(&cell.report, &cell.mutex));
        EXPECT(cell.tokens == 0, "%d tokens are left", cell.tokens);
        cell.waiting = cell.woken = 0;
        cell.generation++;
        cell.quit = round >= 3 && !stress_goes_on();
        OK(pthread_cond_broadcast(&cell.gate));
    }
    OK(pthread_mutex_unlock(&cell.mutex));
    for (int i = 0; i < CROWD; i++)
        OK(pthread_join(threads[i], NULL));
}

START_TEST(many_threads_come_and_go)
{
    static const char *const names[] = {"10,000 joined", "10,000 detached",
                                        "500 woken by broadcast", "500 woken one by one"};

    stress_begin(names[_i], _i);
    watchdog_watch("mutex", &cell.mutex, sizeof cell.mutex);
    watchdog_watch("condition", &cell.condition, sizeof cell.condition);
    watchdog_watch("gate", &cell.gate, sizeof cell.gate);
    watchdog_watch("report", &cell.report, sizeof cell.report);
    watchdog_watch("rwlock", &cell.rwlock, sizeof cell.rwlock);
    watchdog_watch("waiting, tokens, woken, ended", (void *)&cell.waiting, 16);
    OK(pthread_attr_init(&small_stack));
    OK(pthread_attr_setstacksize(&small_stack, STACK_SIZE));
    stress_start_clock();
    switch (_i) {
    case 0:
        churn_joined();
        break;
    case 1:
        churn_detached();
        break;
    default:
        wake_crowd(_i == 3);
    }
    watchdog_stop();
}
END_TEST

int main(int argc, char **argv)
{
    return stress_main(argc, argv, "churn", many_threads_come_and_go, 4);
}
