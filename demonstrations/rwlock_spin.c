/* SPDX-License-Identifier: MIT */
/*
 * Readers that spin for ever (bug 25619): SCHED_FIFO readers preempt a writer on the one CPU that
 * all share. If that happens between two stores inside pthread_rwlock_wrlock, glibc's reader looks
 * at the lock again and again, and keeps from running the thread that it waits for. What a reader
 * may burn in one call is told by its processor time. A kernel lends an ordinary writer a few
 * milliseconds after about a second; a writer of lower real-time priority gets nothing, so that
 * the watcher has to end the spinning, by making the readers ordinary.
 *
 * rwlock_spin [--seconds S] [--limit S] [--writer-priority P]
 */
#include "demonstration.h"

#include <sys/resource.h>

enum {
    READERS = 2,
    READER_PRIORITY = 10,
    WATCHER_PRIORITY = 40,
    LONGEST_PAUSE_US = 200,
    CALLS_IN_A_ROW = 4096
};

#define SPUN_S 0.6 /* of processor time in one call; glibc burns 0.9 s before the kernel helps */

enum place { OUTSIDE, IN_LOCK, HOLDING, IN_UNLOCK };

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static enum place writer_is;
static bool end;
static long rounds, preempted_in_a_call;
static int writer_priority;

static struct reader {
    pthread_t thread;
    clockid_t clock;
    double entered; /* own processor time at the call; 0 outside */
    double longest;
    unsigned random_state;
} readers[READERS];

static void publish(double *place, double value)
{
    __atomic_store(place, &value, __ATOMIC_RELEASE);
}

static double burnt_in_this_call(struct reader *reader)
{
    double entered;
    __atomic_load(&reader->entered, &entered, __ATOMIC_ACQUIRE);
    return entered > 0 ? seconds_on(reader->clock) - entered : 0;
}

static void be_at(enum place place)
{
    __atomic_store_n(&writer_is, place, __ATOMIC_RELAXED);
}

static bool is_over(void)
{
    return __atomic_load_n(&end, __ATOMIC_ACQUIRE);
}

static void *write_often(void *argument)
{
    if (writer_priority)
        MUST(set_priority(pthread_self(), writer_priority));
    else
        setpriority(PRIO_PROCESS, (id_t)my_tid(), -19); /* if it may: ahead of other programs */
    for (unsigned i = 1; !is_over(); i++) {
        be_at(IN_LOCK);
        MUST(pthread_rwlock_wrlock(&lock));
        be_at(HOLDING);
        be_at(IN_UNLOCK);
        MUST(pthread_rwlock_unlock(&lock));
        be_at(OUTSIDE);
        if (writer_priority && i % CALLS_IN_A_ROW == 0)
            sleep_s(0.0001); /* ordinary programs need the CPU, too */
    }
    return NULL;
}

static void *read_often(void *argument)
{
    struct reader *self = argument;
    pthread_getcpuclockid(pthread_self(), &self->clock);
    MUST(set_priority(pthread_self(), READER_PRIORITY));
    while (!is_over()) {
        sleep_s((1 + rand_r(&self->random_state) % LONGEST_PAUSE_US) * 1e-6);
        enum place place = __atomic_load_n(&writer_is, __ATOMIC_RELAXED);
        __atomic_add_fetch(&preempted_in_a_call, place == IN_LOCK || place == IN_UNLOCK,
                           __ATOMIC_RELAXED);
        publish(&self->entered, seconds_on(self->clock));
        MUST(pthread_rwlock_rdlock(&lock));
        double burnt = burnt_in_this_call(self);
        publish(&self->entered, 0);
        MUST(pthread_rwlock_unlock(&lock));
        if (burnt > self->longest)
            publish(&self->longest, burnt);
        __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static double longest_call(void)
{
    double longest = 0;
    for (int i = 0; i < READERS; i++) {
        double one, now = burnt_in_this_call(&readers[i]);
        __atomic_load(&readers[i].longest, &one, __ATOMIC_ACQUIRE);
        one = now > one ? now : one;
        longest = one > longest ? one : longest;
    }
    return longest;
}

/* True if a reader was still spinning when its time was up. */
static bool end_all(void)
{
    bool spinning = false;
    __atomic_store_n(&end, true, __ATOMIC_RELEASE);
    for (int i = 0; i < READERS; i++) {
        spinning |= burnt_in_this_call(&readers[i]) >= SPUN_S;
        MUST(set_priority(readers[i].thread, 0));
    }
    return spinning;
}

static void watch(double seconds, double limit)
{
    double begin = seconds_on(CLOCK_MONOTONIC), elapsed, longest;
    bool spun = false;
    do {
        sleep_s(0.02);
        elapsed = seconds_on(CLOCK_MONOTONIC) - begin;
        longest = longest_call();
        bool inside = false;
        for (int i = 0; i < READERS; i++)
            inside |= burnt_in_this_call(&readers[i]) >= SPUN_S;
        spun = longest >= SPUN_S && !inside;
    } while (longest < limit && !spun && elapsed < seconds);
    bool unended = end_all();
    printf("result=%s\n", longest < SPUN_S ? "none" : unended ? "spun until stopped" : "spun");
    printf("seconds=%.2f\nrounds=%ld\npreempted_in_a_call=%ld\nlongest_burnt_ms=%.3f\n", elapsed,
           rounds, preempted_in_a_call, longest * 1e3);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    double seconds = 20, limit = 2;
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            seconds = number_or_exit(argv[i + 1]);
        else if (strcmp(argv[i], "--limit") == 0)
            limit = number_or_exit(argv[i + 1]);
        else if (strcmp(argv[i], "--writer-priority") == 0)
            writer_priority = (int)number_or_exit(argv[i + 1]);
        else
            return fprintf(stderr, "no such option: %s\n", argv[i]), BROKEN;
    }
    require_real_time();
    report_implementation();
    pthread_t writer;
    pin_to(usable_cpu(0));
    MUST(set_priority(pthread_self(), WATCHER_PRIORITY));
    pthread_attr_t attr;
    struct sched_param ordinary = {.sched_priority = 0};
    MUST(pthread_attr_init(&attr));
    MUST(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED));
    MUST(pthread_attr_setschedpolicy(&attr, SCHED_OTHER));
    MUST(pthread_attr_setschedparam(&attr, &ordinary));
    MUST(pthread_create(&writer, &attr, write_often, NULL));
    for (int i = 0; i < READERS; i++) {
        readers[i].random_state = (unsigned)(getpid() + i);
        MUST(pthread_create(&readers[i].thread, &attr, read_often, &readers[i]));
    }
    watch(seconds, limit);
    for (int i = 0; i < READERS; i++)
        MUST(pthread_join(readers[i].thread, NULL));
    MUST(pthread_join(writer, NULL));
    return longest_call() >= SPUN_S ? SHOWN : NOT_SHOWN;
}
