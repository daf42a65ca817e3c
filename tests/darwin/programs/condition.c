/* SPDX-License-Identifier: MIT */
/* Condition variables on macOS: who is woken, when a timed wait ends, and what is refused. What
   cancellation does is in cancel.c. */
#include <string.h>

#include "check.h"

#define WAITERS 4

int wait_nocancel(pthread_cond_t *cond,
                  pthread_mutex_t *mutex) __asm__("_pthread_cond_wait$NOCANCEL");
int timedwait_nocancel(pthread_cond_t *cond, pthread_mutex_t *mutex,
                       const struct timespec *abstime) __asm__("_pthread_cond_timedwait$NOCANCEL");

/* Threads that wait, each for a turn of its own. */
struct place {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int (*wait)(pthread_cond_t *, pthread_mutex_t *);
    int waiting;
    int turns; /* given and not yet taken */
    int gone;
};

static const struct place fresh_place = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .cond = PTHREAD_COND_INITIALIZER,
    .wait = pthread_cond_wait,
};

static void *wait_for_turn(void *argument)
{
    struct place *place = argument;

    pthread_mutex_lock(&place->mutex);
    check_add(&place->waiting, 1);
    while (place->turns == 0)
        CHECK_INT(place->wait(&place->cond, &place->mutex), 0);
    place->turns--;
    check_add(&place->gone, 1);
    CHECK_INT(pthread_mutex_unlock(&place->mutex), 0);
    return NULL;
}

static void start_waiters(struct place *place, pthread_t threads[WAITERS])
{
    for (int i = 0; i < WAITERS; i++)
        check_start(&threads[i], wait_for_turn, place);
    check_until(&place->waiting, WAITERS);
}

static void give_turns(struct place *place, int turns, int (*wake)(pthread_cond_t *))
{
    CHECK_INT(pthread_mutex_lock(&place->mutex), 0);
    place->turns += turns;
    CHECK_INT(wake(&place->cond), 0);
    CHECK_INT(pthread_mutex_unlock(&place->mutex), 0);
}

static void each_signal_lets_one_go(void)
{
    struct place place = fresh_place;
    pthread_t threads[WAITERS];

    start_waiters(&place, threads);
    for (int i = 1; i <= WAITERS; i++) {
        give_turns(&place, 1, pthread_cond_signal);
        check_until(&place.gone, i);
    }
    for (int i = 0; i < WAITERS; i++)
        check_join(threads[i]);
    CHECK_INT(pthread_cond_destroy(&place.cond), 0);
}

static void a_broadcast_lets_all_go(void)
{
    struct place place = fresh_place;
    pthread_t threads[WAITERS];

    start_waiters(&place, threads);
    check_until_asleep(WAITERS);
    give_turns(&place, WAITERS, pthread_cond_broadcast);
    for (int i = 0; i < WAITERS; i++)
        check_join(threads[i]);
    CHECK_INT(place.gone, WAITERS);
}

/* Without the mutex nobody can be moved to it. */
static void a_broadcast_without_the_mutex_lets_all_go(void)
{
    struct place place = fresh_place;
    pthread_t threads[WAITERS];

    start_waiters(&place, threads);
    check_until_asleep(WAITERS);
    CHECK_INT(pthread_mutex_lock(&place.mutex), 0);
    place.turns = WAITERS;
    CHECK_INT(pthread_mutex_unlock(&place.mutex), 0);
    CHECK_INT(pthread_cond_broadcast(&place.cond), 0);
    for (int i = 0; i < WAITERS; i++)
        check_join(threads[i]);
}

static void a_wait_without_cancellation_is_woken_too(void)
{
    struct place place = fresh_place;
    pthread_t threads[WAITERS];

    place.wait = wait_nocancel;
    start_waiters(&place, threads);
    give_turns(&place, WAITERS, pthread_cond_broadcast);
    for (int i = 0; i < WAITERS; i++)
        check_join(threads[i]);
}

/* ---- one thread that is named ------------------------------------------------- */

struct named {
    struct place *place;
    int may_go;
    int gone;
};

