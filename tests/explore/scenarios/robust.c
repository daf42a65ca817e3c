/* SPDX-License-Identifier: MIT */
/* Scenarios of the robust mutex: owners, heirs and sleepers die at any access, and whoever is left
   is told so and does not sleep for ever. What may be told when is watch_robust.c's.

   One hang is the kernel protocol's own and has a control below: an owner that dies between its
   releasing store and its wake is noticed by the kernel only while the word is still free. If
   another thread has taken the word by then, nobody knows of the sleepers. Elsewhere mortal owners
   therefore release only when all others sleep already. */
#include <errno.h>

#include "explore.h"
#include "lock/mutex.h"
#include "lock/settings.h"
#include "scenarios/watch_robust.h"

#define ROBUST (FS_KIND_ROBUST | FS_KIND_SHARED)

static struct fs_mutex mutex;
static struct fs_mutex other;
static uint8_t threads; /* in a crowd: how many */

/* ---- setting up --------------------------------------------------------------------- */

static void set_up(uint32_t kind, unsigned spin, unsigned mortals)
{
    fs_settings = (struct fs_settings){.spin = spin, .processors = 2};
    watch_robust_start(&mutex, kind, "mutex");
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (mortals & (1u << i))
            explore_set_mortal(i);
}

#define START(name, kind, spin, mortals)                                                           \
    static void name(void)                                                                         \
    {                                                                                              \
        set_up(kind, spin, mortals);                                                               \
    }
START(all_live, ROBUST, 0, 0)
START(spinning, ROBUST, 1, 0)
START(first_is_mortal, ROBUST, 0, 1)
START(both_are_mortal, ROBUST, 0, 3)
START(recursive, ROBUST | FS_KIND_RECURSIVE, 0, 1)

static void crowd(unsigned size, unsigned mortals)
{
    set_up(ROBUST, 0, mortals);
    threads = (uint8_t)size;
}

static void three_with_mortal_first(void)
{
    crowd(3, 1);
}

static void three_with_mortal_second(void)
{
    crowd(3, 2);
}

static void three_with_two_mortals(void)
{
    crowd(3, 3);
}

static void four_with_mortal_first(void)
{
    crowd(4, 1);
}

static void four_with_two_mortals(void)
{
    crowd(4, 3);
}

static void two_mutexes(void)
{
    set_up(ROBUST, 0, 1);
    watch_robust_start(&other, ROBUST, "other");
}

/* ---- thread functions --------------------------------------------------------------- */

static void wait_until_all_sleep(void)
{
    for (unsigned i = 0; i < threads; i++)
        if (i != explore_self())
            explore_wait_until_asleep(i);
}

/* Declares the mutex consistent, or does not. */
static void mend_perhaps(void)
{
    if (explore_choose(2, "mends the mutex or not") == 0)
        watch_robust_mend(&mutex);
}

static void visit(enum fs_wait_mode mode, const struct fs_deadline *deadline)
{
    bool died;

    if (!watch_robust_enter(&mutex, mode, deadline, &died))
        return;
    if (died)
        mend_perhaps();
    watch_robust_work(&mutex);
    wait_until_all_sleep();
    watch_robust_leave(&mutex);
}

static void visitor(void)
{
    visit(FS_WAIT_FOREVER, NULL);
}

static void visitor_twice(void)
{
    visitor();
    visitor();
}

static void trier(void)
{
    visit(FS_WAIT_NEVER, NULL);
}

/* The only other thread has ended, or is dead. */
static void last_trier(void)
{
    bool died;

    explore_wait_until_quiet();
    explore_require(watch_robust_enter(&mutex, FS_WAIT_NEVER, NULL, &died),
                    "a try fails although nobody has the mutex");
    watch_robust_leave(&mutex);
}

/* Comes only when the mutex is a dead owner's, perhaps before the sleeper woken by that death. */
static void heir_in_passing(void)
{
    if (fs_load_relaxed(&mutex.word) & FS_PI_OWNER_DIED)
        trier();
}

static void timed_visitor(void)
{
    struct fs_deadline deadline = explore_deadline();

    visit(FS_WAIT_UNTIL, &deadline);
}

static void careless_visitor(void)
{
    bool died;

    if (!watch_robust_enter(&mutex, FS_WAIT_FOREVER, NULL, &died))
        return;
    watch_robust_work(&mutex);
    wait_until_all_sleep();
    watch_robust_leave(&mutex);
}

static void recursive_visitor(void)
{
    bool died, again;

    if (!watch_robust_enter(&mutex, FS_WAIT_FOREVER, NULL, &died))
        return;
    explore_require(watch_robust_enter(&mutex, FS_WAIT_NEVER, NULL, &again), "no second level");
    watch_robust_work(&mutex);
    watch_robust_leave(&mutex);
    if (died)
        mend_perhaps();
    watch_robust_work(&mutex);
    watch_robust_leave(&mutex);
}

/* Both at a time; the list loses its older entry first, or its newer. */
static void holder_of_two(void)
{
    bool died, other_died;

    explore_require(watch_robust_enter(&mutex, FS_WAIT_FOREVER, NULL, &died), "no first mutex");
    if (died)
        watch_robust_mend(&mutex);
    explore_require(watch_robust_enter(&other, FS_WAIT_FOREVER, NULL, &other_died),
                    "no second mutex");
    if (other_died)
        watch_robust_mend(&other);
    watch_robust_work(&other);
    if (explore_choose(2, "which it releases first") == 0) {
        watch_robust_leave(&mutex);
        watch_robust_leave(&other);
    } else {
        watch_robust_leave(&other);
        watch_robust_leave(&mutex);
    }
}

