/* SPDX-License-Identifier: MIT */
/*
 * Cancellation of a wait: before it, while asleep, together with a signal, disabled and
 * asynchronous; the mutex in the cleanup handler, and the result of pthread_join. The last
 * group checks that pthread_cancel acts as ever where no condition variable is concerned.
 * Threads that may be cancelled assert nothing themselves, since Check writes to a file.
 */
#include "gate.h"
#include <semaphore.h>
#include <threads.h>

static pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

/* How a thread waits. C11 shares libc's types: the casts below are what <threads.h> itself does. */
enum wait_call { WAIT, TIMEDWAIT, CLOCKWAIT, CND_WAIT, CND_TIMEDWAIT, WAIT_CALLS };

struct victim {
    struct thread thread;
    enum wait_call call;
    int cancel_type; /* set before the wait */
    bool cancel_itself;
    bool disabled;
    /* Results, guarded by the mutex unless the thread has been joined. */
    int ready, cleaned_up, unlock_error, wait_error, returned;
};

static bool go;

static int wait_by(enum wait_call call)
{
    struct timespec realtime = deadline_in_ms(CLOCK_REALTIME, 10000000);
    struct timespec monotonic = deadline_in_ms(CLOCK_MONOTONIC, 10000000);
    switch (call) {
    case TIMEDWAIT:
        return pthread_cond_timedwait(&cond, &mutex, &realtime);
    case CLOCKWAIT:
        return pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &monotonic);
    case CND_WAIT:
        return cnd_wait((cnd_t *)&cond, (mtx_t *)&mutex) == thrd_success ? 0 : -1;
    case CND_TIMEDWAIT:
        return cnd_timedwait((cnd_t *)&cond, (mtx_t *)&mutex, &realtime) == thrd_success ? 0 : -1;
    default:
        return pthread_cond_wait(&cond, &mutex);
    }
}

static void clean_up(void *argument)
{
    struct victim *v = argument;
    v->cleaned_up++;
    v->unlock_error = pthread_mutex_unlock(&mutex);
}

static void *be_cancelled(void *argument)
{
    struct victim *v = argument;
    int old;
    if (v->disabled)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(clean_up, v);
    if (v->cancel_itself)
        pthread_cancel(pthread_self());
    v->ready = 1;
    pthread_setcanceltype(v->cancel_type, &old);
    while (!go && v->wait_error == 0)
        v->wait_error = wait_by(v->call);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old);
    v->returned = 1;
    pthread_cleanup_pop(1);
    if (v->disabled) {
        v->cleaned_up = 0;
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
        pthread_testcancel();
    }
    return NULL;
}

static void start_victim(struct victim *v)
{
    thread_start(&v->thread, be_cancelled, v);
    for (int ready = 0; !ready; sleep_ms(1)) {
        OK(pthread_mutex_lock(&mutex));
        ready = v->ready;
        OK(pthread_mutex_unlock(&mutex));
    }
}

static void assert_cancelled_in_the_wait(struct victim *v)
{
    ck_assert_ptr_eq(thread_join(&v->thread), PTHREAD_CANCELED);
    ck_assert_int_eq(v->cleaned_up, 1);
    ck_assert_int_eq(v->unlock_error, 0);
    ck_assert_int_eq(v->returned, 0);
    OK(pthread_mutex_lock(&mutex));
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_cond_signal(&cond));
    OK(pthread_cond_destroy(&cond));
}

START_TEST(a_thread_asleep_is_cancelled_with_the_mutex_held)
{
    struct victim v = {.call = _i / 2, .cancel_type = _i % 2};
    start_victim(&v);
    wait_until_asleep(v.thread.tid);
    OK(pthread_cancel(v.thread.id));
    assert_cancelled_in_the_wait(&v);
}
END_TEST

START_TEST(a_cancellation_pending_before_the_wait_acts_in_it)
{
    struct victim v = {.call = _i, .cancel_itself = true};
    thread_start(&v.thread, be_cancelled, &v);
    assert_cancelled_in_the_wait(&v);
}
END_TEST

