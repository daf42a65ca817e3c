/* SPDX-License-Identifier: MIT */
/* Waiting with a mutex that has priority inheritance: the kernel gives the mutex to whom a signal
   chose, or queues him there. D1 to D3 of lock/condition_pi.c are checked here; C1 to C5 by
   watch_group.c, the words by watch_pi.c. A wake-up that nobody meant, and a signal that went to
   nobody, are failures, as in condition.c. */
#include "explore.h"
#include "lock/pi_mutex.h"
#include "scenarios/calls.h"
#include "scenarios/watch_group.h"
#include "scenarios/watch_pi.h"

#define BIT(thread) ((uint8_t)(1u << (thread)))

static struct fs_mutex mutex;
static struct fs_mutex second;
static struct fs_condition cond;
static struct fs_bucket *bucket;

static bool ready;    /* what is waited for; under the mutex */
static uint8_t asked; /* who waits, as bits; under the mutex */
static uint8_t got;   /* whose waits have returned 0 */
static uint8_t late;  /* ... and ETIMEDOUT */
static uint32_t stale; /* slots, by their bits, that are settled and whose word has not changed */

/* ---- setting up -------------------------------------------------------------------------- */

/* A group is there already: fewer steps. */
static void warm_up(void)
{
    struct fs_wait wait;

    explore_require(
        fs_condition_join(&cond, &mutex.word, FS_MOVE_NEVER, FS_TABLE_PI, NULL, &wait) &&
            !fs_condition_retract(&wait),
        "no memory for a waiter");
    fs_condition_finish(&wait, false);
    fs_store_relaxed(&cond.queued, 0);
}

static void set_up(uint32_t kind)
{
    call_set_up(0, 2);
    call_init_mutex(&mutex, kind, "mutex");
    call_init_mutex(&second, kind, "second");
    explore_name(&cond, sizeof cond, "cond");
    watch_pi_start(&mutex.word, "mutex");
    warm_up();
    bucket = fs_bucket_of(&cond, FS_TABLE_PI);
    watch_pi_start(&bucket->lock, "bucket");
    watch_condition(&cond);
}

static void plain(void)
{
    set_up(FS_KIND_PI);
}

static void without_requeue_pi(void)
{
    plain();
    fs_settings.requeue_pi = false;
}

static void robust(void)
{
    set_up(FS_KIND_PI | FS_KIND_ROBUST | FS_KIND_SHARED);
}

static void recursive(void)
{
    set_up(FS_KIND_PI | FS_KIND_RECURSIVE);
}

static void with_two_mutexes(void)
{
    plain();
    watch_pi_start(&second.word, "second");
}

static void with_an_urgent_waiter(void)
{
    plain();
    explore_set_priority(1, 10);
}

/* ---- the invariants ------------------------------------------------------------------------ */

/* The slot that the word lies in; null: none. */
static const struct fs_slot *slot_at(const void *word)
{
    for (const struct fs_group *group = bucket->groups; group; group = group->next)
        if ((const char *)word >= (const char *)group->slots &&
            (const char *)word < (const char *)(group->slots + FS_GROUP_SLOTS))
            return &group->slots[((const char *)word - (const char *)group->slots) /
                                 sizeof group->slots[0]];
    return NULL;
}

static void check_release(const struct fs_slot *slot, unsigned by)
{
    explore_require(!(stale & slot->bit) && fs_load_relaxed(&slot->state) != FS_SLOT_WAITING,
                    "D2: a waiter goes on, and its word has not changed");
    explore_require(by == EXPLORE_NOBODY ||
                        (fs_load_relaxed(&bucket->lock) & FS_PI_TID_MASK) == explore_id_of(by),
                    "D3: thread %u lets a waiter go on without the bucket's lock", by);
}

static void observe_waiter(const struct fs_slot *slot, const struct explore_event *event)
{
    switch (event->kind) {
    case EVENT_WRITE:
        stale &= ~slot->bit;
        break;
    case EVENT_SLEEP:
        explore_require(explore_sleepers(&slot->pi_word) == BIT(event->thread),
                        "D1: two threads sleep on one waiter's word");
        break;
    case EVENT_MOVE:
        if (event->other == event->word)
            break; /* a call that begins anew */
        explore_require(event->other == slot->group->mutex, "D1: moved to another's mutex");
        check_release(slot, (unsigned)event->new);
        break;
    case EVENT_AWAKE:
        if (event->old == 0 && fs_settings.requeue_pi)
            check_release(slot, EXPLORE_NOBODY);
        break;
    case EVENT_WAKE:
        explore_require(!fs_settings.requeue_pi, "a waiter in FUTEX_WAIT_REQUEUE_PI is woken");
        break;
    default:
        break;
    }
}

