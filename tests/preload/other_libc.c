/* SPDX-License-Identifier: MIT */
/* A program that test_other_libc.py builds against other versions of the C library. It needs
   nothing else, and says which call went wrong; what the library is, and where, is the caller's
   choice. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 5000 };

#define WANT(call, want)                                                                           \
    do {                                                                                           \
        int want_got_ = (call);                                                                    \
        if (want_got_ != (want)) {                                                                 \
            printf("line %d: %s gives %d, not %d\n", __LINE__, #call, want_got_, (int)(want));     \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long counter;
static int waiting, open_gate, cleaned;

static struct timespec in_ms(clockid_t clock, long ms)
{
    struct timespec t;

    clock_gettime(clock, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    return t;
}

static void make(int type, int protocol, int robust, int shared)
{
    pthread_mutexattr_t attr;

    WANT(pthread_mutexattr_init(&attr), 0);
    WANT(pthread_mutexattr_settype(&attr, type), 0);
    WANT(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    WANT(pthread_mutexattr_setrobust(&attr, robust), 0);
    WANT(pthread_mutexattr_setpshared(&attr, shared), 0);
    WANT(pthread_mutex_init(&mutex, &attr), 0);
    WANT(pthread_mutexattr_destroy(&attr), 0);
}

static void run_threads(void *(*body)(void *))
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        WANT(pthread_create(&threads[i], NULL, body, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        WANT(pthread_join(threads[i], NULL), 0);
}

static void *count(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec late = in_ms(CLOCK_REALTIME, 30000);

        WANT(i % 2 ? pthread_mutex_lock(&mutex) : pthread_mutex_timedlock(&mutex, &late), 0);
        counter++;
        WANT(pthread_mutex_unlock(&mutex), 0);
    }
    return unused;
}

static void *count_by_writing(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        WANT(pthread_rwlock_rdlock(&rwlock), 0);
        WANT(pthread_rwlock_unlock(&rwlock), 0);
        WANT(pthread_rwlock_wrlock(&rwlock), 0);
        counter++;
        WANT(pthread_rwlock_unlock(&rwlock), 0);
    }
    return unused;
}

static void *wait_for_gate(void *unused)
{
    WANT(pthread_mutex_lock(&mutex), 0);
    waiting++;
    while (!open_gate)
        WANT(pthread_cond_wait(&cond, &mutex), 0);
    waiting--;
    WANT(pthread_mutex_unlock(&mutex), 0);
    return unused;
}

static void await_waiting(int n)
{
    for (int now = -1; now < n;) {
        usleep(1000);
        WANT(pthread_mutex_lock(&mutex), 0);
        now = waiting;
        WANT(pthread_mutex_unlock(&mutex), 0);
    }
}

static void broadcast(void)
{
    pthread_t threads[THREADS];

    waiting = open_gate = 0;
    for (int i = 0; i < THREADS; i++)
        WANT(pthread_create(&threads[i], NULL, wait_for_gate, NULL), 0);
    await_waiting(THREADS);
    WANT(pthread_mutex_lock(&mutex), 0);
    open_gate = 1;
    WANT(pthread_cond_broadcast(&cond), 0);
    WANT(pthread_mutex_unlock(&mutex), 0);
    for (int i = 0; i < THREADS; i++)
        WANT(pthread_join(threads[i], NULL), 0);
}

static void *other_try(void *want)
{
    WANT(pthread_mutex_trylock(&mutex), *(int *)want);
    return NULL;
}

static void time_out(void)
{
    struct timespec soon = in_ms(CLOCK_REALTIME, 20);
    int busy = EBUSY;
    pthread_t thread;

    WANT(pthread_mutex_lock(&mutex), 0);
    WANT(pthread_cond_timedwait(&cond, &mutex, &soon), ETIMEDOUT);
    WANT(pthread_create(&thread, NULL, other_try, &busy), 0);
    WANT(pthread_join(thread, NULL), 0);
    WANT(pthread_mutex_unlock(&mutex), 0);
}

static void cleanup(void *unused)
{
    (void)unused;
    cleaned = 1;
    WANT(pthread_mutex_unlock(&mutex), 0);
}

static void *wait_to_be_cancelled(void *unused)
{
    WANT(pthread_mutex_lock(&mutex), 0);
    pthread_cleanup_push(cleanup, NULL);
    waiting++;
    for (;;)
        WANT(pthread_cond_wait(&cond, &mutex), 0);
    pthread_cleanup_pop(0);
    return unused;
}

static void cancel(void)
{
    pthread_t thread;
    void *result = NULL;

    waiting = cleaned = 0;
    WANT(pthread_create(&thread, NULL, wait_to_be_cancelled, NULL), 0);
    await_waiting(1);
    WANT(pthread_cancel(thread), 0);
    WANT(pthread_join(thread, &result), 0);
    WANT(result == PTHREAD_CANCELED, 1);
    WANT(cleaned, 1);
    WANT(pthread_mutex_trylock(&mutex), 0);
    WANT(pthread_mutex_unlock(&mutex), 0);
}

static void *die_holding(void *unused)
{
    WANT(pthread_mutex_lock(&mutex), 0);
    return unused;
}

static void die(void)
{
    pthread_t thread;

    WANT(pthread_create(&thread, NULL, die_holding, NULL), 0);
    WANT(pthread_join(thread, NULL), 0);
    WANT(pthread_mutex_lock(&mutex), EOWNERDEAD);
    WANT(pthread_mutex_consistent(&mutex), 0);
    WANT(pthread_mutex_unlock(&mutex), 0);
}

static void all_with_this_mutex(void)
{
    counter = 0;
    run_threads(count);
    WANT(counter == THREADS * ROUNDS, 1);
    broadcast();
    time_out();
    cancel();
}

static void shared_condition(void)
{
    pthread_condattr_t attr;

    WANT(pthread_condattr_init(&attr), 0);
    WANT(pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    WANT(pthread_cond_init(&cond, &attr), 0);
    WANT(pthread_condattr_destroy(&attr), 0);
    all_with_this_mutex();
    WANT(pthread_cond_destroy(&cond), 0);
}

int main(void)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};

    alarm(60);
    for (int i = 0; i < 32; i++) {
        int robust = i & 8 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED;

        make(types[i & 3], i & 4 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE, robust,
             i & 16 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
        WANT(pthread_cond_init(&cond, NULL), 0);
        all_with_this_mutex();
        if (robust == PTHREAD_MUTEX_ROBUST)
            die();
        WANT(pthread_cond_destroy(&cond), 0);
        shared_condition();
        WANT(pthread_mutex_destroy(&mutex), 0);
    }
    counter = 0;
    run_threads(count_by_writing);
    WANT(counter == THREADS * ROUNDS, 1);
    printf("all calls did what they should\n");
    return 0;
}