START_TEST(a_cancellation_at_any_moment_of_the_wait)
{
    for (int i = 0; i < 400; i++) {
        struct victim v = {.call = i % WAIT_CALLS, .cancel_type = PTHREAD_CANCEL_DEFERRED};
        thread_start(&v.thread, be_cancelled, &v);
        for (int spin = i % 40 * 50; spin > 0; spin--)
            pause_spinning();
        OK(pthread_cancel(v.thread.id));
        assert_cancelled_in_the_wait(&v);
        OK(pthread_cond_init(&cond, NULL));
    }
}
END_TEST

START_TEST(the_cleanup_handler_waits_for_the_mutex)
{
    struct victim v = {.call = _i};
    start_victim(&v);
    OK(pthread_mutex_lock(&mutex));
    OK(pthread_cancel(v.thread.id));
    sleep_ms(30);
    ck_assert_int_eq(v.cleaned_up, 0);
    OK(pthread_mutex_unlock(&mutex));
    assert_cancelled_in_the_wait(&v);
}
END_TEST

START_TEST(a_disabled_cancellation_lets_the_wait_go_on_and_acts_later)
{
    struct victim v = {.call = _i / 2, .disabled = true, .cancel_type = _i % 2};
    start_victim(&v);
    wait_until_asleep(v.thread.tid);
    OK(pthread_cancel(v.thread.id));
    sleep_ms(20);
    OK(pthread_mutex_lock(&mutex));
    ck_assert_int_eq(v.returned, 0);
    go = true;
    OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
    ck_assert_ptr_eq(thread_join(&v.thread), PTHREAD_CANCELED);
    ck_assert_int_eq(v.returned, 1);
    ck_assert_int_eq(v.wait_error, 0);
    ck_assert_int_eq(v.cleaned_up, 0);
}
END_TEST

START_TEST(a_thread_that_was_not_cancelled_returns_its_own_result)
{
    struct victim v = {.call = _i};
    start_victim(&v);
    OK(pthread_mutex_lock(&mutex));
    go = true;
    OK(pthread_cond_broadcast(&cond));
    OK(pthread_mutex_unlock(&mutex));
    ck_assert_ptr_null(thread_join(&v.thread));
    ck_assert_int_eq(v.returned, 1);
}
END_TEST

START_TEST(one_of_several_is_cancelled_and_the_others_go_on)
{
    struct victim v[6] = {{.call = WAIT}};
    for (int i = 0; i < 6; i++) {
        v[i].call = i % WAIT_CALLS;
        start_victim(&v[i]);
    }
    OK(pthread_cancel(v[2].thread.id));
    ck_assert_ptr_eq(thread_join(&v[2].thread), PTHREAD_CANCELED);
    OK(pthread_mutex_lock(&mutex));
    go = true;
    for (int i = 0; i < 5; i++)
        OK(pthread_cond_signal(&cond));
    OK(pthread_mutex_unlock(&mutex));
    for (int i = 0; i < 6; i++)
        if (i != 2)
            ck_assert_ptr_null(thread_join(&v[i].thread));
    OK(pthread_cond_destroy(&cond));
}
END_TEST

/* ---- every kind of mutex ---- */

static pthread_mutex_t *kind_mutex;
static int kind_unlock_error, kind_ready;

static void unlock_kind(void *argument)
{
    (void)argument;
    kind_unlock_error = pthread_mutex_unlock(kind_mutex);
}

static void *wait_with_kind(void *argument)
{
    pthread_mutex_lock(kind_mutex);
    pthread_cleanup_push(unlock_kind, NULL);
    raise_flag(&kind_ready, 1);
    for (;;)
        pthread_cond_wait(argument, kind_mutex);
    pthread_cleanup_pop(0);
    return NULL;
}

