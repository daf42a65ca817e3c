/* SPDX-License-Identifier: MIT */
/* Processes share robust mutexes and are killed at random moments, many of them
   inside. The next owner must be told, repair what was left behind, and go on:
   never two inside, never all stuck. */
#include "stress.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct stress_mutex_kind kinds[] = {
    {"robust", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, 1},
    {"robust recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, 1},
    {"PI robust", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST, 1},
    {"PI robust errorcheck", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST,
     1},
};

enum {
    MUTEXES = 2,
};

/* In memory that all processes share. */
static struct shared {
    struct {
        pthread_mutex_t mutex;
        volatile pid_t owner;
        volatile unsigned long first, second;
    } slot[MUTEXES];
    atomic_ulong entered;
    atomic_ulong repaired;
    atomic_bool stop;
} * shared;

static int take(pthread_mutex_t *m, struct stress_random *random)
{
    struct timespec deadline;

    switch (stress_below(random, 5)) {
    case 0:
        return pthread_mutex_trylock(m);
    case 1:
        deadline = stress_deadline(CLOCK_REALTIME, (long)stress_below(random, 300000));
        return pthread_mutex_timedlock(m, &deadline);
    default:
        return pthread_mutex_lock(m);
    }
}

/* Returns whether the mutex is held, after repairing what a dead owner has left. */
static bool enter(int number, struct stress_random *random)
{
    int err = take(&shared->slot[number].mutex, random);

    if (err == EBUSY || err == ETIMEDOUT)
        return false;
    EXPECT(err == 0 || err == EOWNERDEAD, "a lock gives %d", err);
    if (err == EOWNERDEAD) {
        shared->slot[number].owner = 0;
        shared->slot[number].second = shared->slot[number].first;
        OK(pthread_mutex_consistent(&shared->slot[number].mutex));
        atomic_fetch_add(&shared->repaired, 1);
    }
    return true;
}

static void critical_section(int number, struct stress_random *random)
{
    EXPECT(shared->slot[number].owner == 0, "process %d is inside already",
           (int)shared->slot[number].owner);
    shared->slot[number].owner = getpid();
    EXPECT(shared->slot[number].first == shared->slot[number].second, "a change was left undone");
    shared->slot[number].first++;
    stress_work(random, 200);
    shared->slot[number].second++;
    EXPECT(shared->slot[number].owner == getpid(), "process %d came inside",
           (int)shared->slot[number].owner);
    shared->slot[number].owner = 0;
    atomic_fetch_add(&shared->entered, 1);
}

__attribute__((noreturn)) static void be_a_process(struct stress_random random)
{
    while (!atomic_load(&shared->stop)) {
        int number = (int)stress_below(&random, MUTEXES);
        if (!enter(number, &random))
            continue;
        critical_section(number, &random);
        /* A second mutex, in the order of their numbers: two on the list of the dead. */
        if (number == 0 && stress_below(&random, 4) == 0 && enter(1, &random)) {
            critical_section(1, &random);
            OK(pthread_mutex_unlock(&shared->slot[1].mutex));
        }
        OK(pthread_mutex_unlock(&shared->slot[number].mutex));
    }
    _exit(0);
}

static pid_t start(struct stress_random *random)
{
    struct stress_random own = {stress_next(random)};
    pid_t pid = fork();

    EXPECT(pid >= 0, "fork fails");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_a_process(own);
    }
    return pid;
}

static void end_one(pid_t pid, bool was_killed)
{
    int status = -1;

    EXPECT(waitpid(pid, &status, 0) == pid, "waitpid fails");
    EXPECT(status == 0 || (was_killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
           "a process ends with status %#x", (unsigned)status);
}

static void kill_and_replace(pid_t *pids, int processes, struct stress_random *random)
{
    while (stress_goes_on() || atomic_load(&shared->entered) == 0) {
        int victim = (int)stress_below(random, (unsigned)processes);
        usleep(stress_below(random, 1500));
        kill(pids[victim], SIGKILL);
        end_one(pids[victim], true);
        pids[victim] = start(random);
    }
}

START_TEST(the_death_of_an_owner_is_told_to_the_next)
{
    const struct stress_mutex_kind *kind = &kinds[_i / 3];
    int processes = stress_thread_counts[_i % 3];
    pid_t pids[32];
    char name[64];

    snprintf(name, sizeof name, "%s, %d processes", kind->name, processes);
    struct stress_random random = stress_begin(name, _i);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(shared != MAP_FAILED, "mmap fails");
    for (int i = 0; i < MUTEXES; i++) {
        stress_mutex_init(&shared->slot[i].mutex, kind);
        watchdog_watch("slot", &shared->slot[i], sizeof shared->slot[i]);
    }
    stress_start_clock();
    for (int i = 0; i < processes; i++)
        pids[i] = start(&random);
    kill_and_replace(pids, processes, &random);
    atomic_store(&shared->stop, true);
    for (int i = 0; i < processes; i++)
        end_one(pids[i], false);
    EXPECT(atomic_load(&shared->entered) > 0, "nobody was ever inside");
    for (int i = 0; i < MUTEXES; i++) {
        int err = pthread_mutex_trylock(&shared->slot[i].mutex);
        EXPECT(err == 0 || err == EOWNERDEAD, "at the end trylock gives %d", err);
    }
    watchdog_stop();
}
END_TEST

int main(int argc, char **argv)
{
    return stress_main(argc, argv, "robust", the_death_of_an_owner_is_told_to_the_next,
                       3 * sizeof kinds / sizeof *kinds);
}