static void observe(const struct explore_event *event)
{
    const struct fs_slot *slot = slot_at(event->word);

    if (event->kind == EVENT_DEATH && call_holder_of(&mutex) == event->thread)
        call_forget_others();
    watch_pi_observe(event);
    if (slot && event->word == &slot->pi_word) {
        observe_waiter(slot, event);
        return;
    }
    if (slot && event->kind == EVENT_WRITE && event->word == &slot->state &&
        event->new >= FS_SLOT_SIGNALLED)
        stale |= slot->bit;
    watch_group_observe(event);
}

static void check(void)
{
    watch_group_check();
    watch_pi_check();
}

static void finish(void)
{
    watch_group_finish();
    watch_pi_finish();
}

/* ---- waiting ---------------------------------------------------------------------------------- */

static void lock(void)
{
    int err = call_lock(&mutex);

    if (err == EOWNERDEAD)
        err = fs_mutex_make_consistent(&mutex, fs_mutex_kind(&mutex));
    explore_require(err == 0, "a lock gives %d", err);
}

static void unlock(void)
{
    explore_require(call_unlock(&mutex) == 0, "the holder cannot unlock");
}

static bool is_mine(void)
{
    return (fs_load_relaxed(&mutex.word) & FS_PI_TID_MASK) == fs_thread_id();
}

/* Returns whether it waited at all. */
static bool wait_for_ready(const struct fs_deadline *deadline)
{
    unsigned me = explore_self();
    int err;

    if (ready)
        return false;
    asked |= BIT(me);
    err = call_wait_until(&cond, &mutex, deadline);
    explore_require(is_mine(), "a wait returned without the mutex");
    asked &= (uint8_t)~BIT(me);
    if (err == EOWNERDEAD)
        err = fs_mutex_make_consistent(&mutex, fs_mutex_kind(&mutex));
    explore_require(err == 0 || (err == ETIMEDOUT && deadline), "a wait returned %d", err);
    explore_require(err != 0 || ready, "a wait returned, and nobody had signalled");
    if (err == 0)
        got |= BIT(me);
    else
        late |= BIT(me);
    return err == 0;
}

static void waits(void)
{
    lock();
    wait_for_ready(NULL);
    unlock();
}

static void waits_until(void)
{
    struct fs_deadline deadline = explore_deadline();

    lock();
    wait_for_ready(&deadline);
    unlock();
}

/* The only waiter takes it all away once it has gone on. */
static void waits_and_kills(void)
{
    bool waited;

    lock();
    waited = wait_for_ready(NULL);
    if (waited)
        explore_kill_memory(&cond, sizeof cond);
    unlock();
    if (!waited)
        return;
    watch_pi_end(&mutex.word);
    explore_kill_memory(&mutex, sizeof mutex);
}

static void gives_up_and_kills(void)
{
    struct fs_deadline deadline = explore_deadline();
    bool waited;

    lock();
    waited = wait_for_ready(&deadline);
    if (waited)
        explore_kill_memory(&cond, sizeof cond);
    unlock();
    if (!waited)
        return;
    watch_pi_end(&mutex.word);
    explore_kill_memory(&mutex, sizeof mutex);
}

/* Held twice, the mutex stays locked during the wait: an ordinary one, in the other table. */
static void waits_holding_twice(void)
{
    lock();
    lock();
    asked |= BIT(explore_self());
    explore_require(call_wait(&cond, &mutex) == 0, "a wait failed");
    explore_require(ready, "a wait returned, and nobody had signalled");
    explore_require(mutex.count == 2, "the mutex was held twice, and now %u times", mutex.count);
    unlock();
    unlock();
}

static void waits_with_second(void)
{
    call_lock(&second);
    explore_require(call_wait(&cond, &second) == 0, "a wait failed");
    explore_require(ready, "a wait returned, and nobody had signalled");
    call_unlock(&second);
}