static void *wait_to_be_named(void *argument)
{
    struct named *named = argument;
    struct place *place = named->place;

    pthread_mutex_lock(&place->mutex);
    check_add(&place->waiting, 1);
    while (!named->may_go)
        CHECK_INT(pthread_cond_wait(&place->cond, &place->mutex), 0);
    check_add(&named->gone, 1);
    pthread_mutex_unlock(&place->mutex);
    return NULL;
}

static void a_signal_for_a_thread_wakes_that_thread(void)
{
    struct place place = fresh_place;
    struct named named[WAITERS];
    pthread_t threads[WAITERS];

    for (int i = 0; i < WAITERS; i++) {
        named[i] = (struct named){.place = &place};
        check_start(&threads[i], wait_to_be_named, &named[i]);
        check_until(&place.waiting, i + 1);
    }
    /* Not in the order of arrival, which is whom a plain signal prefers. */
    for (int i = WAITERS; i-- > 0;) {
        CHECK_INT(pthread_mutex_lock(&place.mutex), 0);
        named[i].may_go = 1;
        CHECK_INT(pthread_cond_signal_thread_np(&place.cond, threads[i]), 0);
        CHECK_INT(pthread_mutex_unlock(&place.mutex), 0);
        check_until(&named[i].gone, 1);
        check_join(threads[i]);
    }
}

static void a_signal_for_no_thread_wakes_any(void)
{
    struct place place = fresh_place;
    pthread_t threads[WAITERS];

    start_waiters(&place, threads);
    for (int i = 1; i <= WAITERS; i++) {
        CHECK_INT(pthread_mutex_lock(&place.mutex), 0);
        place.turns++;
        CHECK_INT(pthread_cond_signal_thread_np(&place.cond, NULL), 0);
        CHECK_INT(pthread_mutex_unlock(&place.mutex), 0);
        check_until(&place.gone, i);
    }
    for (int i = 0; i < WAITERS; i++)
        check_join(threads[i]);
}

/* ---- time ------------------------------------------------------------------------ */

#define LATE_MS 120

/* One wait that nobody ends; spurious ends do not count. Returns how long it took. */
static int64_t time_out(int (*wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *),
                        bool relative)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER;
    struct timespec at = check_after(LATE_MS);
    int64_t begin = check_now_ms(CLOCK_UPTIME_RAW);
    int err;

    if (relative)
        at = (struct timespec){0, LATE_MS * 1000000};
    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    do
        err = wait(&cond, &mutex, &at);
    while (err == 0);
    CHECK_INT(err, ETIMEDOUT);
    CHECK_INT(ETIMEDOUT, 60);
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
    return check_now_ms(CLOCK_UPTIME_RAW) - begin;
}

static void timed_waits_end_not_before_their_time(void)
{
    CHECK(time_out(pthread_cond_timedwait, false) >= LATE_MS - 2);
    CHECK(time_out(timedwait_nocancel, false) >= LATE_MS - 2);
    CHECK(time_out(pthread_cond_timedwait_relative_np, true) >= LATE_MS - 2);
}

/* The waits asked of the kernel so far, whichever call. */
static uint64_t sleeps(void)
{
    return check_calls("__ulock_wait") + check_calls("__ulock_wait2") +
           check_calls("os_sync_wait_on_address") +
           check_calls("os_sync_wait_on_address_with_timeout") +
           check_calls("os_sync_wait_on_address_with_deadline");
}

static void a_timed_wait_sleeps_and_does_not_poll(void)
{
    uint64_t before;

    if (!check_has_loader()) {
        check_skip("macOS does not tell how often a thread slept");
        return;
    }
    before = sleeps();
    time_out(pthread_cond_timedwait, false);
    time_out(pthread_cond_timedwait_relative_np, true);
    CHECK(sleeps() - before < 60);
    CHECK(!check_has_library() || sleeps() > before);
}

static void what_is_past_times_out_at_once(void)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER;
    struct timespec past[] = {check_after(-5), {0, 0}, {-1, 0}};
    struct timespec none = {0, 0};

    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    for (unsigned i = 0; i < sizeof past / sizeof past[0]; i++)
        CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &past[i]), ETIMEDOUT);
    CHECK_INT(timedwait_nocancel(&cond, &mutex, &past[0]), ETIMEDOUT);
    CHECK_INT(pthread_cond_timedwait_relative_np(&cond, &mutex, &none), ETIMEDOUT);
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
}

