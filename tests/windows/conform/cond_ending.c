/* SPDX-License-Identifier: MIT */
/* Waits while another thread is about to end: winpthreads runs a thread's destructors under a lock
   of its own for all threads. So whoever holds a mutex that a destructor waits for must not need
   that lock to begin a wait. Each case holds such a mutex. No thread is cancelled here. */
#include "check.h"

#include <windows.h>

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static pthread_key_t key;
static int in_destructor;
static int gone; /* guarded by the mutex */

static void destroy(void *value)
{
    check_add(&in_destructor, 1);
    OK(pthread_mutex_lock(&mutex));
    gone = 1;
    OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
}

static int end_with_a_value(void *nothing)
{
    OK(pthread_setspecific(key, &key));
    return 0;
}

static void set_up(void)
{
    mutex = PTHREAD_MUTEX_INITIALIZER;
    cond = PTHREAD_COND_INITIALIZER;
    in_destructor = gone = 0;
    OK(pthread_key_create(&key, destroy));
}

static void tear_down(struct thread *ending)
{
    OK(thread_join(ending));
    OK(pthread_key_delete(key));
    OK(pthread_cond_destroy(&cond));
    OK(pthread_mutex_destroy(&mutex));
}

/* Ends another thread, whose destructor waits for the mutex, and waits for it with the mutex. */
static int wait_for_the_end(int (*wait)(void))
{
    struct thread ending;
    int err = 0;

    set_up();
    thread_start(&ending, end_with_a_value, NULL);
    OK(pthread_mutex_lock(&mutex));
    check_until(&in_destructor, 1);
    while (!gone && err == 0)
        err = wait();
    OK(pthread_mutex_unlock(&mutex));
    tear_down(&ending);
    return err;
}

static int wait_without_end(void)
{
    return pthread_cond_wait(&cond, &mutex);
}

static int wait_with_deadline(void)
{
    struct timespec at = check_after(50000);

    return pthread_cond_timedwait(&cond, &mutex, &at);
}

static int wait_with_timeout(void)
{
    struct timespec timeout = {50, 0};

    return pthread_cond_timedwait_relative_np(&cond, &mutex, &timeout);
}

static void a_wait_begins_while_a_destructor_waits_for_its_mutex(void)
{
    OK(wait_for_the_end(wait_without_end));
    OK(wait_for_the_end(wait_with_deadline));
    OK(wait_for_the_end(wait_with_timeout));
}

/* The mutex is held when the thread is started, so that winpthreads does not know it yet when it
   waits: only the library's calls and CreateThread are used. */
static DWORD WINAPI wait_unknown(void *holds)
{
    OK(pthread_mutex_lock(&mutex));
    check_add(holds, 1);
    check_until(&in_destructor, 1);
    while (!gone)
        OK(pthread_cond_wait(&cond, &mutex));
    OK(pthread_mutex_unlock(&mutex));
    return 0;
}

static void so_does_the_first_wait_of_a_thread_that_winpthreads_did_not_start(void)
{
    int holds = 0;
    struct thread ending;
    HANDLE unknown;

    set_up();
    unknown = CreateThread(NULL, 0, wait_unknown, &holds, 0, NULL);
    check_until(&holds, 1);
    thread_start(&ending, end_with_a_value, NULL);
    WaitForSingleObject(unknown, INFINITE);
    CloseHandle(unknown);
    tear_down(&ending);
}

static const struct check_case cases[] = {
    CHECK_CASE(a_wait_begins_while_a_destructor_waits_for_its_mutex),
    CHECK_CASE_OURS(so_does_the_first_wait_of_a_thread_that_winpthreads_did_not_start,
                    "winpthreads takes its lock to get to know the thread"),
    CHECK_END,
};

int main(int argc, char **argv)
{
    pthread_self(); /* winpthreads knows this thread */
    return check_main(argc, argv, cases);
}