static void waits_or_is_cancelled(void)
{
    int err = 0;

    lock();
    if (!ready)
        err = call_wait(&cond, &mutex);
    explore_require(err == CALL_CANCELLED || (err == 0 && ready), "a wait returned %d", err);
    explore_require(is_mine(), "a wait returned without the mutex");
    if (err == 0)
        got |= BIT(explore_self());
    unlock();
}

/* ---- signalling ------------------------------------------------------------------------------- */

static void signals_holding(void)
{
    lock();
    ready = true;
    call_signal(&cond);
    unlock();
}

static void signals_free(void)
{
    lock();
    ready = true;
    unlock();
    call_signal(&cond);
}

static void broadcasts_holding(void)
{
    lock();
    ready = true;
    call_broadcast(&cond);
    unlock();
}

static void broadcasts_free(void)
{
    lock();
    ready = true;
    unlock();
    call_broadcast(&cond);
}

static void broadcasts_when_quiet(void)
{
    explore_wait_until_quiet();
    ready = true;
    call_broadcast(&cond);
}

static void signals_twice(void)
{
    lock();
    ready = true;
    call_signal(&cond);
    unlock();
    call_signal(&cond);
}

/* One signal for two waiters, of which the first may give up. */
static void signals_one_of_two(void)
{
    uint8_t at_the_signal;

    lock();
    at_the_signal = asked;
    ready = true; /* for those that are there; others come for the broadcast, if at all */
    call_signal(&cond);
    unlock();
    explore_wait_until_quiet();
    explore_require(got != 3, "one signal ended two waits");
    explore_require(!(at_the_signal & BIT(1)) || got != 0,
                    "a waiter sleeps, and the signal it was entitled to is gone");
    broadcasts_holding();
}

static void signals_the_urgent(void)
{
    explore_wait_until_quiet();
    signals_holding();
    explore_wait_until_quiet();
    explore_require(got == BIT(1), "the signal went to %#x", got);
    broadcasts_holding();
}

/* Cancels, and signals: a signal for the cancelled one alone must not be used up by it. */
static void cancels(void)
{
    call_cancel(0);
}

static void signals_beside_a_cancellation(void)
{
    uint8_t at_the_signal;

    lock();
    at_the_signal = asked;
    ready = true;
    call_signal(&cond);
    unlock();
    explore_wait_until_quiet();
    explore_require(!(at_the_signal & BIT(1)) || got != 0, "a cancelled waiter took the signal");
    broadcasts_holding();
}

/* ---- owners that end, owners that wait ------------------------------------------------------------ */

/* A thread ends where its program lets it: with the mutex perhaps, but not inside a call on a
   condition variable. */
static void signals_and_ends(void)
{
    lock();
    ready = true;
    call_signal(&cond);
    explore_set_mortal(explore_self());
    explore_step("may end here");
    unlock();
}

static void holds_second_and_waits(void)
{
    call_lock(&second);
    waits();
    call_unlock(&second);
}

static void wants_second_for_a_while(void)
{
    struct fs_deadline deadline = explore_deadline();

    lock();
    if (fs_mutex_acquire(&second, FS_KIND_PI, FS_WAIT_UNTIL, &deadline) == 0)
        fs_mutex_release(&second, FS_KIND_PI);
    unlock();
}

static void signals_when_quiet(void)
{
    explore_wait_until_quiet();
    ready = true;
    call_signal(&cond);
}

#define WATCH .check = check, .observe = observe, .finish = finish
#define ALL EXPLORE_EXHAUSTIVE

