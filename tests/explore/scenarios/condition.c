/* SPDX-License-Identifier: MIT */
/* Waits and signals, without broadcasts (broadcast.c) and cancellation (cancel.c). No waiter here
   looks at its predicate in a loop: this library ends no wait without a signal, so a wake-up that
   nobody meant, and a signal that went to nobody, are failures. */
#include "explore.h"
#include "scenarios/calls.h"
#include "scenarios/watch_group.h"
#include "scenarios/watch_word.h"

#define EXHAUSTIVE .bound = EXPLORE_EXHAUSTIVE
#define BIT(thread) ((uint8_t)(1u << (thread)))
#define WATCH                                                                                      \
    .check = watch_group_check, .observe = watch_group_observe, .finish = watch_group_finish

static struct fs_mutex mutex;
static struct fs_mutex second;
static struct fs_condition cond;
static struct fs_condition other;

static bool ready;    /* what is waited for; under the mutex */
static uint8_t asked; /* who waits, as bits; under the mutex */
static uint8_t got;   /* whose waits have returned 0 */
static uint8_t late;  /* ... and ETIMEDOUT */

/* ---- setting up ---------------------------------------------------------------------- */

static void set_up(uint32_t kind)
{
    call_set_up(0, 2);
    call_init_mutex(&mutex, kind, "mutex");
    call_init_mutex(&second, kind, "second");
    explore_name(&cond, sizeof cond, "cond");
}

static void watch(void)
{
    watch_condition(&cond);
    watch_condition_mutex(&mutex);
}

static void fresh(void)
{
    set_up(FS_KIND_NORMAL);
    watch();
}

static void normal(void)
{
    set_up(FS_KIND_NORMAL);
    call_warm_up(&cond, &mutex);
    watch();
}

static void recursive(void)
{
    set_up(FS_KIND_RECURSIVE);
    watch();
}

static void error_checking(void)
{
    set_up(FS_KIND_ERRORCHECK);
    watch();
}

static void shared(void)
{
    set_up(FS_KIND_SHARED);
    watch();
}

static void normal_without_requeue(void)
{
    normal();
    fs_settings.requeue = false;
}

static void normal_with_spinning(void)
{
    normal();
    fs_settings.spin = 1;
}

/* ---- one waiter ------------------------------------------------------------------------ */

static void wait_for_ready(const struct fs_deadline *deadline)
{
    unsigned me = explore_self();
    int err;

    if (ready)
        return;
    asked |= BIT(me);
    err = call_wait_until(&cond, &mutex, deadline);
    asked &= (uint8_t)~BIT(me);
    explore_require(err == 0 || (err == ETIMEDOUT && deadline), "a wait returned %d", err);
    explore_require(err != 0 || ready, "a wait returned, and nobody had signalled");
    if (err == 0)
        got |= BIT(me);
    else
        late |= BIT(me);
}

static void waits(void)
{
    call_lock(&mutex);
    wait_for_ready(NULL);
    call_unlock(&mutex);
}

static void waits_until(void)
{
    struct fs_deadline deadline = explore_deadline();

    call_lock(&mutex);
    wait_for_ready(&deadline);
    call_unlock(&mutex);
}

static void signals_holding(void)
{
    call_lock(&mutex);
    ready = true;
    call_signal(&cond);
    call_unlock(&mutex);
}

static void signals_free(void)
{
    call_lock(&mutex);
    ready = true;
    call_unlock(&mutex);
    call_signal(&cond);
}

/* The only waiter takes it all away once it has gone on. */
static void waits_and_kills(void)
{
    waits();
    watch_mutex_end(&mutex);
    explore_kill_memory(&cond, sizeof cond);
    explore_kill_memory(&mutex, sizeof mutex);
}

static void waits_on_and_kills(void)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    call_unlock(&mutex);
    watch_mutex_end(&mutex);
    explore_kill_memory(&cond, sizeof cond);
    explore_kill_memory(&mutex, sizeof mutex);
}

static void signals(void)
{
    call_signal(&cond);
}

