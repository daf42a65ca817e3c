/* SPDX-License-Identifier: MIT */
/*
 * Handlers that interrupt a wait for a condition variable, by every call and with every kind of
 * mutex: asleep, after a notification has put the waiters on their way to a mutex that is held, and
 * until a deadline. Two signals take turns, one with SA_RESTART. No wait gives EINTR, changes
 * errno, comes back early or is forgotten. Storms of signals and calls made in handlers are
 * cond_handler.c's, waits for the mutex alone mutex_signal.c's.
 */
#include "cancel_arena.h"

enum { TIMED_CALLS = 3, TRIES = 5 };

static const enum wait_call timed_calls[TIMED_CALLS] = {TIMEDWAIT, CLOCKWAIT, CND_TIMEDWAIT};
static int handled;

struct sleeper {
    struct thread thread;
    enum wait_call call;
    struct far_deadlines until;
    int errors, ended;
};

static void count_signal(int number)
{
    (void)number;
    __atomic_add_fetch(&handled, 1, __ATOMIC_ACQ_REL);
}

/* False when the kind of mutex needs a right that is missing here. */
static bool open_with_handlers(int kind, bool shared)
{
    struct sigaction plain = {.sa_handler = count_signal};
    struct sigaction restart = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    struct sched_param param = {.sched_priority = 1};
    ck_assert_int_eq(sigaction(SIGUSR1, &plain, NULL), 0);
    ck_assert_int_eq(sigaction(SIGUSR2, &restart, NULL), 0);
    if (kind >= MUTEX_PP_KINDS_BEGIN &&
        pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) != 0)
        return false;
    arena_open(kind, shared);
    return true;
}

#define OPEN_OR_SKIP(kind, shared)                                                                 \
    do {                                                                                           \
        if (!open_with_handlers(kind, shared))                                                     \
            SKIP_TEST("real-time scheduling is not permitted here");                               \
    } while (0)

/* Ends may be waited for while signals are still sent: the thread exists until it is let go. */
static void end_when_told(struct sleeper *s)
{
    OK(pthread_mutex_unlock(&arena.mutex));
    raise_flag(&s->ended, 1);
    while (now(&s->ended) == 1)
        sleep_ms(1);
}

static void *take_a_token(void *argument)
{
    struct sleeper *s = argument;
    OK(pthread_mutex_lock(&arena.mutex));
    arena.waiting++;
    while (now(&arena.tokens) == 0) {
        errno = CONFORM_ERRNO;
        s->errors += wait_by(s->call, &s->until) != 0;
        REQUIRE(errno == CONFORM_ERRNO, "%s: a wait changes errno", conform_context);
    }
    arena.waiting--;
    __atomic_sub_fetch(&arena.tokens, 1, __ATOMIC_SEQ_CST);
    end_when_told(s);
    return NULL;
}

static void start_sleeper(struct sleeper *s, enum wait_call call, long ms,
                          void *(*body)(void *argument))
{
    *s = (struct sleeper){.call = call};
    s->until.realtime = deadline_in_ms(CLOCK_REALTIME, ms);
    s->until.monotonic = deadline_in_ms(CLOCK_MONOTONIC, ms);
    thread_start(&s->thread, body, s);
}

/* Every handler has run when this returns. */
static void disturb(struct sleeper *s, int n)
{
    for (int round = 0; round < 2; round++) {
        int before = now(&handled);
        for (int i = 0; i < n; i++)
            OK(pthread_kill(s[i].thread.id, round % 2 ? SIGUSR2 : SIGUSR1));
        wait_for_flag(&handled, before + n);
    }
}

static void end_all(struct sleeper *s, int n, bool in_time)
{
    for (int i = 0; i < n; i++) {
        wait_for_flag(&s[i].ended, 1);
        raise_flag(&s[i].ended, 2);
        ck_assert_ptr_null(thread_join(&s[i].thread));
        ck_assert_msg(s[i].errors == 0 || !in_time, "%s: call %d gives an error", conform_context,
                      s[i].call);
    }
    ck_assert_int_eq(now(&arena.tokens), 0);
}

static void put_tokens(bool broadcast)
{
    __atomic_store_n(&arena.tokens, WAIT_CALLS, __ATOMIC_SEQ_CST);
    if (broadcast)
        OK(pthread_cond_broadcast(&arena.cond));
    for (int i = 0; !broadcast && i < WAIT_CALLS; i++)
        OK(pthread_cond_signal(&arena.cond));
}