const struct explore_scenario condition_pi_scenarios[] = {
    {.name = "condition-pi/signal-holding", .about = "a signal under the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = plain,
     .thread = {waits, signals_holding}, WATCH},
    {.name = "condition-pi/signal-free", .about = "a signal after the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = plain,
     .thread = {waits, signals_free}, WATCH},
    {.name = "condition-pi/no-requeue-holding", .about = "the kernel has no requeue: plain sleeps",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = without_requeue_pi,
     .thread = {waits, signals_holding}, WATCH},
    {.name = "condition-pi/no-requeue-timed", .about = "the same with a deadline, a free signal",
     .world = {.timeouts = 1}, .bound = ALL, .start = without_requeue_pi,
     .thread = {waits_until, signals_free}, WATCH},
    {.name = "condition-pi/timed-holding", .about = "a deadline against a signal",
     .world = {.timeouts = 1, .interrupts = 1}, .bound = ALL, .start = plain,
     .thread = {waits_until, signals_holding}, WATCH},
    {.name = "condition-pi/timed-free", .about = "a deadline against a signal after the mutex",
     .world = {.timeouts = 1, .interrupts = 1}, .bound = ALL, .start = plain,
     .thread = {waits_until, signals_free}, WATCH},
    {.name = "condition-pi/freed", .about = "the waiter frees everything; a signal after the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = plain,
     .thread = {waits_and_kills, signals_free}, WATCH},
    {.name = "condition-pi/freed-holding", .about = "the same, a signal under the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = plain,
     .thread = {waits_and_kills, signals_holding}, WATCH},
    {.name = "condition-pi/freed-no-requeue", .about = "the same without requeue",
     .world = {.spurious = 1}, .bound = ALL, .start = without_requeue_pi,
     .thread = {waits_and_kills, signals_free}, WATCH},
    {.name = "condition-pi/freed-timed", .about = "the same with a deadline",
     .world = {.timeouts = 1, .interrupts = 1}, .bound = ALL, .start = plain,
     .thread = {gives_up_and_kills, signals_free}, WATCH},
    {.name = "condition-pi/two-signals", .about = "two waiters, one signal inside, one outside",
     .bound = 2, .full_bound = ALL, .start = plain, .thread = {waits, waits, signals_twice}, WATCH},
    {.name = "condition-pi/one-signal", .about = "one signal, two waiters, one may give up",
     .world = {.timeouts = 1}, .bound = 2, .full_bound = 4, .start = plain,
     .thread = {waits_until, waits, signals_one_of_two}, WATCH},
    {.name = "condition-pi/broadcast-holding", .about = "two waiters",
     .world = {.interrupts = 1}, .bound = 2, .full_bound = ALL, .start = plain,
     .thread = {waits, waits, broadcasts_holding}, WATCH},
    {.name = "condition-pi/broadcast-free", .about = "two waiters, one with a deadline",
     .world = {.timeouts = 1}, .bound = 2, .full_bound = ALL, .start = plain,
     .thread = {waits_until, waits, broadcasts_free}, WATCH},
    {.name = "condition-pi/urgent", .about = "the waiter of higher priority is chosen",
     .bound = 2, .full_bound = ALL, .start = with_an_urgent_waiter,
     .thread = {waits, waits, signals_the_urgent}, WATCH},
    {.name = "condition-pi/two-mutexes", .about = "two waiters with different mutexes",
     .bound = 2, .full_bound = ALL, .start = with_two_mutexes,
     .thread = {waits, waits_with_second, broadcasts_when_quiet}, WATCH},
    {.name = "condition-pi/recursive", .about = "a mutex that stays locked in the wait",
     .bound = ALL, .start = recursive, .thread = {waits_holding_twice, broadcasts_when_quiet},
     WATCH},
    {.name = "condition-pi/cancelled", .about = "a cancellation against a signal",
     .bound = ALL, .start = plain, .thread = {waits_or_is_cancelled, cancels, signals_holding},
     WATCH},
    {.name = "condition-pi/cancelled-beside", .about = "... and another waiter",
     .bound = 1, .full_bound = 2, .start = plain,
     .thread = {waits_or_is_cancelled, waits, signals_beside_a_cancellation, cancels}, WATCH},
    {.name = "condition-pi/robust", .about = "the signaller ends with the mutex",
     .world = {.deaths = 1}, .bound = ALL, .start = robust,
     .thread = {waits, signals_and_ends}, WATCH},
    {.name = "condition-pi/robust-two", .about = "the same with two waiters",
     .world = {.deaths = 1}, .bound = 2, .full_bound = 3, .start = robust,
     .thread = {waits, signals_and_ends, waits, broadcasts_when_quiet}, WATCH},
    {.name = "condition-pi/cycle", .about = "known: moving the waiter would close a cycle",
     .world = {.timeouts = 1}, .needs_timeout = true, .bound = ALL, .must_fail = true,
     .finds = "deadlock: thread 0 sleeps", .start = with_two_mutexes,
     .thread = {holds_second_and_waits, wants_second_for_a_while, signals_when_quiet}, WATCH},
    {.name = NULL},
};
