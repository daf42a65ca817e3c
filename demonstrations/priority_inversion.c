/* SPDX-License-Identifier: MIT */
/*
 * Priority inversion through a condition variable (bug 11588), with SCHED_FIFO threads on one CPU.
 * `urgent` wants a PI mutex whose holder, boosted to its priority, calls pthread_cond_signal. A
 * waiter of low priority has been woken before and has not run yet, since `burner` burns the CPU.
 * glibc 2.25 to 2.40 lets the signaller wait for that waiter, whose priority nobody inherits: the
 * mutex is kept as long as the burner burns. How long urgent may wait is known: the holder's work.
 * A round counts as inverted if urgent got the mutex only after the burner's end: an order, not a
 * time. Order of priority: woken waiter < holder < second waiter < burner < urgent < conductor.
 *
 * priority_inversion [--rounds N] [--burn MS]
 */
#include "demonstration.h"

#include <semaphore.h>

enum { WOKEN = 5, HOLDER = 10, SECOND = 15, BURNER = 20, URGENT = 30, CONDUCTOR = 40 };
enum { WORK_MS = 10, PAUSE_MS = 400, LIMIT_S = 20 };

static pthread_mutex_t mutex;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t second_may_wait;
static double burn_s;

/* One round; everything is on one CPU, and the conductor joins the threads before it looks. */
static int waiting, step;
static bool wanted, served, burning, burnt;
static bool served_before_the_end, counts;
static double longest_wait;

static bool is_set(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static void burn(double seconds)
{
    double end = seconds_on(CLOCK_THREAD_CPUTIME_ID) + seconds;
    while (seconds_on(CLOCK_THREAD_CPUTIME_ID) < end) {
    }
}

static void wait_for_step(int number)
{
    MUST(pthread_mutex_lock(&mutex));
    __atomic_add_fetch(&waiting, 1, __ATOMIC_RELEASE);
    while (step < number)
        MUST(pthread_cond_wait(&condition, &mutex));
    MUST(pthread_mutex_unlock(&mutex));
}

static void *be_woken(void *argument)
{
    wait_for_step(1);
    return NULL;
}

static void *be_second(void *argument)
{
    while (sem_wait(&second_may_wait) != 0) {
    }
    wait_for_step(2);
    return NULL;
}

static void *be_burner(void *argument)
{
    while (!is_set(&burning))
        sleep_s(0.0005);
    burn(burn_s);
    set(&burnt);
    return NULL;
}

static void *be_urgent(void *argument)
{
    while (!is_set(&burning))
        sleep_s(0.0005);
    sleep_s(0.001);
    counts = !is_set(&burnt);
    double begin = seconds_on(CLOCK_MONOTONIC);
    set(&wanted);
    MUST(pthread_mutex_lock(&mutex));
    double waited = seconds_on(CLOCK_MONOTONIC) - begin;
    served_before_the_end = !is_set(&burnt);
    set(&served);
    MUST(pthread_mutex_unlock(&mutex));
    if (counts && waited > longest_wait)
        longest_wait = waited;
    return NULL;
}

/* The first signal makes a thread runnable that cannot run yet; the second comes with the mutex. */
static void *be_holder(void *argument)
{
    MUST(pthread_mutex_lock(&mutex));
    step++;
    MUST(pthread_cond_signal(&condition));
    MUST(pthread_mutex_unlock(&mutex));
    sem_post(&second_may_wait);
    MUST(pthread_mutex_lock(&mutex));
    set(&burning);
    while (!is_set(&wanted))
        burn(0.0001);
    burn(WORK_MS / 1e3);
    step++;
    MUST(pthread_cond_signal(&condition));
    MUST(pthread_mutex_unlock(&mutex));
    return NULL;
}

static pthread_t start(void *(*body)(void *), int priority)
{
    pthread_t thread;
    pthread_attr_t attr;
    struct sched_param param = {.sched_priority = priority};
    MUST(pthread_attr_init(&attr));
    MUST(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED));
    MUST(pthread_attr_setschedpolicy(&attr, SCHED_FIFO));
    MUST(pthread_attr_setschedparam(&attr, &param));
    MUST(pthread_create(&thread, &attr, body, NULL));
    MUST(pthread_attr_destroy(&attr));
    return thread;
}

static void init_objects(void)
{
    pthread_mutexattr_t attr;
    MUST(pthread_mutexattr_init(&attr));
    MUST(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
    MUST(pthread_mutex_init(&mutex, &attr));
    MUST(pthread_mutexattr_destroy(&attr));
    sem_init(&second_may_wait, 0, 0);
}

static void play_round(void)
{
    pthread_t threads[5];
    int n = 0;
    wanted = served = burning = burnt = served_before_the_end = counts = false;
    waiting = step = 0;
    threads[n++] = start(be_woken, WOKEN);
    while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) < 1)
        sleep_s(0.001);
    sleep_s(0.005);
    threads[n++] = start(be_second, SECOND);
    threads[n++] = start(be_burner, BURNER);
    threads[n++] = start(be_urgent, URGENT);
    sleep_s(0.005);
    threads[n++] = start(be_holder, HOLDER);
    while (n > 0)
        MUST(pthread_join(threads[--n], NULL));
}

int main(int argc, char **argv)
{
    int rounds = 5, counted = 0, inverted = 0;
    burn_s = 0.3;
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--rounds") == 0)
            rounds = (int)number_or_exit(argv[i + 1]);
        else if (strcmp(argv[i], "--burn") == 0)
            burn_s = number_or_exit(argv[i + 1]) / 1e3;
        else
            return fprintf(stderr, "no such option: %s\n", argv[i]), BROKEN;
    }
    require_real_time();
    report_implementation();
    pin_to(usable_cpu(0));
    MUST(set_priority(pthread_self(), CONDUCTOR));
    init_objects();
    for (int i = 0; i < rounds; i++) {
        alarm(LIMIT_S);
        play_round();
        counted += counts;
        inverted += counts && !served_before_the_end;
        sleep_s(PAUSE_MS / 1e3); /* well below what real-time threads may use of a second */
    }
    printf("result=%s\nrounds=%d\ncounted=%d\ninverted=%d\n", inverted ? "inverted" : "none",
           rounds, counted, inverted);
    printf("longest_wait_ms=%.1f\nburn_ms=%.0f\nwork_ms=%d\n", longest_wait * 1e3, burn_s * 1e3,
           WORK_MS);
    return inverted ? SHOWN : NOT_SHOWN;
}