#define WATCHED                                                                                    \
    .check = watch_robust_check, .observe = watch_robust_observe, .finish = watch_robust_finish
#define ALL EXPLORE_EXHAUSTIVE

/* clang-format off */
const struct explore_scenario robust_scenarios[] = {
    {.name = "robust/two", .about = "nobody dies; two rounds of one",
     .world = {.spurious = 1, .interrupts = 1}, .bound = ALL, .start = all_live,
     .thread = {visitor_twice, visitor}, WATCHED},
    {.name = "robust/three", .about = "nobody dies; whoever has slept locks with WAITERS",
     .world = {.spurious = 1}, .bound = ALL, .start = all_live,
     .thread = {visitor, visitor, visitor}, WATCHED},
    {.name = "robust/spinning", .about = "one look in vain before the sleep",
     .bound = ALL, .start = spinning, .thread = {visitor, visitor}, WATCHED},
    {.name = "robust/owner-dies", .about = "at any access; one heir",
     .world = {.deaths = 1, .spurious = 1}, .bound = ALL, .start = first_is_mortal,
     .thread = {visitor, visitor_twice}, WATCHED},
    {.name = "robust/owner-dies-in-rounds", .about = "the same, in either of two rounds",
     .world = {.deaths = 1}, .bound = ALL, .start = first_is_mortal,
     .thread = {visitor_twice, visitor}, WATCHED},
    {.name = "robust/both-die", .about = "the heir too",
     .world = {.deaths = 2}, .bound = ALL, .start = both_are_mortal,
     .thread = {visitor, visitor}, WATCHED},
    {.name = "robust/owner-of-sleepers-dies", .about = "two sleep behind it, one is told",
     .world = {.deaths = 1}, .bound = ALL, .start = three_with_mortal_first,
     .thread = {visitor, visitor, visitor}, WATCHED},
    {.name = "robust/unrecoverable", .about = "the heir does not mend it: all others are refused",
     .world = {.deaths = 1, .spurious = 1}, .bound = ALL, .start = three_with_mortal_first,
     .thread = {visitor, careless_visitor, careless_visitor}, WATCHED},
    {.name = "robust/unrecoverable-four", .about = "two sleepers are refused at once",
     .world = {.deaths = 1}, .bound = 1, .full_bound = ALL, .start = four_with_mortal_first,
     .thread = {visitor, careless_visitor, careless_visitor, careless_visitor}, WATCHED},
    {.name = "robust/two-of-three-die", .about = "owner and heir, before the second heir",
     .world = {.deaths = 2}, .bound = ALL, .start = three_with_two_mortals,
     .thread = {visitor, visitor, visitor}, WATCHED},
    {.name = "robust/woken-sleeper-dies", .about = "its wake-up must not be lost with it",
     .world = {.deaths = 1}, .bound = ALL, .start = three_with_mortal_second,
     .thread = {visitor, visitor, visitor}, WATCHED},
    {.name = "robust/recursive-owner-dies", .about = "at any depth",
     .world = {.deaths = 1}, .bound = ALL, .start = recursive,
     .thread = {recursive_visitor, recursive_visitor}, WATCHED},
    {.name = "robust/try", .about = "a try beside an owner that dies",
     .world = {.deaths = 1}, .bound = ALL, .start = first_is_mortal,
     .thread = {visitor, trier}, WATCHED},
    {.name = "robust/try-dies", .about = "one that tries dies, with the mutex or without",
     .world = {.deaths = 1}, .bound = ALL, .start = first_is_mortal,
     .thread = {trier, visitor_twice}, WATCHED},
    {.name = "robust/try-last", .about = "a try after an owner that has died or not",
     .world = {.deaths = 1}, .bound = ALL, .start = first_is_mortal,
     .thread = {visitor, last_trier}, WATCHED},
    {.name = "robust/heir-in-passing", .about = "it comes before the woken sleeper, which dies",
     .world = {.deaths = 2}, .bound = ALL, .only_full = true,
     .start = four_with_two_mortals, .thread = {visitor, visitor, visitor, heir_in_passing},
     WATCHED},
    {.name = "robust/try-before-sleeper", .about = "a try takes what a sleeper was woken for",
     .bound = ALL, .start = all_live, .thread = {visitor, trier, visitor}, WATCHED},
    {.name = "robust/timed", .about = "a sleeper gives up, the owner dies",
     .world = {.deaths = 1, .timeouts = 1}, .bound = ALL, .start = first_is_mortal,
     .thread = {visitor, timed_visitor}, WATCHED},
    {.name = "robust/timed-three", .about = "a sleeper gives up beside another",
     .world = {.timeouts = 1}, .bound = ALL, .start = all_live,
     .thread = {visitor, timed_visitor, visitor}, WATCHED},
    {.name = "robust/timed-owner-dies", .about = "one of two sleepers gives up as the owner dies",
     .world = {.deaths = 1, .timeouts = 1}, .bound = ALL, .start = three_with_mortal_first,
     .thread = {visitor, timed_visitor, visitor}, WATCHED},
    {.name = "robust/two-mutexes", .about = "the owner of two dies, with both on its list or less",
     .world = {.deaths = 1}, .bound = ALL, .start = two_mutexes,
     .thread = {holder_of_two, holder_of_two}, WATCHED},
    {.name = "robust/dies-behind-a-barger",
     .about = "the kernel's own gap: a dead releaser's wake-up, and the word is taken again",
     .world = {.deaths = 1}, .bound = ALL, .must_fail = true, .finds = "nobody is on the way",
     .start = first_is_mortal, .thread = {visitor, visitor, visitor}, WATCHED},
    {.name = NULL},
};
