/* SPDX-License-Identifier: MIT */
/* Condition variables without cancellation: who is woken, with which kinds of mutexes, what odd
   objects are answered. A waiter is known to be queued once its mutex can be had. */
#include "check.h"

#define WAITERS 4

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static int waiting; /* guarded by the mutex */
static int tickets; /* likewise: so many may go */
static int gone;

static void reset(pthread_mutex_t initial)
{
    mutex = initial;
    OK(pthread_cond_init(&cond, NULL));
    waiting = tickets = gone = 0;
}

static void tear_down(void)
{
    OK(pthread_cond_destroy(&cond));
    OK(pthread_mutex_destroy(&mutex));
}

static int wait_for_ticket(void *nothing)
{
    OK(pthread_mutex_lock(&mutex));
    waiting++;
    while (tickets == 0)
        OK(pthread_cond_wait(&cond, &mutex));
    tickets--;
    OK(pthread_mutex_unlock(&mutex));
    check_add(&gone, 1);
    return 0;
}

/* Holds the mutex afterwards. */
static void lock_when_waiting(int count)
{
    for (;;) {
        OK(pthread_mutex_lock(&mutex));
        if (waiting >= count)
            return;
        OK(pthread_mutex_unlock(&mutex));
        check_pause(1);
    }
}

static const pthread_mutex_t kinds[] = {PTHREAD_MUTEX_INITIALIZER,
                                        PTHREAD_ERRORCHECK_MUTEX_INITIALIZER,
                                        PTHREAD_RECURSIVE_MUTEX_INITIALIZER};

static void each_signal_lets_one_go(void)
{
    for (int kind = 0; kind < 3; kind++) {
        struct thread threads[WAITERS];

        reset(kinds[kind]);
        for (int i = 0; i < WAITERS; i++)
            thread_start(&threads[i], wait_for_ticket, NULL);
        lock_when_waiting(WAITERS);
        OK(pthread_mutex_unlock(&mutex));
        for (int i = 1; i <= WAITERS; i++) {
            OK(pthread_mutex_lock(&mutex));
            tickets = 1;
            OK(pthread_cond_signal(&cond));
            OK(pthread_mutex_unlock(&mutex));
            check_until(&gone, i);
            CHECK_INT(check_load(&gone), i);
        }
        for (int i = 0; i < WAITERS; i++)
            OK(thread_join(&threads[i]));
        tear_down();
    }
}

static void a_broadcast_lets_all_go(void)
{
    for (int kind = 0; kind < 3; kind++) {
        for (int holding = 0; holding < 2; holding++) {
            struct thread threads[WAITERS];

            reset(kinds[kind]);
            for (int i = 0; i < WAITERS; i++)
                thread_start(&threads[i], wait_for_ticket, NULL);
            lock_when_waiting(WAITERS);
            tickets = WAITERS;
            if (holding)
                OK(pthread_cond_broadcast(&cond));
            OK(pthread_mutex_unlock(&mutex));
            if (!holding)
                OK(pthread_cond_broadcast(&cond));
            for (int i = 0; i < WAITERS; i++)
                OK(thread_join(&threads[i]));
            CHECK_INT(tickets, 0);
            tear_down();
        }
    }
}

static void a_signal_without_waiters_is_lost(void)
{
    struct timespec at = check_after(20);

    reset(PTHREAD_MUTEX_INITIALIZER);
    OK(pthread_cond_signal(&cond));
    OK(pthread_cond_broadcast(&cond));
    OK(pthread_mutex_lock(&mutex));
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &at), ETIMEDOUT);
    OK(pthread_mutex_unlock(&mutex));
    tear_down();
}

static int first_use(void *nothing)
{
    struct timespec at = check_after(20000);

    OK(pthread_mutex_lock(&mutex));
    waiting++;
    while (tickets == 0)
        OK(pthread_cond_timedwait(&cond, &mutex, &at));
    OK(pthread_mutex_unlock(&mutex));
    return 0;
}

static void static_initialisers_are_of_use_at_once(void)
{
    for (int round = 0; round < 50; round++) {
        struct thread threads[WAITERS];

        mutex = PTHREAD_MUTEX_INITIALIZER;
        cond = PTHREAD_COND_INITIALIZER;
        waiting = tickets = 0;
        for (int i = 0; i < WAITERS; i++)
            thread_start(&threads[i], first_use, NULL);
        lock_when_waiting(round % WAITERS);
        tickets = 1;
        OK(pthread_cond_broadcast(&cond));
        OK(pthread_mutex_unlock(&mutex));
        for (int i = 0; i < WAITERS; i++)
            OK(thread_join(&threads[i]));
        tear_down();
    }
}

static int try_it(void *nothing)
{
    int err = pthread_mutex_trylock(&mutex);

    if (err == 0)
        OK(pthread_mutex_unlock(&mutex));
    return err;
}

static void a_mutex_held_twice_stays_locked_during_a_wait(void)
{
    struct timespec at = check_after(50);
    struct thread thread;

    reset(PTHREAD_RECURSIVE_MUTEX_INITIALIZER);
    OK(pthread_mutex_lock(&mutex));
    OK(pthread_mutex_lock(&mutex));
    thread_start(&thread, try_it, NULL);
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &at), ETIMEDOUT);
    CHECK_INT(thread_join(&thread), EBUSY);
    OK(pthread_mutex_unlock(&mutex));
    CHECK_INT(in_thread(try_it, NULL), EBUSY);
    OK(pthread_mutex_unlock(&mutex));
    OK(in_thread(try_it, NULL));
    tear_down();
}

static void a_wait_with_a_mutex_of_somebody_else_is_refused(void)
{
    struct timespec at = check_after(20);

    for (int kind = 1; kind < 3; kind++) {
        reset(kinds[kind]);
        CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &at), EINVAL);
        tear_down();
    }
}