/* The index is the kind of the mutex, twice: with a private and a shared condition variable. */
START_TEST(handlers_before_and_after_a_notification_lose_nobody)
{
    struct sleeper s[WAIT_CALLS];
    OPEN_OR_SKIP(_i / 2, _i % 2);
    for (int broadcast = 0; broadcast < 2; broadcast++) {
        for (int call = 0; call < WAIT_CALLS; call++)
            start_sleeper(&s[call], call, 10000000, take_a_token);
        await_waiting(WAIT_CALLS);
        wait_until_asleep(s[WAIT_CALLS - 1].thread.tid);
        disturb(s, WAIT_CALLS);
        wait_until_asleep(s[0].thread.tid);
        OK(pthread_mutex_lock(&arena.mutex));
        put_tokens(broadcast);
        disturb(s, WAIT_CALLS);
        wait_until_asleep(s[0].thread.tid);
        disturb(s, WAIT_CALLS);
        OK(pthread_mutex_unlock(&arena.mutex));
        end_all(s, WAIT_CALLS, true);
    }
    arena_close();
}
END_TEST

static bool is_past(const struct sleeper *s)
{
    return s->call == CLOCKWAIT ? deadline_passed(CLOCK_MONOTONIC, s->until.monotonic)
                                : deadline_passed(CLOCK_REALTIME, s->until.realtime);
}

/* C11's result is not an error number: wait_by gives 1 unless it is thrd_success. */
static void *time_out(void *argument)
{
    struct sleeper *s = argument;
    int error = 0;
    OK(pthread_mutex_lock(&arena.mutex));
    while (error == 0) {
        errno = CONFORM_ERRNO;
        error = wait_by(s->call, &s->until);
        REQUIRE(errno == CONFORM_ERRNO, "%s: a wait changes errno", conform_context);
    }
    REQUIRE(error == (s->call == CND_TIMEDWAIT ? 1 : ETIMEDOUT), "%s: call %d gives %d",
            conform_context, s->call, error);
    REQUIRE(is_past(s), "%s: call %d comes early", conform_context, s->call);
    end_when_told(s);
    return NULL;
}

/* False when the sleepers were at their ends before they could be sent signals. */
static bool disturb_until_the_deadline(long ms)
{
    struct sleeper s[TIMED_CALLS];
    raise_flag(&handled, 0);
    for (int i = 0; i < TIMED_CALLS; i++)
        start_sleeper(&s[i], timed_calls[i], ms, time_out);
    for (int i = 0; i < TIMED_CALLS; i++)
        for (; now(&s[i].ended) == 0; sleep_ms(1))
            disturb(s, TIMED_CALLS);
    end_all(s, TIMED_CALLS, true);
    return now(&handled) > TIMED_CALLS;
}

START_TEST(handlers_neither_shorten_nor_forget_a_deadline)
{
    long ms = 25;
    OPEN_OR_SKIP(_i / 2, _i % 2);
    for (int tries = 0; !disturb_until_the_deadline(ms); tries++, ms *= 3)
        ck_assert_int_lt(tries, TRIES);
    arena_close();
}
END_TEST

/* False when the broadcast came too late to say anything. */
static bool outlive_the_deadline(long ms)
{
    struct sleeper s[TIMED_CALLS];
    bool in_time = true;
    for (int i = 0; i < TIMED_CALLS; i++)
        start_sleeper(&s[i], timed_calls[i], ms, take_a_token);
    await_waiting(TIMED_CALLS);
    OK(pthread_mutex_lock(&arena.mutex));
    __atomic_store_n(&arena.tokens, TIMED_CALLS, __ATOMIC_SEQ_CST);
    OK(pthread_cond_broadcast(&arena.cond));
    for (int i = 0; i < TIMED_CALLS; i++)
        in_time = in_time && !is_past(&s[i]);
    for (int i = 0; i < TIMED_CALLS; i++)
        for (; !is_past(&s[i]); sleep_ms(1))
            disturb(s, TIMED_CALLS);
    disturb(s, TIMED_CALLS);
    OK(pthread_mutex_unlock(&arena.mutex));
    end_all(s, TIMED_CALLS, in_time);
    return in_time;
}

/* Having been notified in time it is no time-out, however long the mutex is held afterwards. */
START_TEST(a_deadline_on_the_way_to_the_mutex_is_none)
{
    long ms = 40;
    OPEN_OR_SKIP(_i / 2, _i % 2);
    for (int tries = 0; !outlive_the_deadline(ms); tries++, ms *= 3)
        ck_assert_int_lt(tries, TRIES);
    arena_close();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cond_signals");
    TCase *tcase = conform_case(suite, "signals");
    tcase_add_loop_test(tcase, handlers_before_and_after_a_notification_lose_nobody, 0,
                        2 * MUTEX_KINDS);
    tcase_add_loop_test(tcase, handlers_neither_shorten_nor_forget_a_deadline, 0, 2 * MUTEX_KINDS);
    tcase_add_loop_test(tcase, a_deadline_on_the_way_to_the_mutex_is_none, 0, 2 * MUTEX_KINDS);
    return conform_run(suite);
}
