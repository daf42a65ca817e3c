/* SPDX-License-Identifier: MIT */
/* Scenarios that were missing when mutants.toml was tried: each is here for a mistake that no other
   scenario passes by. They are not about one subject. */
#include "explore.h"
#include "scenarios/calls.h"
#include "scenarios/watch_group.h"
#include "scenarios/watch_robust.h"

#define ROBUST (FS_KIND_ROBUST | FS_KIND_SHARED)
#define BIT(thread) ((uint8_t)(1u << (thread)))
#define WATCH_GROUP                                                                                \
    .check = watch_group_check, .observe = watch_group_observe, .finish = watch_group_finish
#define WATCH_ROBUST .check = watch_robust_check, .observe = watch_robust_observe

static struct fs_mutex mutex;
static struct fs_mutex second;
static struct fs_condition cond;

static bool ready; /* what is waited for; under the mutex */

static void set_up(unsigned processors)
{
    call_set_up(0, processors);
    explore_name(&cond, sizeof cond, "cond");
}

/* ---- cancelled and signalled ------------------------------------------------------------- */

static uint8_t got; /* whose waits have returned 0 */

static void with_two_mutexes(void)
{
    set_up(2);
    call_init_mutex(&mutex, FS_KIND_NORMAL, "mutex");
    call_init_mutex(&second, FS_KIND_NORMAL, "second");
    call_warm_up(&cond, &mutex);
    watch_condition(&cond);
    watch_condition_mutex(&mutex);
    watch_condition_mutex(&second);
}

static void wait_perhaps(struct fs_mutex *m)
{
    call_lock(m);
    if (call_wait(&cond, m) == 0)
        got |= BIT(explore_self());
    call_unlock(m);
}

static void waits_or_is_cancelled(void)
{
    wait_perhaps(&mutex);
}

/* With a mutex of its own, so that it may come while the other is about to wait. */
static void waits_beside(void)
{
    wait_perhaps(&second);
}

static bool second_waits(void)
{
    const void *on = explore_asleep_on(1);

    return on && on != &fs_bucket_of(&cond, FS_TABLE_PLAIN)->lock;
}

static void cancels_and_signals(void)
{
    bool is_somebodys;

    call_cancel(0);
    explore_wait_until_asleep(1);
    is_somebodys = second_waits();
    call_signal(&cond);
    explore_wait_until_quiet();
    explore_require(got != 0 || !is_somebodys, "the signal is gone with who was cancelled");
    call_broadcast(&cond);
}

/* ---- groups that nobody leads ------------------------------------------------------------ */

/* Four waiters with two mutexes: two groups, each too large to wake all. */
static void two_groups(void)
{
    set_up(1);
    call_init_mutex(&mutex, FS_KIND_NORMAL, "mutex");
    call_init_mutex(&second, FS_KIND_NORMAL, "second");
    for (unsigned i = 0; i < 4; i++)
        call_join_for(i, &cond, i < 2 ? &mutex : &second);
    watch_condition(&cond);
    watch_condition_mutex(&mutex);
    watch_condition_mutex(&second);
}

/* A private move does not find those who sleep for a process-shared mutex again. */
static void of_a_shared_mutex(void)
{
    set_up(1);
    call_init_mutex(&mutex, FS_KIND_SHARED, "mutex");
    for (unsigned i = 0; i < 2; i++)
        call_join_for(i, &cond, &mutex);
    watch_condition(&cond);
    watch_condition_mutex(&mutex);
}

/* The second keeps the mutex through its wait, and the first cannot have it. */
static void of_a_recursive_mutex(void)
{
    set_up(1);
    call_init_mutex(&mutex, FS_KIND_RECURSIVE, "mutex");
    call_join_for(0, &cond, &mutex);
    watch_condition(&cond);
    watch_condition_mutex(&mutex);
}

static void waits_two_deep(void)
{
    call_lock(&mutex);
    call_lock(&mutex);
    explore_require(call_wait(&cond, &mutex) == 0, "a wait failed");
    call_unlock(&mutex);
    call_unlock(&mutex);
}

static void wait_on_with(struct fs_mutex *m)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    explore_require(ready, "a wait returned, and nobody had signalled");
    call_unlock(m);
}

static void waits_on(void)
{
    wait_on_with(&mutex);
}

static void waits_on_for_second(void)
{
    wait_on_with(&second);
}

static void broadcasts_to_sleepers(void)
{
    for (unsigned i = 0; i < explore_self(); i++)
        explore_wait_until_asleep(i);
    ready = true;
    call_broadcast(&cond);
}

/* ---- hints that are wrong ------------------------------------------------------------------ */

/* As a waiter leaves it that has timed out. */
static void leave_hint(uint32_t bit)
{
    fs_store_relaxed(&cond.queued, fs_load_relaxed(&cond.queued) | bit);
}

static void nobody_and_a_hint(void)
{
    set_up(2);
    call_init_mutex(&mutex, FS_KIND_NORMAL, "mutex");
    call_warm_up(&cond, &mutex);
    leave_hint(FS_CONDITION_QUEUED_PLAIN);
    watch_condition(&cond);
    watch_condition_mutex(&mutex);
}

static void waits_until_ready(void)
{
    call_lock(&mutex);
    while (!ready)
        explore_require(call_wait(&cond, &mutex) == 0, "a wait failed");
    call_unlock(&mutex);
}

static void signals_twice(void)
{
    call_signal(&cond);
    call_lock(&mutex);
    ready = true;
    call_unlock(&mutex);
    call_signal(&cond);
}

