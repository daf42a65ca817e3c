/* SPDX-License-Identifier: MIT */
/*
 * Cancellation with every kind of mutex and of condition variable: at any moment of a race with a
 * notification, while somebody else holds the mutex, disabled, and when the mutex is a dead
 * thread's. A witness waits beside the victim and gets what the victim did not take. Every
 * instruction in turn is cond_cancel_points.c's business; FASTSYNC_SOAK=1 races twenty times as
 * often.
 */
#include "cancel_arena.h"

enum { ROUNDS = 50, SOAK_FACTOR = 20, PAUSES_MAX = 1200 };

/* The kinds before the priority ceilings; twice: a private and a shared condition variable. */
#define ADD_FOR_ALL_KINDS(tcase, test) tcase_add_loop_test(tcase, test, 0, 2 * MUTEX_PP_KINDS_BEGIN)

static unsigned long long seed;

static int some(int limit)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((seed >> 33) % (unsigned)limit);
}

static void pause_for(int pauses)
{
    while (pauses-- > 0)
        __asm__ volatile("" ::: "memory");
}

static void start_round(struct waiter *victim, struct waiter *witness, bool victim_first)
{
    struct waiter *order[] = {victim_first ? victim : witness, victim_first ? witness : victim};
    thread_start(&order[0]->thread, take, order[0]);
    await_waiting(1);
    thread_start(&order[1]->thread, take, order[1]);
}

/* Without waiting for the second to wait: the first moments of its wait are among those hit. */
static void race(enum deed deed, bool asynchronous)
{
    struct waiter victim = {.call = some(WAIT_CALLS), .asynchronous = asynchronous};
    struct waiter witness = {.call = victim.call};
    bool victim_first = some(2), held = some(2);
    start_round(&victim, &witness, victim_first);
    if (victim_first || some(2))
        await_waiting(2);
    else
        pause_for(some(8 * PAUSES_MAX));
    pause_for(some(PAUSES_MAX));
    if (held)
        OK(pthread_mutex_lock(&arena.mutex));
    do_first(deed, &victim);
    if (some(3))
        pause_for(some(PAUSES_MAX));
    if (held && some(2)) {
        OK(pthread_mutex_unlock(&arena.mutex));
        held = false;
    }
    do_then(deed, &victim);
    if (held)
        OK(pthread_mutex_unlock(&arena.mutex));
    settle(deed, &victim, &witness);
}

static void race_often(int kind, bool shared, bool asynchronous)
{
    seed = (unsigned long long)(4 * kind + 2 * shared + asynchronous);
    arena_open(kind, shared);
    for (int round = 0; round < repeats(is_soak() ? SOAK_FACTOR * ROUNDS : ROUNDS); round++)
        race(round % DEEDS, asynchronous);
    arena_close();
}

START_TEST(a_cancellation_at_any_moment_costs_nobody_a_notification)
{
    race_often(_i / 2, _i % 2, false);
}
END_TEST

/* POSIX and libc leave this undefined: a wait is not async-cancel-safe. The library's is. */
START_TEST(the_same_with_asynchronous_cancellation)
{
    race_often(_i, false, true);
}
END_TEST

/* ---- while another thread holds the mutex ---- */

START_TEST(a_waiter_cancelled_on_its_way_to_a_held_mutex_waits_for_it)
{
    arena_open(_i / 2, _i % 2);
    for (enum deed deed = 0; deed < DEEDS; deed++) {
        struct waiter victim = {.call = (_i + deed) % WAIT_CALLS};
        struct waiter witness = {.call = (_i + deed) % WAIT_CALLS};
        start_round(&victim, &witness, true);
        await_waiting(2);
        wait_until_asleep(victim.thread.tid);
        OK(pthread_mutex_lock(&arena.mutex));
        do_first(deed, &victim);
        wait_until_asleep(victim.thread.tid); /* wherever it is now, it has not ended */
        do_then(deed, &victim);
        wait_until_asleep(victim.thread.tid);
        ck_assert_int_eq(now(&victim.took) + now(&victim.cleaned_up), 0);
        OK(pthread_mutex_unlock(&arena.mutex));
        settle(deed, &victim, &witness);
    }
    arena_close();
}
END_TEST

/* ---- disabled ---- */

struct refuser {
    struct thread thread;
    enum wait_call call;
    int type, type_after, state_after, errors, returns, past_the_unlock;
};

static void *refuse(void *argument)
{
    struct refuser *r = argument;
    struct far_deadlines far = {deadline_in_ms(CLOCK_REALTIME, 10000000),
                                deadline_in_ms(CLOCK_MONOTONIC, 10000000)};
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    pthread_setcanceltype(r->type, &old);
    pthread_mutex_lock(&arena.mutex);
    arena.waiting++;
    for (int token = 0; token < 2; token++) {
        while (now(&arena.tokens) == 0)
            r->errors += wait_by(r->call, &far) != 0;
        __atomic_sub_fetch(&arena.tokens, 1, __ATOMIC_SEQ_CST);
        raise_flag(&r->returns, token + 1);
    }
    arena.waiting--;
    r->errors += pthread_mutex_unlock(&arena.mutex);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &r->type_after);
    r->past_the_unlock = 1;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &r->state_after);
    pthread_testcancel();
    return NULL;
}

