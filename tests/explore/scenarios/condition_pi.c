/* SPDX-License-Identifier: MIT */
/* Waiting with a mutex that has priority inheritance: the kernel gives the mutex to whom a signal
   chose, or queues him there. Here one waiter; several in condition_pi_several.c. A wake-up that
   nobody meant, and a signal that went to nobody, are failures, as in condition.c. */
#include "scenarios/condition_pi_parts.h"
#include "scenarios/watch_pi.h"

static bool died; /* the last to lock was told of a death */

static void without_requeue_pi(void)
{
    part_plain();
    fs_settings.requeue_pi = false;
}

static void recursive(void)
{
    part_set_up(FS_KIND_PI | FS_KIND_RECURSIVE);
}

/* The only waiter takes it all away once it has gone on. */
static void waits_and_kills(void)
{
    bool waited;

    part_lock();
    waited = part_wait_for_ready(NULL);
    if (waited)
        explore_kill_memory(&part_cond, sizeof part_cond);
    part_unlock();
    if (!waited)
        return;
    watch_pi_end(&part_mutex.word);
    explore_kill_memory(&part_mutex, sizeof part_mutex);
}

static void gives_up_and_kills(void)
{
    struct fs_deadline deadline = explore_deadline();
    bool waited;

    part_lock();
    waited = part_wait_for_ready(&deadline);
    if (waited)
        explore_kill_memory(&part_cond, sizeof part_cond);
    part_unlock();
    if (!waited)
        return;
    watch_pi_end(&part_mutex.word);
    explore_kill_memory(&part_mutex, sizeof part_mutex);
}

static void recursive_robust(void)
{
    part_set_up(FS_KIND_PI | FS_KIND_RECURSIVE | FS_KIND_ROBUST | FS_KIND_SHARED);
}

/* Held twice, the mutex stays locked during the wait: an ordinary one, in the other table. */
static void waits_holding_twice(void)
{
    part_lock();
    part_lock();
    part_asked |= PART_BIT(explore_self());
    explore_require(call_wait(&part_cond, &part_mutex) == 0, "a wait failed");
    explore_require(part_ready, "a wait returned, and nobody had signalled");
    explore_require(part_mutex.count == 2, "the mutex was held twice, and now %u times",
                    part_mutex.count);
    part_unlock();
    part_unlock();
}

/* The same while it is not consistent: its owner field does not name the holder. */
static void inherits_and_waits_holding_twice(void)
{
    int err;

    explore_wait_until_quiet();
    err = call_lock(&part_mutex);
    explore_require(err == 0 || err == EOWNERDEAD, "a lock gives %d", err);
    part_lock();
    part_asked |= PART_BIT(explore_self());
    explore_require(call_wait(&part_cond, &part_mutex) == 0, "a wait failed");
    explore_require(part_ready, "a wait returned, and nobody had signalled");
    part_unlock();
    if (err == EOWNERDEAD)
        fs_mutex_make_consistent(&part_mutex, fs_mutex_kind(&part_mutex));
    part_unlock();
}

static void signals_without_the_mutex_when_quiet(void)
{
    explore_wait_until_asleep(0);
    part_ready = true;
    call_signal(&part_cond);
}

/* ---- a mutex that is lost ------------------------------------------------------------ */

static void ends_inside(void)
{
    part_lock();
    explore_set_mortal(explore_self());
    explore_step("may end here");
    part_unlock();
}

/* After a death, nobody gets the mutex any more. */
static void signals_and_does_not_mend(void)
{
    explore_wait_until_quiet();
    died = call_lock(&part_mutex) == EOWNERDEAD;
    part_ready = true;
    call_signal(&part_cond);
    part_unlock();
}

static void waits_in_vain(void)
{
    int err = call_lock(&part_mutex);

    if (err == EOWNERDEAD)
        err = fs_mutex_make_consistent(&part_mutex, fs_mutex_kind(&part_mutex));
    if (err == ENOTRECOVERABLE)
        return;
    explore_require(err == 0, "a lock gives %d", err);
    if (!part_ready)
        err = call_wait(&part_cond, &part_mutex);
    explore_require(err == (died ? ENOTRECOVERABLE : 0), "a wait returned %d", err);
    if (err == 0)
        part_unlock();
}