/* Nobody waits any more as soon as the only waiter has been signalled. */
static void signals_and_kills_condition(void)
{
    call_lock(&mutex);
    ready = true;
    call_signal(&cond);
    explore_kill_memory(&cond, sizeof cond);
    call_unlock(&mutex);
}

/* Held twice, the mutex stays locked while its holder waits, so ready is not under it. */
static void waits_holding_twice(void)
{
    call_lock(&mutex);
    call_lock(&mutex);
    call_lock(&second);
    if (!ready) {
        asked |= BIT(explore_self());
        call_unlock(&second);
        explore_require(call_wait(&cond, &mutex) == 0, "a wait failed");
        call_lock(&second);
        explore_require(ready, "a wait returned, and nobody had signalled");
    }
    call_unlock(&second);
    explore_require(mutex.count == 2, "the mutex was held twice, and now %u times", mutex.count);
    call_unlock(&mutex);
    call_unlock(&mutex);
}

/* The waiter is queued once it sleeps. */
static void signals_one_that_holds_twice(void)
{
    explore_wait_until_quiet();
    call_lock(&second);
    ready = true;
    call_unlock(&second);
    call_signal(&cond);
}

/* ---- the memory used again ------------------------------------------------------------ */

static void waits_then_answers(void)
{
    waits();
    call_lock(&second);
    explore_require(asked & BIT(1), "nobody asked");
    call_signal(&cond);
    call_unlock(&second);
}

/* The condition variable becomes another one, with another mutex. */
static void signals_and_waits_in_reused_memory(void)
{
    call_lock(&second);
    asked |= BIT(1);
    signals_free();
    explore_reuse_memory(&cond, sizeof cond, 0);
    explore_require(call_wait(&cond, &second) == 0, "a wait failed");
    call_unlock(&second);
}

/* ---- several waiters -------------------------------------------------------------------- */

static void signals_twice_holding(void)
{
    call_lock(&mutex);
    ready = true;
    call_signal(&cond);
    call_signal(&cond);
    call_unlock(&mutex);
}

static void signals_twice_free(void)
{
    call_lock(&mutex);
    ready = true;
    call_unlock(&mutex);
    call_signal(&cond);
    call_signal(&cond);
}

static void release_the_rest(void)
{
    call_lock(&mutex);
    call_broadcast(&cond);
    call_unlock(&mutex);
}

/* One signal for two waiters, of which the first may give up: the second or the first gets it. */
static void check_one_signal(uint8_t at_the_signal)
{
    explore_wait_until_quiet();
    explore_require(got != 3, "one signal ended two waits");
    explore_require(!(at_the_signal & BIT(1)) || got != 0 ||
                        (explore_is_done(1) && late & BIT(1)),
                    "a waiter sleeps, and the signal it was entitled to is gone");
    release_the_rest();
}

static void signals_one_of_two(void)
{
    uint8_t at_the_signal;

    call_lock(&mutex);
    at_the_signal = asked;
    ready = true; /* for those that are there; others come for the broadcast, if at all */
    call_signal(&cond);
    call_unlock(&mutex);
    check_one_signal(at_the_signal);
}

static void signals_one_of_two_free(void)
{
    uint8_t at_the_signal;

    call_lock(&mutex);
    at_the_signal = asked;
    ready = true;
    call_unlock(&mutex);
    call_signal(&cond);
    check_one_signal(at_the_signal);
}

static void locks(void)
{
    call_lock(&mutex);
    watch_word_inside(&mutex.word);
    call_unlock(&mutex);
}

/* ---- two mutexes ------------------------------------------------------------------------- */

static void normal_with_two_mutexes(void)
{
    call_set_up(0, 2);
    call_init_mutex(&mutex, FS_KIND_NORMAL, "mutex");
    call_init_mutex(&second, FS_KIND_NORMAL, "second");
    call_join_for(0, &cond, &second);
    call_join_for(1, &cond, &mutex);
    watch();
    watch_condition_mutex(&second);
}

static void waits_on_with(struct fs_mutex *m)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    got |= BIT(explore_self());
    call_unlock(m);
}

static void waits_on(void)
{
    waits_on_with(&mutex);
}

static void waits_on_with_second(void)
{
    waits_on_with(&second);
}