/* Two waits: one begins before the cancellation, the other with it pending. */
START_TEST(a_disabled_cancellation_stays_pending_through_waits)
{
    struct refuser r = {.call = _i / 2 % WAIT_CALLS, .type = _i / 8 % 2};
    arena_open(_i / 2, _i % 2);
    thread_start(&r.thread, refuse, &r);
    await_waiting(1);
    wait_until_asleep(r.thread.tid);
    OK(pthread_cancel(r.thread.id));
    for (int token = 0; token < 2; token++) {
        wait_until_asleep(r.thread.tid);
        ck_assert_int_eq(now(&r.returns), token);
        OK(pthread_mutex_lock(&arena.mutex));
        notify(1, token ? pthread_cond_broadcast : pthread_cond_signal);
        OK(pthread_mutex_unlock(&arena.mutex));
        wait_for_flag(&r.returns, token + 1);
    }
    ck_assert_ptr_eq(thread_join(&r.thread), PTHREAD_CANCELED);
    ck_assert_int_eq(r.errors, 0);
    ck_assert_int_eq(r.past_the_unlock, 1);
    ck_assert_int_eq(r.type_after, r.type);
    ck_assert_int_eq(r.state_after, PTHREAD_CANCEL_DISABLE);
    arena_close();
}
END_TEST

/* ---- the mutex's owner dies ---- */

struct heir {
    struct thread thread;
    enum wait_call call;
    int asleep, error, consistent_error, unlock_error;
};

static void repair_and_unlock(void *argument)
{
    struct heir *h = argument;
    h->consistent_error = pthread_mutex_consistent(&arena.mutex);
    h->unlock_error = pthread_mutex_unlock(&arena.mutex);
}

static void *inherit(void *argument)
{
    struct heir *h = argument;
    struct far_deadlines far = {deadline_in_ms(CLOCK_REALTIME, 10000000),
                                deadline_in_ms(CLOCK_MONOTONIC, 10000000)};
    pthread_mutex_lock(&arena.mutex);
    arena.waiting++;
    pthread_cleanup_push(repair_and_unlock, h);
    do
        h->error = wait_by(h->call, &far);
    while (h->error == 0);
    pthread_cleanup_pop(1);
    for (;;)
        pthread_testcancel();
    return NULL;
}

static void *die_with_the_mutex(void *argument)
{
    struct heir *h = argument;
    OK(pthread_mutex_lock(&arena.mutex));
    OK(pthread_cancel(h->thread.id));
    wait_until_asleep(h->thread.tid); /* on its way to the mutex */
    return NULL;
}

/* Either it is cancelled in the wait or the wait says what has happened: it has the mutex. */
START_TEST(a_cancelled_waiter_inherits_the_mutex_of_a_dead_thread)
{
    struct heir h = {.call = _i % (CLOCKWAIT + 1), .consistent_error = -1, .unlock_error = -1};
    arena_open(_i, _i / 4 % 2);
    thread_start(&h.thread, inherit, &h);
    await_waiting(1);
    wait_until_asleep(h.thread.tid);
    in_thread(die_with_the_mutex, &h);
    ck_assert_ptr_eq(thread_join(&h.thread), PTHREAD_CANCELED);
    ck_assert_msg(h.error == 0 || h.error == EOWNERDEAD, "the wait gives %d", h.error);
    ck_assert_int_eq(h.consistent_error, 0);
    ck_assert_int_eq(h.unlock_error, 0);
    OK(pthread_mutex_lock(&arena.mutex));
    OK(pthread_mutex_unlock(&arena.mutex));
    OK(pthread_cond_destroy(&arena.cond));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_cancel_kinds");
    TCase *tcase = conform_case(suite, "kinds");
    if (is_soak())
        tcase_set_timeout(tcase, SOAK_FACTOR * CONFORM_TIMEOUT);
    ADD_FOR_ALL_KINDS(tcase, a_cancellation_at_any_moment_costs_nobody_a_notification);
    if (under_library())
        tcase_add_loop_test(tcase, the_same_with_asynchronous_cancellation, 0,
                            MUTEX_PP_KINDS_BEGIN);
    ADD_FOR_ALL_KINDS(tcase, a_waiter_cancelled_on_its_way_to_a_held_mutex_waits_for_it);
    ADD_FOR_ALL_KINDS(tcase, a_disabled_cancellation_stays_pending_through_waits);
    for (int kind = 8; kind < MUTEX_PP_KINDS_BEGIN; kind += 16)
        tcase_add_loop_test(tcase, a_cancelled_waiter_inherits_the_mutex_of_a_dead_thread, kind,
                            kind + 8);
    return conform_run(suite);
}
