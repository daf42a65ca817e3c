/* SPDX-License-Identifier: MIT */
/* Scenarios of the robust mutex with priority inheritance: the kernel hands it over at a death, and
   the new owner is told. What the callers may be told is watch_robust.c's, what the word must look
   like watch_pi.c's. */
#include "explore.h"
#include "lock/mutex.h"
#include "lock/settings.h"
#include "scenarios/watch_pi.h"
#include "scenarios/watch_robust.h"

#define ROBUST (FS_KIND_PI | FS_KIND_ROBUST | FS_KIND_SHARED)

static struct fs_mutex mutex;

static void start_robust(void)
{
    fs_settings = (struct fs_settings){.processors = 2};
    watch_robust_start(&mutex, ROBUST, "mutex");
    watch_pi_start(&mutex.word, "mutex");
}

static void start_robust_mortal(void)
{
    start_robust();
    explore_set_mortal(0);
}

static void start_robust_mortals(void)
{
    start_robust_mortal();
    explore_set_mortal(1);
}

static void start_robust_recursive(void)
{
    start_robust_mortal();
    fs_store_relaxed(&mutex.kind, ROBUST | FS_KIND_RECURSIVE);
}

static void visit_robust(enum fs_wait_mode mode, const struct fs_deadline *deadline)
{
    bool died;

    if (!watch_robust_enter(&mutex, mode, deadline, &died))
        return;
    explore_require(!(fs_load_relaxed(&mutex.word) & FS_PI_OWNER_DIED), "P2: OWNER_DIED is set");
    if (died && explore_choose(2, "mends the mutex or not") == 0)
        watch_robust_mend(&mutex);
    watch_robust_work(&mutex);
    watch_robust_leave(&mutex);
}

static void heir(void)
{
    visit_robust(FS_WAIT_FOREVER, NULL);
}

static void trying_heir(void)
{
    visit_robust(FS_WAIT_NEVER, NULL);
}

/* The only other thread has ended, or is dead. */
static void last_heir(void)
{
    bool died;

    explore_wait_until_quiet();
    explore_require(watch_robust_enter(&mutex, FS_WAIT_NEVER, NULL, &died),
                    "a try fails although nobody has the mutex");
    watch_robust_leave(&mutex);
}

static void timed_heir(void)
{
    struct fs_deadline deadline = explore_deadline();

    visit_robust(FS_WAIT_UNTIL, &deadline);
}

static void heir_twice(void)
{
    heir();
    heir();
}

static void recursive_heir(void)
{
    bool died, again;

    if (!watch_robust_enter(&mutex, FS_WAIT_FOREVER, NULL, &died))
        return;
    explore_require(watch_robust_enter(&mutex, FS_WAIT_FOREVER, NULL, &again), "no second level");
    if (died)
        watch_robust_mend(&mutex);
    watch_robust_work(&mutex);
    watch_robust_leave(&mutex);
    watch_robust_leave(&mutex);
}

static void observe_robust(const struct explore_event *event)
{
    watch_pi_observe(event);
    watch_robust_observe(event);
}

static void check_robust(void)
{
    watch_pi_check();
    watch_robust_check();
}

#define WATCHED .check = check_robust, .observe = observe_robust, .finish = watch_robust_finish
#define ALL EXPLORE_EXHAUSTIVE

/* clang-format off */
const struct explore_scenario pi_robust_scenarios[] = {
    {.name = "pi-robust/two", .about = "nobody dies", .bound = ALL, .start = start_robust,
     .thread = {heir_twice, heir}, WATCHED},
    {.name = "pi-robust/owner-dies", .about = "at any access; one heir",
     .world = {.deaths = 1}, .bound = ALL, .start = start_robust_mortal,
     .thread = {heir, heir_twice}, WATCHED},
    {.name = "pi-robust/owner-of-two-dies", .about = "at any access; two heirs",
     .world = {.deaths = 1}, .bound = ALL, .start = start_robust_mortal,
     .thread = {heir, heir, heir}, WATCHED},
    {.name = "pi-robust/two-die", .about = "the first heir too",
     .world = {.deaths = 2}, .bound = ALL, .start = start_robust_mortals,
     .thread = {heir, heir, heir}, WATCHED},
    {.name = "pi-robust/recursive", .about = "the owner dies at any depth",
     .world = {.deaths = 1}, .bound = ALL, .start = start_robust_recursive,
     .thread = {recursive_heir, recursive_heir}, WATCHED},
    {.name = "pi-robust/try", .about = "a try beside an owner that dies, and a sleeper",
     .world = {.deaths = 1}, .bound = ALL, .start = start_robust_mortal,
     .thread = {heir, trying_heir, heir}, WATCHED},
    {.name = "pi-robust/try-last", .about = "a try after an owner that has died or not",
     .world = {.deaths = 1}, .bound = ALL, .start = start_robust_mortal,
     .thread = {heir, last_heir}, WATCHED},
    {.name = "pi-robust/asked-again", .about = "the kernel asks to try again while the owner dies",
     .world = {.deaths = 1, .retries = 1}, .bound = ALL, .start = start_robust_mortal,
     .thread = {heir, trying_heir, heir}, WATCHED},
    {.name = "pi-robust/timed", .about = "a sleeper gives up as the owner dies",
     .world = {.deaths = 1, .timeouts = 1}, .bound = ALL, .start = start_robust_mortal,
     .thread = {heir, timed_heir, heir}, WATCHED},
    {.name = NULL},
};
