/* SPDX-License-Identifier: MIT */
/* Threads work on mutexes, condition variables and reader-writer locks while
   the main thread forks. A child inherits whatever was going on at that moment,
   uses fresh locks of its own, alone and with threads, and ends. */
#include "stress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHILD_SECONDS = 40,
};

static struct {
    pthread_mutex_t mutex;
    pthread_mutex_t recursive;
    pthread_cond_t condition;
    pthread_rwlock_t rwlock;
    volatile unsigned long turns;
} cell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
          PTHREAD_COND_INITIALIZER, PTHREAD_RWLOCK_INITIALIZER, 0};

static void wait_a_little(void)
{
    struct timespec deadline = stress_deadline(CLOCK_REALTIME, 200000);
    int err = pthread_cond_timedwait(&cell.condition, &cell.mutex, &deadline);

    EXPECT(err == 0 || err == ETIMEDOUT, "timedwait gives %d", err);
}

static void work_on_locks(struct stress_worker *worker)
{
    while (stress_goes_on() || worker->done == 0) {
        OK(pthread_mutex_lock(&cell.mutex));
        cell.turns++;
        if (stress_below(&worker->random, 4) == 0)
            wait_a_little();
        else
            OK(pthread_cond_broadcast(&cell.condition));
        OK(pthread_mutex_unlock(&cell.mutex));
        OK(pthread_mutex_lock(&cell.recursive));
        OK(pthread_mutex_lock(&cell.recursive));
        OK(pthread_mutex_unlock(&cell.recursive));
        OK(pthread_mutex_unlock(&cell.recursive));
        OK(pthread_rwlock_rdlock(&cell.rwlock));
        OK(pthread_rwlock_unlock(&cell.rwlock));
        if (stress_below(&worker->random, 8) == 0) {
            OK(pthread_rwlock_wrlock(&cell.rwlock));
            OK(pthread_rwlock_unlock(&cell.rwlock));
        }
        worker->done++;
    }
}

static struct fresh {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_rwlock_t rwlock;
    int turn;
} fresh;

static void init_fresh(const struct stress_mutex_kind *kind)
{
    memset(&fresh, 0, sizeof fresh);
    stress_mutex_init(&fresh.mutex, kind);
    OK(pthread_cond_init(&fresh.condition, NULL));
    OK(pthread_rwlock_init(&fresh.rwlock, NULL));
}

static void use_alone(void)
{
    struct timespec deadline = stress_deadline(CLOCK_REALTIME, 100000);
    int err;

    OK(pthread_mutex_lock(&fresh.mutex));
    err = pthread_mutex_trylock(&fresh.mutex);
    EXPECT(err == EBUSY || err == 0, "trylock gives %d", err);
    if (err == 0)
        OK(pthread_mutex_unlock(&fresh.mutex));
    while ((err = pthread_cond_timedwait(&fresh.condition, &fresh.mutex, &deadline)) == 0)
        continue;
    EXPECT(err == ETIMEDOUT, "timedwait gives %d", err);
    OK(pthread_mutex_unlock(&fresh.mutex));
    OK(pthread_rwlock_rdlock(&fresh.rwlock));
    OK(pthread_rwlock_rdlock(&fresh.rwlock));
    EXPECT(pthread_rwlock_trywrlock(&fresh.rwlock) == EBUSY, "a writer beside readers");
    OK(pthread_rwlock_unlock(&fresh.rwlock));
    OK(pthread_rwlock_unlock(&fresh.rwlock));
    OK(pthread_rwlock_wrlock(&fresh.rwlock));
    OK(pthread_rwlock_unlock(&fresh.rwlock));
}

static void *take_turns(void *side)
{
    for (int i = 0; i < 20; i++) {
        OK(pthread_mutex_lock(&fresh.mutex));
        while (fresh.turn % 3 != (int)(uintptr_t)side)
            OK(pthread_cond_wait(&fresh.condition, &fresh.mutex));
        fresh.turn++;
        OK(pthread_cond_broadcast(&fresh.condition));
        OK(pthread_mutex_unlock(&fresh.mutex));
    }
    return NULL;
}

static void use_with_threads(void)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        OK(pthread_create(&threads[i], NULL, take_turns, (void *)(uintptr_t)(i + 1)));
    take_turns(NULL);
    for (int i = 0; i < 2; i++)
        OK(pthread_join(threads[i], NULL));
    EXPECT(fresh.turn == 60, "%d turns", fresh.turn);
}

static void wait_for_child(pid_t child)
{
    int status = -1;
    pid_t ended;

    while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR)
        continue;
    EXPECT(ended == child && status == 0, "the child ends with status %#x", (unsigned)status);
}

/* With _Fork no handler of libc has run, so malloc, and with it threads, are out of bounds. */
static void use_fresh(const struct stress_mutex_kind *kind, bool may_have_threads)
{
    alarm(CHILD_SECONDS);
    init_fresh(kind);
    use_alone();
    if (may_have_threads)
        use_with_threads();
}

__attribute__((noreturn)) static void be_the_child(const struct stress_mutex_kind *kind,
                                                   bool may_have_threads, bool has_a_child)
{
    use_fresh(kind, may_have_threads);
    if (has_a_child) {
        pid_t child = fork();
        if (child == 0) {
            use_fresh(kind, may_have_threads);
            _exit(0);
        }
        wait_for_child(child);
    }
    _exit(0);
}

static void *fork_children(void *unused)
{
    struct stress_random random = {42};

    while (stress_goes_on()) {
        const struct stress_mutex_kind *kind =
            &stress_mutex_kinds[stress_below(&random, (unsigned)stress_mutex_kind_count)];
        bool bare = stress_below(&random, 3) == 0;
        bool nested = !bare && stress_below(&random, 4) == 0;
        pid_t child = bare ? _Fork() : fork();
        EXPECT(child >= 0, "fork fails");
        if (child == 0)
            be_the_child(kind, !bare, nested);
        wait_for_child(child);
    }
    return NULL;
}

START_TEST(children_are_free_of_what_their_parent_did)
{
    int threads = stress_thread_counts[_i % 3];
    pthread_t forker;
    char name[64];

    snprintf(name, sizeof name, "fork among %d threads", threads);
    stress_begin(name, _i);
    watchdog_watch("mutex", &cell.mutex, sizeof cell.mutex);
    watchdog_watch("condition", &cell.condition, sizeof cell.condition);
    watchdog_watch("rwlock", &cell.rwlock, sizeof cell.rwlock);
    stress_start_clock();
    OK(pthread_create(&forker, NULL, fork_children, NULL));
    unsigned long done = stress_run(threads, work_on_locks, NULL, NULL);
    OK(pthread_join(forker, NULL));
    EXPECT(done > 0, "no thread did any work");
    watchdog_stop();
}
END_TEST

int main(int argc, char **argv)
{
    return stress_main(argc, argv, "fork", children_are_free_of_what_their_parent_did, 3);
}