static void *signal_soon(void *argument)
{
    check_until_asleep(1);
    give_turns(argument, 1, pthread_cond_signal);
    return NULL;
}

static void a_signal_comes_before_a_far_deadline(void)
{
    struct timespec far[] = {check_after(3600000), {INT64_MAX, 0}, {9000000000000, 0}};

    for (unsigned i = 0; i < 2 * sizeof far / sizeof far[0]; i++) {
        struct place place = fresh_place;
        bool relative = i % 2;
        pthread_t thread;
        int err = 0;

        check_start(&thread, signal_soon, &place);
        CHECK_INT(pthread_mutex_lock(&place.mutex), 0);
        while (place.turns == 0 && err == 0)
            err = relative
                      ? pthread_cond_timedwait_relative_np(&place.cond, &place.mutex, &far[i / 2])
                      : pthread_cond_timedwait(&place.cond, &place.mutex, &far[i / 2]);
        CHECK_INT(err, 0);
        CHECK_INT(pthread_mutex_unlock(&place.mutex), 0);
        check_join(thread);
    }
}

/* Longer than the library sleeps at a time towards a moment on the wall clock. */
#define LONG_MS 2300

static void a_long_wait_ends_not_before_its_time(void)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct timespec at = check_after(LONG_MS);
    int64_t begin = check_now_ms(CLOCK_UPTIME_RAW);
    int err;

    pthread_mutex_lock(&mutex);
    do
        err = pthread_cond_timedwait(&cond, &mutex, &at);
    while (err == 0);
    CHECK_INT(err, ETIMEDOUT);
    CHECK(check_now_ms(CLOCK_UPTIME_RAW) - begin >= LONG_MS - 2);
    pthread_mutex_unlock(&mutex);
}

static void *step_clock(void *unused)
{
    check_until_asleep(1);
    check_step_wall_clock(INT64_C(7200) * 1000000000);
    return unused;
}

static void a_wall_clock_that_is_set_ends_the_wait(void)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct timespec at = check_after(3600000);
    pthread_t thread;
    int err;

    if (!check_has_loader()) {
        check_skip("the clock of macOS is not ours to set");
        return;
    }
    check_start(&thread, step_clock, NULL);
    pthread_mutex_lock(&mutex);
    do
        err = pthread_cond_timedwait(&cond, &mutex, &at);
    while (err == 0);
    CHECK_INT(err, ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    check_join(thread);
    check_step_wall_clock(INT64_C(-7200) * 1000000000);
}

/* ---- what is refused ---------------------------------------------------------------- */

static void a_time_that_is_none_gives_EINVAL(void)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER;
    struct timespec bad[] = {check_after(0), check_after(0)};

    bad[0].tv_nsec = 1000000000;
    bad[1].tv_nsec = -1;
    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &bad[i]), EINVAL);
        CHECK_INT(timedwait_nocancel(&cond, &mutex, &bad[i]), EINVAL);
        CHECK_INT(pthread_cond_timedwait_relative_np(&cond, &mutex, &bad[i]), EINVAL);
    }
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
}

static void no_call_takes(pthread_cond_t *cond)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct timespec at = check_after(10);

    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
    CHECK_INT(pthread_cond_wait(cond, &mutex), EINVAL);
    CHECK_INT(wait_nocancel(cond, &mutex), EINVAL);
    CHECK_INT(pthread_cond_timedwait(cond, &mutex, &at), EINVAL);
    CHECK_INT(timedwait_nocancel(cond, &mutex, &at), EINVAL);
    CHECK_INT(pthread_cond_timedwait_relative_np(cond, &mutex, &at), EINVAL);
    CHECK_INT(pthread_cond_signal(cond), EINVAL);
    CHECK_INT(pthread_cond_signal_thread_np(cond, pthread_self()), EINVAL);
    CHECK_INT(pthread_cond_broadcast(cond), EINVAL);
    CHECK_INT(pthread_cond_destroy(cond), EINVAL);
}

