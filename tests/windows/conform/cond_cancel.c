/* SPDX-License-Identifier: MIT */
/* pthread_cancel on threads that wait on a condition variable: they end with the mutex held, their
   cleanup handlers run, nobody else's signal is lost. */
#include "check.h"

#include <signal.h>

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static int waiting; /* guarded by the mutex */
static int tickets;
static int cleaned;
static int woken; /* waits that have come back */
static int returned;

struct waiter {
    bool timed, asynchronous, disabled, recursive;
};

static int try_it(void *nothing)
{
    int err = pthread_mutex_trylock(&mutex);

    if (err == 0)
        OK(pthread_mutex_unlock(&mutex));
    return err;
}

static void clean_up(void *nothing)
{
    CHECK_INT(in_thread(try_it, NULL), EBUSY); /* the caller holds it */
    OK(pthread_mutex_unlock(&mutex));
    check_add(&cleaned, 1);
}

static void *wait_for_ticket(void *argument)
{
    const struct waiter *how = argument;
    struct timespec at = check_after(50000);
    int old;

    if (how->asynchronous)
        OK(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old));
    if (how->disabled)
        OK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
    OK(pthread_mutex_lock(&mutex));
    pthread_cleanup_push(clean_up, NULL);
    waiting++;
    while (tickets == 0) {
        OK(how->timed ? pthread_cond_timedwait(&cond, &mutex, &at)
                      : pthread_cond_wait(&cond, &mutex));
        check_add(&woken, 1);
    }
    tickets--;
    check_add(&returned, 1);
    if (how->asynchronous) { /* as it was before the wait */
        OK(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old));
        CHECK_INT(old, PTHREAD_CANCEL_ASYNCHRONOUS);
    }
    pthread_cleanup_pop(1);
    return &cond;
}

static void reset(bool recursive)
{
    mutex = recursive ? PTHREAD_RECURSIVE_MUTEX_INITIALIZER : PTHREAD_MUTEX_INITIALIZER;
    cond = PTHREAD_COND_INITIALIZER;
    waiting = tickets = cleaned = woken = returned = 0;
}

static void tear_down(void)
{
    OK(in_thread(try_it, NULL));
    OK(pthread_cond_destroy(&cond));
    OK(pthread_mutex_destroy(&mutex));
}

static pthread_t start(struct waiter *how)
{
    pthread_t thread;

    OK(pthread_create(&thread, NULL, wait_for_ticket, how));
    return thread;
}

static void until_waiting(int count)
{
    bool ready = false;

    while (!ready) {
        OK(pthread_mutex_lock(&mutex));
        ready = waiting >= count;
        OK(pthread_mutex_unlock(&mutex));
        check_pause(1);
    }
}

static void expect_end(pthread_t thread, bool cancelled)
{
    void *result = NULL;

    OK(pthread_join(thread, &result));
    CHECK((result == PTHREAD_CANCELED) == cancelled);
}

static void a_waiter_ends_with_the_mutex_held(void)
{
    for (int i = 0; i < 8; i++) {
        struct waiter how = {.timed = i & 1, .asynchronous = i & 2, .recursive = i & 4};
        pthread_t thread;

        reset(how.recursive);
        thread = start(&how);
        until_waiting(1);
        OK(pthread_cancel(thread));
        expect_end(thread, true);
        CHECK_INT(cleaned, 1);
        CHECK_INT(woken, 0);
        tear_down();
    }
}

static void the_wait_is_taken_back_before_the_mutex_is_held(void)
{
    struct waiter how = {.timed = false};
    pthread_t thread;

    reset(false);
    thread = start(&how);
    until_waiting(1);
    OK(pthread_mutex_lock(&mutex));
    OK(pthread_cancel(thread));
    check_pause(20);
    CHECK_INT(check_load(&cleaned), 0);
    OK(pthread_mutex_unlock(&mutex));
    expect_end(thread, true);
    tear_down();
}

static void a_cancellation_before_the_wait_ends_it_at_its_beginning(void)
{
    struct waiter how = {.timed = false};
    pthread_t thread;

    reset(false);
    OK(pthread_mutex_lock(&mutex));
    thread = start(&how);
    check_pause(20);
    OK(pthread_cancel(thread));
    OK(pthread_mutex_unlock(&mutex));
    expect_end(thread, true);
    CHECK_INT(cleaned, 1);
    tear_down();
}