static void signals_in_turn(void)
{
    call_lock(&mutex);
    call_signal(&cond);
    call_unlock(&mutex);
    explore_wait_until_quiet();
    explore_require(got == BIT(0), "the signal went to %#x, and thread 0 came first", got);
    call_lock(&mutex);
    call_signal(&cond);
    call_unlock(&mutex);
}

/* ---- debts that are paid in unusual ways ---------------------------------------------------- */

static void normal_with_one_queued(void)
{
    call_set_up(0, 2);
    call_init_mutex(&mutex, FS_KIND_NORMAL, "mutex");
    call_join_for(0, &cond, &mutex);
    watch_condition(&cond);
    watch_mutex_of_strangers(&mutex);
}

static void signals_and_keeps(void)
{
    call_lock(&mutex);
    call_signal(&cond);
}

static void unlocks_for_another(void)
{
    explore_wait_until_quiet();
    explore_require(got == 0, "a waiter went on while the mutex was held");
    call_unlock(&mutex);
}

static void signals_and_turns_over(void)
{
    call_lock(&mutex);
    call_signal(&cond);
    fs_mutex_turn_over(&mutex);
    call_unlock_in_libc(&mutex);
}

static void waits_on_and_answers(void)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    call_signal(&other);
    call_unlock(&mutex);
}

static void signals_and_waits_for_the_answer(void)
{
    call_lock(&mutex);
    call_signal(&cond);
    explore_require(call_wait(&other, &mutex) == 0, "a wait failed");
    call_unlock(&mutex);
}

/* ---- order, errors ---------------------------------------------------------------------------- */

static void one_of_real_time(void)
{
    normal();
    explore_set_priority(1, 10);
}

static void signals_the_urgent(void)
{
    explore_wait_until_quiet();
    signals_holding();
    explore_wait_until_quiet();
    explore_require(got == BIT(1), "the signal went to %#x", got);
    release_the_rest();
}

static void not_its_own_mutex(void)
{
    int err = call_wait(&cond, &mutex);

    explore_require(err == EPERM, "a wait with another's mutex returned %d", err);
}

static void signals_one_that_asked(void)
{
    call_lock(&mutex);
    ready = true;
    call_signal(&cond);
    call_unlock(&mutex);
}