static void what_is_no_condition_variable_gives_EINVAL(void)
{
    uint32_t odd[] = {0x12345678, 0x32aaaba7, 0xffffffff, 0};
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        memcpy(&cond, &odd[i], sizeof odd[i]);
        no_call_takes(&cond);
    }
    CHECK_INT(pthread_cond_init(&cond, NULL), 0);
    CHECK_INT(pthread_cond_signal(&cond), 0);
    CHECK_INT(pthread_cond_destroy(&cond), 0);
    no_call_takes(&cond);
}

static void a_wait_with_what_is_no_mutex_gives_EINVAL(void)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex;
    struct timespec at = check_after(10);

    memset(&mutex, 0, sizeof mutex);
    CHECK_INT(pthread_cond_wait(&cond, &mutex), EINVAL);
    CHECK_INT(pthread_cond_timedwait(&cond, &mutex, &at), EINVAL);
}

static void a_wait_without_the_mutex_gives_EPERM(void)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER;

    CHECK_INT(pthread_cond_wait(&cond, &mutex), EPERM);
    CHECK_INT(pthread_mutex_lock(&mutex), 0);
    CHECK_INT(pthread_mutex_unlock(&mutex), 0);
}

/* ---- where the object is ---------------------------------------------------------------- */

static void four_bytes_of_alignment_are_enough(void)
{
    static char room[2 * sizeof(struct place) + 8] __attribute__((aligned(8)));
    struct odd {
        int first;
        char mutex[sizeof(pthread_mutex_t)];
        char cond[sizeof(pthread_cond_t)];
        unsigned char behind[8];
    } *odd = (struct odd *)(void *)room;
    pthread_mutex_t *mutex = (pthread_mutex_t *)(void *)odd->mutex;
    pthread_cond_t *cond = (pthread_cond_t *)(void *)odd->cond;
    static const pthread_cond_t initial = PTHREAD_COND_INITIALIZER;
    struct timespec at = check_after(30);
    int err;

    memset(room, 0x5b, sizeof room);
    CHECK_INT((uintptr_t)cond % 8, 4);
    CHECK_INT(pthread_mutex_init(mutex, NULL), 0);
    memcpy(cond, &initial, sizeof initial);
    CHECK_INT(pthread_mutex_lock(mutex), 0);
    do
        err = pthread_cond_timedwait(cond, mutex, &at);
    while (err == 0);
    CHECK_INT(err, ETIMEDOUT);
    CHECK_INT(pthread_cond_signal(cond), 0);
    CHECK_INT(pthread_mutex_unlock(mutex), 0);
    CHECK_INT(pthread_cond_destroy(cond), 0);
    CHECK_INT(odd->first, 0x5b5b5b5b);
    for (unsigned i = 0; i < sizeof odd->behind; i++)
        CHECK_INT(odd->behind[i], 0x5b);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        CHECK_CASE(each_signal_lets_one_go),
        CHECK_CASE(a_broadcast_lets_all_go),
        CHECK_CASE(a_broadcast_without_the_mutex_lets_all_go),
        CHECK_CASE(a_wait_without_cancellation_is_woken_too),
        CHECK_CASE(a_signal_for_a_thread_wakes_that_thread),
        CHECK_CASE(a_signal_for_no_thread_wakes_any),
        CHECK_CASE(timed_waits_end_not_before_their_time),
        CHECK_CASE(a_timed_wait_sleeps_and_does_not_poll),
        CHECK_CASE(what_is_past_times_out_at_once),
        CHECK_CASE(a_signal_comes_before_a_far_deadline),
        CHECK_CASE_OF_LIBRARY(a_long_wait_ends_not_before_its_time),
        CHECK_CASE_OF_LIBRARY(a_wall_clock_that_is_set_ends_the_wait),
        CHECK_CASE(a_time_that_is_none_gives_EINVAL),
        CHECK_CASE(what_is_no_condition_variable_gives_EINVAL),
        CHECK_CASE(a_wait_with_what_is_no_mutex_gives_EINVAL),
        CHECK_CASE(a_wait_without_the_mutex_gives_EPERM),
        CHECK_CASE(four_bytes_of_alignment_are_enough),
        CHECK_END,
    };

    return check_main(argc, argv, cases);
}