/* clang-format off */
const struct explore_scenario condition_pi_scenarios[] = {
    {.name = "condition-pi/signal-holding", .about = "a signal under the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = part_plain,
     .thread = {part_waits, part_signals_holding}, WATCH},
    {.name = "condition-pi/signal-free", .about = "a signal after the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = part_plain,
     .thread = {part_waits, part_signals_free}, WATCH},
    {.name = "condition-pi/no-requeue-holding", .about = "the kernel has no requeue: plain sleeps",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = without_requeue_pi,
     .thread = {part_waits, part_signals_holding}, WATCH},
    {.name = "condition-pi/no-requeue-timed", .about = "the same with a deadline, a free signal",
     .world = {.timeouts = 1}, .bound = ALL, .start = without_requeue_pi,
     .thread = {part_waits_until, part_signals_free}, WATCH},
    {.name = "condition-pi/timed-holding", .about = "a deadline against a signal",
     .world = {.timeouts = 1, .interrupts = 1}, .bound = ALL, .start = part_plain,
     .thread = {part_waits_until, part_signals_holding}, WATCH},
    {.name = "condition-pi/timed-free", .about = "a deadline against a signal after the mutex",
     .world = {.timeouts = 1, .interrupts = 1}, .bound = ALL, .start = part_plain,
     .thread = {part_waits_until, part_signals_free}, WATCH},
    {.name = "condition-pi/freed", .about = "the waiter frees everything; a signal after the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = part_plain,
     .thread = {waits_and_kills, part_signals_free}, WATCH},
    {.name = "condition-pi/freed-holding", .about = "the same, a signal under the mutex",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = part_plain,
     .thread = {waits_and_kills, part_signals_holding}, WATCH},
    {.name = "condition-pi/freed-no-requeue", .about = "the same without requeue",
     .world = {.spurious = 1}, .bound = ALL, .start = without_requeue_pi,
     .thread = {waits_and_kills, part_signals_free}, WATCH},
    {.name = "condition-pi/freed-timed", .about = "the same with a deadline",
     .world = {.timeouts = 1, .interrupts = 1}, .bound = ALL, .start = part_plain,
     .thread = {gives_up_and_kills, part_signals_free}, WATCH},
    {.name = "condition-pi/asked-again-holding", .about = "the kernel asks to try again",
     .world = {.retries = 2, .interrupts = 1}, .bound = ALL, .start = part_plain,
     .thread = {part_waits, part_signals_holding}, WATCH},
    {.name = "condition-pi/asked-again-free", .about = "the same, a signal after the mutex",
     .world = {.retries = 2, .timeouts = 1}, .bound = ALL, .start = part_plain,
     .thread = {part_waits_until, part_signals_free}, WATCH},
    {.name = "condition-pi/recursive", .about = "a mutex that stays locked in the wait",
     .bound = ALL, .start = recursive, .thread = {waits_holding_twice, part_broadcasts_when_quiet},
     WATCH},
    {.name = "condition-pi/cancelled", .about = "a cancellation against a signal",
     .bound = ALL, .start = part_plain,
     .thread = {part_waits_or_is_cancelled, part_cancels_first, part_signals_holding}, WATCH},
    {.name = "condition-pi/robust", .about = "the signaller ends with the mutex",
     .world = {.deaths = 1}, .bound = ALL, .start = part_robust,
     .thread = {part_waits, part_signals_and_ends}, WATCH},
    {.name = "condition-pi/inconsistent-recursive", .about = "held twice, and not consistent",
     .world = {.deaths = 1}, .bound = ALL, .start = recursive_robust,
     .thread = {inherits_and_waits_holding_twice, signals_without_the_mutex_when_quiet,
                ends_inside}, WATCH},
    {.name = "condition-pi/unrecoverable", .about = "the signaller gives up the mutex for good",
     .world = {.deaths = 1}, .bound = ALL, .start = part_robust,
     .thread = {waits_in_vain, ends_inside, signals_and_does_not_mend}, WATCH},
    {.name = NULL},
};