/* The waiter has a PI mutex; that others wait with an ordinary one is not true any more. */
static void one_of_pi_and_a_hint(void)
{
    set_up(2);
    call_init_mutex(&mutex, FS_KIND_PI, "mutex");
    call_join_for(0, &cond, &mutex);
    leave_hint(FS_CONDITION_QUEUED_PLAIN);
}

static void waits_and_kills(void)
{
    explore_require(call_wait_on(NULL) == 0, "a wait failed");
    explore_kill_memory(&cond, sizeof cond);
    call_unlock(&mutex);
}

static void broadcasts(void)
{
    call_broadcast(&cond);
}

/* Waiters of both tables, whose locks are two. */
static void of_both_tables(void)
{
    set_up(2);
    call_init_mutex(&mutex, FS_KIND_PI, "mutex");
    call_init_mutex(&second, FS_KIND_NORMAL, "second");
    call_warm_up(&cond, &mutex);
    call_warm_up(&cond, &second);
    fs_store_relaxed(&cond.queued, 0);
    watch_condition(&cond);
    watch_condition_mutex(&second);
}

/* ---- heirs of a robust mutex ----------------------------------------------------------------- */

static bool works;     /* the first thread is between its lock and its unlock */
static bool inherited; /* the second was told of its death */

/* Besides the first, one of those who sleep may die, also on the way from there to the mutex. */
static void four_with_two_mortals(void)
{
    set_up(2);
    watch_robust_start(&mutex, ROBUST, "mutex");
    explore_set_mortal(0);
    explore_set_mortal(1);
}

static void one_mortal(void)
{
    set_up(2);
    watch_robust_start(&mutex, ROBUST, "mutex");
    explore_set_mortal(0);
}

/* Releases when all others sleep: see robust.c on what the kernel does not notice. */
static void visits_and_lets_others_sleep(void)
{
    bool died;

    if (!watch_robust_enter(&mutex, FS_WAIT_FOREVER, NULL, &died))
        return;
    if (died)
        watch_robust_mend(&mutex);
    for (unsigned i = 0; i < 4; i++)
        if (i != explore_self())
            explore_wait_until_asleep(i);
    watch_robust_leave(&mutex);
}

static void visits_and_may_die(void)
{
    bool died;

    if (!watch_robust_enter(&mutex, FS_WAIT_FOREVER, NULL, &died))
        return;
    works = true;
    watch_robust_work(&mutex);
    works = false;
    watch_robust_leave(&mutex);
}

static void inherits_and_mends(void)
{
    if (!watch_robust_enter(&mutex, FS_WAIT_FOREVER, NULL, &inherited))
        return;
    if (inherited)
        watch_robust_mend(&mutex);
    watch_robust_work(&mutex);
    watch_robust_leave(&mutex);
}

/* What one has counted who dies at his work, his heir takes back. */
static void finish_counted(void)
{
    watch_robust_finish();
    explore_require(!works || !inherited || mutex.nusers == 0, "M2: nusers is %u in the end",
                    mutex.nusers);
}

/* clang-format off */
const struct explore_scenario extra_scenarios[] = {
    {.name = "extra/cancelled-and-signalled", .about = "a cancellation and a signal as the wait begins",
     .bound = 2, .full_bound = 4, .start = with_two_mutexes,
     .thread = {waits_or_is_cancelled, waits_beside, cancels_and_signals}, WATCH_GROUP},
    {.name = "extra/two-led-groups", .about = "a broadcast to waiters with two mutexes, too many to wake all",
     .bound = 1, .full_bound = 3, .start = two_groups,
     .thread = {waits_on, waits_on, waits_on_for_second, waits_on_for_second,
                broadcasts_to_sleepers}, WATCH_GROUP},
    {.name = "extra/of-a-shared-mutex", .about = "a broadcast to those who wait with a process-shared mutex",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = of_a_shared_mutex,
     .thread = {waits_on, waits_on, broadcasts_to_sleepers}, WATCH_GROUP},
    {.name = "extra/of-a-recursive-mutex", .about = "a broadcast to one that keeps the mutex, and to another",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = of_a_recursive_mutex,
     .thread = {waits_on, waits_two_deep, broadcasts_to_sleepers}, WATCH_GROUP},
    {.name = "extra/hint-of-nobody", .about = "a signal finds nobody while another comes to wait",
     .bound = EXPLORE_EXHAUSTIVE, .start = nobody_and_a_hint,
     .thread = {waits_until_ready, signals_twice}, WATCH_GROUP},
    {.name = "extra/hint-of-the-other-table", .about = "a PI waiter frees it, a broadcaster looks for others",
     .bound = EXPLORE_EXHAUSTIVE, .start = one_of_pi_and_a_hint,
     .thread = {waits_and_kills, broadcasts}},
    {.name = "extra/hints-of-both-tables", .about = "two begin to wait, one of them with a PI mutex",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE, .start = of_both_tables,
     .thread = {waits_or_is_cancelled, waits_beside, broadcasts_to_sleepers}, WATCH_GROUP},
    {.name = "extra/heir-beside-sleepers", .about = "the owner dies, another locks, the woken sleeper dies",
     .world = {.deaths = 2}, .bound = 1, .full_bound = 3, .start = four_with_two_mortals,
     .thread = {visits_and_lets_others_sleep, visits_and_lets_others_sleep,
                visits_and_lets_others_sleep, visits_and_lets_others_sleep},
     WATCH_ROBUST, .finish = watch_robust_finish},
    {.name = "extra/heir-is-counted-once", .about = "nusers after a death",
     .world = {.deaths = 1}, .bound = EXPLORE_EXHAUSTIVE, .start = one_mortal,
     .thread = {visits_and_may_die, inherits_and_mends}, WATCH_ROBUST, .finish = finish_counted},
    {0},
};
/* clang-format on */