/* clang-format off */
const struct explore_scenario condition_scenarios[] = {
    {.name = "condition/signal-holding", .about = "a waiter, a signal under the mutex",
     .world = {.spurious = 1, .interrupts = 1}, EXHAUSTIVE,
     .start = fresh, .thread = {waits, signals_holding}, WATCH},
    {.name = "condition/signal-free", .about = "a waiter, a signal after the mutex",
     .world = {.spurious = 1, .interrupts = 1}, EXHAUSTIVE,
     .start = fresh, .thread = {waits, signals_free}, WATCH},
    {.name = "condition/spinning", .about = "a waiter that spins first",
     EXHAUSTIVE, .start = normal_with_spinning, .thread = {waits, signals_holding}, WATCH},
    {.name = "condition/no-requeue", .about = "FASTSYNC_REQUEUE=0: signals are not owed",
     .world = {.interrupts = 1}, EXHAUSTIVE,
     .start = normal_without_requeue, .thread = {waits, signals_holding}, WATCH},
    {.name = "condition/timed-holding", .about = "a deadline against a signal under the mutex",
     .world = {.timeouts = 1, .spurious = 1}, EXHAUSTIVE,
     .start = normal, .thread = {waits_until, signals_holding}, WATCH},
    {.name = "condition/timed-free", .about = "a deadline against a signal after the mutex",
     .world = {.timeouts = 1, .spurious = 1}, EXHAUSTIVE,
     .start = normal, .thread = {waits_until, signals_free}, WATCH},
    {.name = "condition/recursive", .about = "a recursive mutex", EXHAUSTIVE,
     .start = recursive, .thread = {waits, signals_holding}, WATCH},
    {.name = "condition/recursive-twice", .about = "a mutex that stays locked in the wait",
     EXHAUSTIVE,
     .start = recursive, .thread = {waits_holding_twice, signals_one_that_holds_twice}, WATCH},
    {.name = "condition/errorcheck", .about = "an error-checking mutex", EXHAUSTIVE,
     .start = error_checking, .thread = {waits, signals_holding}, WATCH},
    {.name = "condition/shared-mutex", .about = "a process-shared mutex: nothing is owed",
     EXHAUSTIVE, .start = shared, .thread = {waits, signals_holding}, WATCH},

    {.name = "condition/killed-by-waiter", .about = "all memory goes after the wait",
     .world = {.spurious = 1}, EXHAUSTIVE,
     .start = normal, .thread = {waits_and_kills, signals_holding}, WATCH},
    {.name = "condition/killed-in-the-signal", .about = "... and the signaller is not done yet",
     .world = {.spurious = 1}, .bound = EXPLORE_EXHAUSTIVE,
     .start = normal_with_one_queued, .thread = {waits_on_and_kills, signals}, WATCH},
    {.name = "condition/killed-by-signaller", .about = "the condition goes after the signal",
     .world = {.interrupts = 1}, EXHAUSTIVE,
     .start = fresh, .thread = {waits, signals_and_kills_condition}, WATCH},
    {.name = "condition/killed-at-timeout", .about = "a waiter gives up as the memory goes",
     .world = {.timeouts = 1}, EXHAUSTIVE,
     .start = normal, .thread = {waits_until, signals_and_kills_condition}, WATCH},
    {.name = "condition/reused", .about = "the memory becomes another condition variable",
     .world = {.spurious = 1}, EXHAUSTIVE,
     .start = normal, .thread = {waits_then_answers, signals_and_waits_in_reused_memory}, WATCH},

    {.name = "condition/two-signals-holding", .about = "two waiters, two signals owed",
     .bound = 3, .start = normal, .thread = {waits, waits, signals_twice_holding}, WATCH},
    {.name = "condition/two-signals-free", .about = "two waiters, two signals",
     .bound = 3, .start = normal, .thread = {waits, waits, signals_twice_free}, WATCH},
    {.name = "condition/one-signal-holding", .about = "one may give up: the other gets the signal",
     .world = {.timeouts = 1}, .bound = 3,
     .start = normal, .thread = {waits_until, waits, signals_one_of_two}, WATCH},
    {.name = "condition/one-signal-free", .about = "one may give up: the other gets the signal",
     .world = {.timeouts = 1}, .bound = 3,
     .start = normal, .thread = {waits_until, waits, signals_one_of_two_free}, WATCH},
    {.name = "condition/debt-and-locker", .about = "a debt and a sleeper of the mutex",
     .world = {.timeouts = 1}, .bound = 3,
     .start = normal, .thread = {waits_until, signals_holding, locks}, WATCH},
    {.name = "condition/two-mutexes", .about = "waiters with two mutexes at once", .bound = 3,
     .start = normal_with_two_mutexes,
     .thread = {waits_on_with_second, waits_on, signals_in_turn}, WATCH},

    {.name = "condition/debt-unlock-by-other", .about = "another thread releases and pays",
     .bound = 3, .start = normal_with_one_queued,
     .thread = {waits_on, signals_and_keeps, unlocks_for_another}, WATCH},
    {.name = "condition/debt-turned-over", .about = "the mutex becomes the C library's",
     .world = {.interrupts = 1}, EXHAUSTIVE, .start = normal_with_one_queued,
     .thread = {waits_on, signals_and_turns_over}, WATCH},
    {.name = "condition/debt-paid-by-wait", .about = "the signaller waits itself", EXHAUSTIVE,
     .start = normal_with_one_queued,
     .thread = {waits_on_and_answers, signals_and_waits_for_the_answer}, WATCH},

    {.name = "condition/real-time-first", .about = "a real-time waiter before an ordinary one",
     .bound = 3, .start = one_of_real_time, .thread = {waits, waits, signals_the_urgent}, WATCH},
    {.name = "condition/not-the-holder", .about = "a wait that fails passes its signal on",
     .bound = 3, .start = error_checking,
     .thread = {waits, signals_one_that_asked, not_its_own_mutex}, WATCH},
    {0},
};
/* clang-format on */