static void a_destroyed_condition_variable_is_known(void)
{
    struct timespec at = check_after(20);

    reset(PTHREAD_MUTEX_INITIALIZER);
    OK(pthread_mutex_lock(&mutex));
    OK(pthread_cond_destroy(&cond));
    CHECK_INT(cond, 0);
    CHECK_INT(pthread_cond_destroy(&cond), EINVAL);
    CHECK_INT(pthread_cond_signal(&cond), EINVAL);
    CHECK_INT(pthread_cond_broadcast(&cond), EINVAL);
    CHECK_INT(pthread_cond_wait(&cond, &mutex), EINVAL);
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &at), EINVAL);
    CHECK_INT(pthread_cond_timedwait_relative_np(&cond, &mutex, &at), EINVAL);
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_mutex_destroy(&mutex));
    cond = PTHREAD_COND_INITIALIZER;
    OK(pthread_cond_signal(&cond));
    OK(pthread_cond_broadcast(&cond));
    OK(pthread_cond_destroy(&cond));
    CHECK_INT(cond, 0);
}

static void no_condition_variable_gives_EINVAL(void)
{
    struct timespec at = check_after(20);

    mutex = PTHREAD_MUTEX_INITIALIZER;
    CHECK_INT(pthread_cond_init(NULL, NULL), EINVAL);
    CHECK_INT(pthread_cond_destroy(NULL), EINVAL);
    CHECK_INT(pthread_cond_signal(NULL), EINVAL);
    CHECK_INT(pthread_cond_broadcast(NULL), EINVAL);
    CHECK_INT(pthread_cond_wait(NULL, &mutex), EINVAL);
    CHECK_INT(pthread_cond_timedwait(NULL, &mutex, &at), EINVAL);
}

static void one_that_is_waited_for_is_not_destroyed(void)
{
    struct thread thread;

    reset(PTHREAD_MUTEX_INITIALIZER);
    thread_start(&thread, wait_for_ticket, NULL);
    lock_when_waiting(1);
    OK(pthread_mutex_unlock(&mutex));
    CHECK_INT(pthread_cond_destroy(&cond), EBUSY);
    OK(pthread_mutex_lock(&mutex));
    tickets = 1;
    OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
    OK(thread_join(&thread));
    tear_down();
}

/* POSIX: as soon as all waiters have been woken. */
static void a_broadcast_is_followed_by_destruction_at_once(void)
{
    for (int round = 0; round < 50; round++) {
        struct thread threads[WAITERS];

        reset(PTHREAD_MUTEX_INITIALIZER);
        for (int i = 0; i < WAITERS; i++)
            thread_start(&threads[i], wait_for_ticket, NULL);
        lock_when_waiting(WAITERS);
        tickets = WAITERS;
        OK(pthread_cond_broadcast(&cond));
        OK(pthread_mutex_unlock(&mutex));
        OK(pthread_cond_destroy(&cond));
        OK(pthread_cond_init(&cond, NULL));
        for (int i = 0; i < WAITERS; i++)
            OK(thread_join(&threads[i]));
        tear_down();
    }
}

static void a_shared_condition_variable_is_not_to_be_had(void)
{
    pthread_condattr_t attr;

    OK(pthread_condattr_init(&attr));
    CHECK_INT(pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), ENOSYS);
    OK(pthread_cond_init(&cond, &attr));
    OK(pthread_cond_destroy(&cond));
    attr = PTHREAD_PROCESS_SHARED;
    cond = 4712;
    CHECK_INT(pthread_cond_init(&cond, &attr), ENOSYS);
    CHECK_INT(cond, 4712);
}

/* ---- to and fro --------------------------------------------------------------- */

#define TURNS 3000

static int turn; /* guarded by the mutex */

static int take_turns(void *argument)
{
    int me = (int)(intptr_t)argument;

    for (int i = 0; i < TURNS; i++) {
        OK(pthread_mutex_lock(&mutex));
        while (turn % 3 != me)
            OK(pthread_cond_wait(&cond, &mutex));
        turn++;
        OK(pthread_cond_broadcast(&cond));
        OK(pthread_mutex_unlock(&mutex));
    }
    return 0;
}

static void no_wakeup_is_lost_between_threads_that_take_turns(void)
{
    struct thread threads[3];

    reset(PTHREAD_MUTEX_INITIALIZER);
    turn = 0;
    for (int i = 0; i < 3; i++)
        thread_start(&threads[i], take_turns, (void *)(intptr_t)i);
    for (int i = 0; i < 3; i++)
        OK(thread_join(&threads[i]));
    CHECK_INT(turn, 3 * TURNS);
    tear_down();
}

static const struct check_case cases[] = {
    CHECK_CASE(each_signal_lets_one_go),
    CHECK_CASE(a_broadcast_lets_all_go),
    CHECK_CASE(a_signal_without_waiters_is_lost),
    CHECK_CASE(static_initialisers_are_of_use_at_once),
    CHECK_CASE(a_mutex_held_twice_stays_locked_during_a_wait),
    CHECK_CASE(a_wait_with_a_mutex_of_somebody_else_is_refused),
    CHECK_CASE(a_destroyed_condition_variable_is_known),
    CHECK_CASE(no_condition_variable_gives_EINVAL),
    CHECK_CASE(one_that_is_waited_for_is_not_destroyed),
    CHECK_CASE(a_broadcast_is_followed_by_destruction_at_once),
    CHECK_CASE(a_shared_condition_variable_is_not_to_be_had),
    CHECK_CASE(no_wakeup_is_lost_between_threads_that_take_turns),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
