/* SPDX-License-Identifier: MIT */
/* The program that test_strace.py watches: 64 waiters, asleep, and one broadcast between two lines
   on standard error that show in the trace as write(2). Argument 1 says how: "held" or "released"
   for the mutex at the broadcast; "inherit" for one with priority inheritance, held. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAITERS = 64 };

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int waiting, generation;

static void mark(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(2);
}

static void *wait_once(void *unused)
{
    pthread_mutex_lock(&mutex);
    waiting++;
    while (generation == 0)
        pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void await_waiters(void)
{
    for (int now = 0; now < WAITERS;) {
        usleep(10000);
        pthread_mutex_lock(&mutex);
        now = waiting;
        pthread_mutex_unlock(&mutex);
    }
    usleep(300000); /* from inside the wait to asleep */
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "held";
    pthread_t threads[WAITERS];
    pthread_mutexattr_t attr;

    alarm(60);
    pthread_mutexattr_init(&attr);
    if (strcmp(how, "inherit") == 0)
        pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&mutex, &attr);
    for (int i = 0; i < WAITERS; i++)
        if (pthread_create(&threads[i], NULL, wait_once, NULL) != 0)
            return 2;
    await_waiters();
    pthread_mutex_lock(&mutex);
    generation = 1;
    if (strcmp(how, "released") == 0)
        pthread_mutex_unlock(&mutex);
    mark("broadcast begins\n");
    pthread_cond_broadcast(&cond);
    mark("broadcast ends\n");
    if (strcmp(how, "released") != 0)
        pthread_mutex_unlock(&mutex);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    mark("all are back\n");
    return 0;
}
