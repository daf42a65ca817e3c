/* SPDX-License-Identifier: MIT */
/* Condition waits that are cancelled while signals arrive. In each round all
   threads wait; then some are cancelled and some tokens are signalled at the
   same time, never more tokens than threads are left. No new waiter comes
   before all tokens are taken, so a cancelled thread that had consumed a
   signal would leave a token lying for ever. */
#include "stress.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const int kind_numbers[] = {0, 1, 2, 4, 5, 6};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_cond_t report;
    volatile int waiting;
    volatile int tokens;
    volatile int taken;
    volatile int cancelled;
    volatile bool quit;
    struct stress_random random;
} cell;

static struct {
    pthread_t threads[32];
    int count;
    int cancel;
} round_plan;

/* Runs with the mutex held, as POSIX demands. */
static void on_cancel(void *unused)
{
    cell.cancelled++;
    cell.waiting--;
    OK(pthread_mutex_unlock(&cell.mutex));
}

static void wait_once(unsigned variant)
{
    struct timespec deadline;
    int err;

    switch (variant) {
    case 0:
        deadline = stress_deadline(CLOCK_REALTIME, 120000000000);
        err = pthread_cond_timedwait(&cell.condition, &cell.mutex, &deadline);
        break;
    case 1:
        deadline = stress_deadline(CLOCK_MONOTONIC, 120000000000);
        err = pthread_cond_clockwait(&cell.condition, &cell.mutex, CLOCK_MONOTONIC, &deadline);
        break;
    default:
        err = pthread_cond_wait(&cell.condition, &cell.mutex);
    }
    EXPECT(err == 0, "wait gives %d", err);
}

static void *wait_for_token(void *variant)
{
    int old;

    OK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
    OK(pthread_mutex_lock(&cell.mutex));
    cell.waiting++;
    OK(pthread_cond_signal(&cell.report));
    pthread_cleanup_push(on_cancel, NULL);
    OK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old));
    while (cell.tokens == 0 && !cell.quit)
        wait_once((unsigned)(uintptr_t)variant);
    OK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
    pthread_cleanup_pop(0);
    cell.waiting--;
    if (cell.tokens > 0) {
        cell.tokens--;
        cell.taken++;
        OK(pthread_cond_signal(&cell.report));
    }
    OK(pthread_mutex_unlock(&cell.mutex));
    return NULL;
}

static void *cancel_some(void *random)
{
    for (int i = 0; i < round_plan.cancel; i++) {
        stress_work(random, 3000);
        OK(pthread_cancel(round_plan.threads[i]));
    }
    return NULL;
}

static void put_tokens(int tokens)
{
    bool inside = stress_below(&cell.random, 2) == 0;
    bool all = stress_below(&cell.random, 4) == 0;

    for (int i = 0; i < tokens; i++) {
        OK(pthread_mutex_lock(&cell.mutex));
        cell.tokens++;
        if (inside)
            OK(all ? pthread_cond_broadcast(&cell.condition)
                   : pthread_cond_signal(&cell.condition));
        /* Long enough for a cancellation to meet a thread that waits for the mutex. */
        stress_work(&cell.random, 3000);
        OK(pthread_mutex_unlock(&cell.mutex));
        if (!inside)
            OK(all ? pthread_cond_broadcast(&cell.condition)
                   : pthread_cond_signal(&cell.condition));
    }
}

static void join_all(int tokens)
{
    int results = 0;

    for (int i = 0; i < round_plan.count; i++) {
        void *result;
        OK(pthread_join(round_plan.threads[i], &result));
        EXPECT(result == NULL || (result == PTHREAD_CANCELED && i < round_plan.cancel),
               "thread %d ends with %p", i, result);
        results += result == PTHREAD_CANCELED;
    }
    EXPECT(results == cell.cancelled, "%d threads were cancelled, %d handlers ran", results,
           cell.cancelled);
    EXPECT(cell.taken == tokens, "%d of %d tokens taken", cell.taken, tokens);
    EXPECT(cell.waiting == 0, "%d are counted as waiting", cell.waiting);
}

static void play_round(int threads)
{
    struct stress_random other = {stress_next(&cell.random)};
    pthread_t canceller;
    int tokens = 1 + (int)stress_below(&cell.random, (unsigned)threads / 2);

    round_plan.count = threads;
    round_plan.cancel = (int)stress_below(&cell.random, (unsigned)(threads - tokens) + 1);
    cell.waiting = cell.tokens = cell.taken = cell.cancelled = 0;
    cell.quit = false;
    for (int i = 0; i < threads; i++) {
        void *variant = (void *)(uintptr_t)stress_below(&cell.random, 4);
        OK(pthread_create(&round_plan.threads[i], NULL, wait_for_token, variant));
    }
    OK(pthread_mutex_lock(&cell.mutex));
    while (cell.waiting < threads)
        OK(pthread_cond_wait(&cell.report, &cell.mutex));
    OK(pthread_mutex_unlock(&cell.mutex));

    OK(pthread_create(&canceller, NULL, cancel_some, &other));
    put_tokens(tokens);
    OK(pthread_mutex_lock(&cell.mutex));
    while (cell.tokens > 0)
        OK(pthread_cond_wait(&cell.report, &cell.mutex));
    OK(pthread_mutex_unlock(&cell.mutex));
    OK(pthread_join(canceller, NULL));

    OK(pthread_mutex_lock(&cell.mutex));
    cell.quit = true;
    OK(pthread_cond_broadcast(&cell.condition));
    OK(pthread_mutex_unlock(&cell.mutex));
    join_all(tokens);
}

START_TEST(a_cancelled_wait_loses_no_signal)
{
    const struct stress_mutex_kind *kind = &stress_mutex_kinds[kind_numbers[_i / 3]];
    int threads = stress_thread_counts[_i % 3];
    char name[64];

    snprintf(name, sizeof name, "%s, %d threads", kind->name, threads);
    cell.random = stress_begin(name, _i);
    watchdog_watch("mutex", &cell.mutex, sizeof cell.mutex);
    watchdog_watch("condition", &cell.condition, sizeof cell.condition);
    watchdog_watch("report", &cell.report, sizeof cell.report);
    watchdog_watch("waiting, tokens, taken, cancelled", (void *)&cell.waiting, 16);
    stress_mutex_init(&cell.mutex, kind);
    OK(pthread_cond_init(&cell.condition, NULL));
    OK(pthread_cond_init(&cell.report, NULL));
    stress_start_clock();
    do {
        play_round(threads);
    } while (stress_goes_on());
    OK(pthread_cond_destroy(&cell.condition));
    OK(pthread_mutex_destroy(&cell.mutex));
    watchdog_stop();
}
END_TEST

int main(int argc, char **argv)
{
    return stress_main(argc, argv, "cancel", a_cancelled_wait_loses_no_signal,
                       3 * sizeof kind_numbers / sizeof *kind_numbers);
}
