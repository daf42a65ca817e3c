/* SPDX-License-Identifier: MIT */
/*
 * A signal that wakes nobody (bug 25847): consumers wait for tokens, and a producer puts one or
 * two, signals each, and goes on once all were taken. Threads are held up at random points inside
 * pthread_cond_wait and pthread_cond_signal (delays.h). A loss is told by its state, not by time
 * alone: a token is there, its signal was sent, and all consumers sleep inside the wait, each
 * having seen no token under the mutex before. A correct condition variable cannot get there.
 *
 * lost_wakeup [--seconds S] [--still S] [--method perf|step]
 */
#include "demonstration.h"

#include "delays.h"

#include <signal.h>
#include <sys/resource.h>

enum {
    CONSUMERS = 8,
    TOKENS = 2,
    LOOKS_PER_SECOND = 20,
    BROADCAST_SECONDS = 30,
    BROADCAST_LOOKS = 600
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;

/* Under the mutex; the watcher reads them without it. */
static long tokens, put, taken, waiting, waiting_at_last_put;
static bool end;

static pid_t consumers[CONSUMERS];
static bool inside_wait[CONSUMERS];
static long signals_sent;

static long look(const long *value)
{
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static void note(long *value, long change)
{
    __atomic_store_n(value, *value + change, __ATOMIC_RELEASE);
}

static void arm(unsigned seed)
{
    int error = delays_arm_thread(seed);
    if (error)
        cannot("a thread's signals are refused", error);
}

static void wait_with_delays(int self)
{
    note(&waiting, 1);
    __atomic_store_n(&inside_wait[self], true, __ATOMIC_RELEASE);
    delays_begin();
    MUST(pthread_cond_wait(&not_empty, &mutex));
    delays_end();
    __atomic_store_n(&inside_wait[self], false, __ATOMIC_RELEASE);
    note(&waiting, -1);
}

static void *consume(void *argument)
{
    int self = (int)(long)argument;
    arm((unsigned)(getpid() * 77 + self));
    __atomic_store_n(&consumers[self], my_tid(), __ATOMIC_RELEASE);
    for (;;) {
        MUST(pthread_mutex_lock(&mutex));
        while (tokens == 0 && !end)
            wait_with_delays(self);
        if (end)
            break;
        note(&tokens, -1);
        note(&taken, 1);
        MUST(pthread_mutex_unlock(&mutex));
    }
    MUST(pthread_mutex_unlock(&mutex));
    return NULL;
}

static void put_one(void)
{
    MUST(pthread_mutex_lock(&mutex));
    note(&tokens, 1);
    note(&put, 1);
    waiting_at_last_put = waiting;
    MUST(pthread_mutex_unlock(&mutex));
    delays_begin();
    MUST(pthread_cond_signal(&not_empty));
    delays_end();
    note(&signals_sent, 1);
}

static void *produce(void *argument)
{
    unsigned random_state = (unsigned)getpid() * 31 + 7;
    arm(random_state);
    while (!__atomic_load_n(&end, __ATOMIC_ACQUIRE)) {
        int number = 1 + rand_r(&random_state) % TOKENS;
        for (int i = 0; i < number; i++)
            put_one();
        while (look(&tokens) > 0 && !__atomic_load_n(&end, __ATOMIC_ACQUIRE))
            sched_yield();
    }
    return NULL;
}

/* Nobody runs who could take the token, and nothing is on the way to wake one. */
static bool all_sleep_beside_a_token(void)
{
    if (look(&tokens) == 0 || look(&signals_sent) != look(&put) || delays_running())
        return false;
    for (int i = 0; i < CONSUMERS; i++) {
        if (!__atomic_load_n(&inside_wait[i], __ATOMIC_ACQUIRE) ||
            thread_state(consumers[i]) != 'S')
            return false;
    }
    return true;
}

static void report(const char *result, double seconds, const char *method)
{
    printf("result=%s\nmethod=%s\nrounds=%ld\ndelays=%ld\nseconds=%.2f\n", result, method,
           look(&taken), delays_made(), seconds);
}

/* The loss is already reported, and may be all that can be said. */
static void broadcast_hangs(int signal)
{
    (void)signal;
    _exit(SHOWN);
}

/* The last word on a loss: is a broadcast enough to set them going again? */
static int show_loss(double seconds, double still, const char *method)
{
    report("lost", seconds, method);
    printf("still=%.1f\ntokens=%ld\nconsumers_asleep=%d\nconsumers_waiting_at_signal=%ld\n", still,
           look(&tokens), CONSUMERS, look(&waiting_at_last_put));
    fflush(stdout);
    struct sigaction action = {.sa_handler = broadcast_hangs};
    sigaction(SIGALRM, &action, NULL);
    alarm(BROADCAST_SECONDS); /* the broadcast itself might never return */
    pthread_cond_broadcast(&not_empty);
    for (int i = 0; i < BROADCAST_LOOKS && look(&tokens) > 0; i++)
        sleep_s(0.03);
    printf("after_broadcast=%s\n", look(&tokens) == 0 ? "taken" : "still there");
    fflush(stdout);
    _exit(SHOWN);
}

static int watch(double limit, double still, const char *method)
{
    double begin = seconds_on(CLOCK_MONOTONIC), progress = begin, now;
    long last = -1;
    int looks = 0;
    for (;;) {
        sleep_s(1.0 / LOOKS_PER_SECOND);
        now = seconds_on(CLOCK_MONOTONIC);
        if (look(&taken) != last || !all_sleep_beside_a_token()) {
            last = look(&taken);
            progress = now;
            looks = 0;
        }
        if (++looks > (int)(still * LOOKS_PER_SECOND / 2) && now - progress >= still)
            return show_loss(progress - begin, now - progress, method);
        if (now - begin >= limit && looks < 2)
            break;
    }
    report("none", now - begin, method);
    fflush(stdout);
    _exit(NOT_SHOWN);
}

static const char *choose_method(const char *wanted)
{
    int error = 0;
    for (int method = DELAYS_PERF; method <= DELAYS_STEP; method++) {
        const char *name = method == DELAYS_PERF ? "perf" : "step";
        if (wanted && strcmp(wanted, name) != 0)
            continue;
        error = delays_probe((enum delays_method)method);
        if (error == 0) {
            delays_prepare((enum delays_method)method);
            return name;
        }
    }
    if (error)
        cannot("perf_event_open is refused", error);
    fprintf(stderr, "no such method: %s\n", wanted);
    exit(BROKEN);
}

int main(int argc, char **argv)
{
    double limit = 60, still = 3;
    const char *wanted = NULL;
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--method") == 0)
            wanted = argv[i + 1];
        else if (strcmp(argv[i], "--still") == 0)
            still = number_or_exit(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            limit = number_or_exit(argv[i + 1]);
        else
            return fprintf(stderr, "no such option: %s\n", argv[i]), BROKEN;
    }
    const char *method = choose_method(wanted);
    report_implementation();
    setpriority(PRIO_PROCESS, 0, -19); /* where it may: less disturbed by other programs */
    pthread_t thread;
    for (long i = 0; i < CONSUMERS; i++)
        MUST(pthread_create(&thread, NULL, consume, (void *)i));
    for (int i = 0; i < CONSUMERS; i++) {
        while (__atomic_load_n(&consumers[i], __ATOMIC_ACQUIRE) == 0)
            sleep_s(0.001);
    }
    MUST(pthread_create(&thread, NULL, produce, NULL));
    return watch(limit, still, method);
}