START_TEST(a_wait_with_every_kind_of_mutex_is_cancelled)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    pthread_mutexattr_t attr;
    pthread_condattr_t cond_attr;
    pthread_mutex_t m;
    pthread_cond_t c;
    struct thread t;
    OK(pthread_mutexattr_init(&attr));
    OK(pthread_mutexattr_settype(&attr, types[_i & 3]));
    OK(pthread_mutexattr_setrobust(&attr, _i & 4 ? PTHREAD_MUTEX_ROBUST : 0));
    OK(pthread_mutexattr_setprotocol(&attr, _i & 8 ? PTHREAD_PRIO_INHERIT : 0));
    OK(pthread_mutexattr_setpshared(&attr, _i & 16 ? PTHREAD_PROCESS_SHARED : 0));
    OK(pthread_condattr_init(&cond_attr));
    OK(pthread_condattr_setpshared(&cond_attr, _i & 32 ? PTHREAD_PROCESS_SHARED : 0));
    OK(pthread_mutex_init(&m, &attr));
    OK(pthread_cond_init(&c, &cond_attr));
    kind_mutex = &m;
    kind_unlock_error = -1;
    thread_start(&t, wait_with_kind, &c);
    wait_for_flag(&kind_ready, 1);
    wait_until_asleep(t.tid);
    OK(pthread_cancel(t.id));
    ck_assert_ptr_eq(thread_join(&t), PTHREAD_CANCELED);
    ck_assert_int_eq(kind_unlock_error, 0);
    OK(pthread_mutex_lock(&m));
    OK(pthread_mutex_unlock(&m));
    OK(pthread_cond_destroy(&c));
    OK(pthread_mutex_destroy(&m));
}
END_TEST

/* ---- pthread_cancel elsewhere ---- */

static int pipe_ends[2], elsewhere_ready;
static sem_t semaphore;

static void *be_elsewhere(void *argument)
{
    int old, which = *(int *)argument;
    char byte;
    if (which == 3)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    raise_flag(&elsewhere_ready, 1);
    if (which == 0)
        while (read(pipe_ends[0], &byte, 1) < 0) {
        }
    if (which == 1)
        sem_wait(&semaphore);
    if (which == 2)
        for (;;)
            sleep(1000);
    if (which == 3)
        for (;;)
            pause_spinning();
    if (which == 4)
        for (;;)
            pthread_testcancel();
    return NULL;
}

START_TEST(a_thread_outside_any_wait_is_cancelled_as_ever)
{
    struct thread t;
    int which = _i;
    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert_int_eq(sem_init(&semaphore, 0, 0), 0);
    thread_start(&t, be_elsewhere, &which);
    wait_for_flag(&elsewhere_ready, 1);
    sleep_ms(10);
    OK(pthread_cancel(t.id));
    ck_assert_ptr_eq(thread_join(&t), PTHREAD_CANCELED);
}
END_TEST

static void *hold_out(void *argument)
{
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    raise_flag(argument, 1);
    wait_for_flag(argument, 2);
    return argument;
}

START_TEST(a_thread_that_ends_first_keeps_its_result)
{
    int flag = 0;
    struct thread t;
    thread_start(&t, hold_out, &flag);
    wait_for_flag(&flag, 1);
    OK(pthread_cancel(t.id));
    raise_flag(&flag, 2);
    ck_assert_ptr_eq(thread_join(&t), &flag);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_cancel");
    TCase *tcase = conform_case(suite, "wait");
    tcase_add_loop_test(tcase, a_thread_asleep_is_cancelled_with_the_mutex_held, 0, 2 * WAIT_CALLS);
    tcase_add_loop_test(tcase, a_cancellation_pending_before_the_wait_acts_in_it, 0, WAIT_CALLS);
    tcase_add_test(tcase, a_cancellation_at_any_moment_of_the_wait);
    tcase_add_loop_test(tcase, the_cleanup_handler_waits_for_the_mutex, 0, WAIT_CALLS);
    tcase_add_loop_test(tcase, a_disabled_cancellation_lets_the_wait_go_on_and_acts_later, 0,
                        2 * WAIT_CALLS);
    tcase_add_loop_test(tcase, a_thread_that_was_not_cancelled_returns_its_own_result, 0,
                        WAIT_CALLS);
    tcase_add_test(tcase, one_of_several_is_cancelled_and_the_others_go_on);
    tcase_add_loop_test(tcase, a_wait_with_every_kind_of_mutex_is_cancelled, 0, 64);
    tcase = conform_case(suite, "elsewhere");
    tcase_add_loop_test(tcase, a_thread_outside_any_wait_is_cancelled_as_ever, 0, 5);
    tcase_add_test(tcase, a_thread_that_ends_first_keeps_its_result);
    return conform_run(suite);
}