static void others_go_on_waiting_and_get_their_signals(void)
{
    enum { COUNT = 5 };
    struct waiter hows[COUNT] = {{0}};
    pthread_t threads[COUNT];

    for (int round = 0; round < 20; round++) {
        reset(false);
        for (int i = 0; i < COUNT; i++)
            threads[i] = start(&hows[i]);
        until_waiting(COUNT);
        for (int i = 0; i < COUNT; i += 2)
            OK(pthread_cancel(threads[i]));
        for (int i = 0; i < COUNT; i += 2)
            expect_end(threads[i], true);
        CHECK_INT(check_load(&returned), 0);
        for (int i = 1; i < COUNT; i += 2) {
            OK(pthread_mutex_lock(&mutex));
            tickets++;
            OK(pthread_cond_signal(&cond));
            OK(pthread_mutex_unlock(&mutex));
        }
        for (int i = 1; i < COUNT; i += 2)
            expect_end(threads[i], false);
        CHECK_INT(returned, COUNT / 2);
        CHECK_INT(cleaned, COUNT);
        tear_down();
    }
}

static void a_wait_leaves_the_type_of_cancellation_as_it_was(void)
{
    struct waiter how = {.asynchronous = true};
    pthread_t thread;

    reset(false);
    thread = start(&how);
    until_waiting(1);
    OK(pthread_mutex_lock(&mutex));
    tickets = 1;
    OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
    expect_end(thread, false);
    CHECK_INT(returned, 1);
    tear_down();
}

static void a_waiter_that_has_disabled_cancellation_goes_on_waiting(void)
{
    struct waiter how = {.disabled = true};
    pthread_t thread;

    reset(false);
    thread = start(&how);
    until_waiting(1);
    OK(pthread_cancel(thread));
    check_pause(20);
    CHECK_INT(check_load(&returned), 0);
    OK(pthread_mutex_lock(&mutex));
    tickets = 1;
    OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
    expect_end(thread, false);
    CHECK_INT(returned, 1);
    tear_down();
}

/* Either the signal or the cancellation comes first, and the ticket is not lost. */
static void a_signal_and_a_cancellation_at_once(void)
{
    struct waiter hows[2] = {{0}};

    for (int round = 0; round < 100; round++) {
        pthread_t threads[2];
        void *results[2];

        reset(false);
        threads[0] = start(&hows[0]);
        threads[1] = start(&hows[1]);
        until_waiting(2);
        OK(pthread_mutex_lock(&mutex));
        tickets = 1;
        OK(pthread_cond_signal(&cond));
        OK(pthread_mutex_unlock(&mutex));
        pthread_cancel(threads[round % 2]);
        OK(pthread_join(threads[round % 2], &results[0]));
        OK(pthread_mutex_lock(&mutex));
        if (results[0] != PTHREAD_CANCELED)
            tickets++;
        OK(pthread_cond_broadcast(&cond));
        OK(pthread_mutex_unlock(&mutex));
        OK(pthread_join(threads[1 - round % 2], &results[1]));
        CHECK(results[1] == &cond);
        CHECK_INT(tickets, 0);
        CHECK_INT(cleaned, 2);
        tear_down();
    }
}

static int nothing_to_do(void *nothing)
{
    return 0;
}

/* winpthreads makes a cancellation of every signal. */
static void a_signal_to_a_thread_ends_its_wait(void)
{
    for (int i = 0; i < 2; i++) {
        struct waiter how = {.timed = i};
        pthread_t thread;

        reset(false);
        thread = start(&how);
        until_waiting(1);
        OK(pthread_kill(thread, 0)); /* asks whether there is such a thread */
        CHECK_INT(pthread_kill(thread, 1), EINVAL);
        check_pause(20);
        CHECK_INT(check_load(&cleaned) + check_load(&woken), 0);
        OK(pthread_kill(thread, SIGTERM));
        expect_end(thread, true);
        CHECK_INT(cleaned, 1);
        CHECK_INT(woken, 0);
        tear_down();
    }
}

static void no_such_thread_gives_ESRCH(void)
{
    struct thread thread;

    thread_start(&thread, nothing_to_do, NULL);
    OK(thread_join(&thread));
    CHECK_INT(pthread_cancel(thread.id), ESRCH);
    CHECK_INT(pthread_cancel(0), ESRCH);
    CHECK_INT(pthread_kill(thread.id, SIGTERM), ESRCH);
    CHECK_INT(pthread_kill(0, 0), ESRCH);
}

static const struct check_case cases[] = {
    CHECK_CASE(a_waiter_ends_with_the_mutex_held),
    CHECK_CASE(the_wait_is_taken_back_before_the_mutex_is_held),
    CHECK_CASE(a_cancellation_before_the_wait_ends_it_at_its_beginning),
    CHECK_CASE(others_go_on_waiting_and_get_their_signals),
    CHECK_CASE(a_wait_leaves_the_type_of_cancellation_as_it_was),
    CHECK_CASE_OURS(a_waiter_that_has_disabled_cancellation_goes_on_waiting,
                    "winpthreads' wait returns EINVAL then"),
    CHECK_CASE(a_signal_and_a_cancellation_at_once),
    CHECK_CASE(a_signal_to_a_thread_ends_its_wait),
    CHECK_CASE(no_such_thread_gives_ESRCH),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
