/* SPDX-License-Identifier: MIT */
/* Scenarios of the mutex with priority inheritance: plain, made out of an ordinary one and carried
   over a fork, and the bare word that guards buckets. The robust one is pi_robust.c's. What the
   word must look like is watch_pi.c's. */
#include "lock/pi_mutex.h"

#include <errno.h>

#include "explore.h"
#include "lock/settings.h"
#include "scenarios/watch_pi.h"

static struct fs_mutex mutex;
static struct fs_mutex second;
static fs_word bare;

/* ---- setting up --------------------------------------------------------------------- */

static void make(struct fs_mutex *m, uint32_t kind, const char *name)
{
    fs_store_relaxed(&m->kind, kind);
    explore_name(m, sizeof *m, name);
    watch_pi_start(&m->word, name);
}

static void start_plain(void)
{
    fs_settings = (struct fs_settings){.processors = 2};
    make(&mutex, FS_KIND_PI, "mutex");
}

static void start_checking(void)
{
    start_plain();
    fs_store_relaxed(&mutex.kind, FS_KIND_PI | FS_KIND_ERRORCHECK);
}

static void start_with_priorities(void)
{
    start_plain();
    explore_set_priority(1, 10);
    explore_set_priority(2, 20);
}

static void start_mortal(void)
{
    start_plain();
    explore_set_mortal(0);
}

static void start_two_mutexes(void)
{
    start_plain();
    make(&second, FS_KIND_PI, "second");
}

static void start_made(void)
{
    start_plain();
    fs_store_relaxed(&mutex.kind, FS_KIND_PI | FS_KIND_MADE_PI);
}

static void start_made_recursive(void)
{
    start_plain();
    fs_store_relaxed(&mutex.kind, FS_KIND_PI | FS_KIND_MADE_PI | FS_KIND_RECURSIVE);
}

static void start_bare(void)
{
    fs_settings = (struct fs_settings){.processors = 2};
    watch_pi_start(&bare, "bare word");
}

/* ---- plain -------------------------------------------------------------------------- */

static int acquire(struct fs_mutex *m, enum fs_wait_mode mode, const struct fs_deadline *deadline)
{
    return fs_mutex_acquire(m, fs_mutex_kind(m), mode, deadline);
}

static void release(struct fs_mutex *m)
{
    explore_require(fs_mutex_release(m, fs_mutex_kind(m)) == 0, "the holder cannot release");
}

static void visit(int err)
{
    explore_require(err == 0, "a lock gives %d", err);
    watch_pi_inside(&mutex.word);
    explore_require(fs_mutex_is_mine(&mutex), "the mutex is held and its owner is another");
    watch_pi_outside(&mutex.word);
    release(&mutex);
}

static void visitor(void)
{
    visit(acquire(&mutex, FS_WAIT_FOREVER, NULL));
}

static void visitor_twice(void)
{
    visitor();
    visitor();
}

static void trier(void)
{
    int err = acquire(&mutex, FS_WAIT_NEVER, NULL);

    if (err != EBUSY)
        visit(err);
}

static void timed_visitor(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = acquire(&mutex, FS_WAIT_UNTIL, &deadline);

    if (err != ETIMEDOUT)
        visit(err);
}

/* The mutex's type looks at its owner. */
static void checking_visitor(void)
{
    explore_require(fs_mutex_release(&mutex, fs_mutex_kind(&mutex)) == EPERM,
                    "one that does not hold the mutex releases it");
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no lock");
    watch_pi_inside(&mutex.word);
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == EDEADLK, "no EDEADLK");
    explore_require(acquire(&mutex, FS_WAIT_NEVER, NULL) == EDEADLK, "the try: no EDEADLK");
    watch_pi_outside(&mutex.word);
    release(&mutex);
}

/* While two of higher priority sleep, the release is not for anybody else. */
static void owner_of_sleepers(void)
{
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no lock");
    watch_pi_inside(&mutex.word);
    explore_wait_until_asleep(1);
    explore_wait_until_asleep(2);
    watch_pi_outside(&mutex.word);
    release(&mutex);
}

static void least_urgent_visitor(void)
{
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no lock");
    explore_require(explore_asleep_on(2) != &mutex.word || mutex.word.value & FS_PI_WAITERS,
                    "P1: the more urgent one sleeps unannounced");
    watch_pi_inside(&mutex.word);
    watch_pi_outside(&mutex.word);
    release(&mutex);
}

/* ---- a cycle that a deadline breaks -------------------------------------------------------------

   The kernel says EDEADLK to the one that closes the cycle, and wakes nobody when the other's
   deadline opens it again: who was refused has to look by itself. */

static void holder_who_waits(void)
{
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no first lock");
    explore_require(acquire(&second, FS_WAIT_FOREVER, NULL) == 0, "no second lock");
    release(&second);
    release(&mutex);
}

static void holder_with_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err;

    explore_require(acquire(&second, FS_WAIT_FOREVER, NULL) == 0, "no first lock");
    err = acquire(&mutex, FS_WAIT_UNTIL, &deadline);
    explore_require(err == 0 || err == ETIMEDOUT, "a lock gives %d", err);
    if (err == 0)
        release(&mutex);
    release(&second);
}

/* ---- made out of an ordinary mutex, and forked -------------------------------------- */

static void fork_here(void)
{
    fs_pi_before_fork();
    watch_pi_forks();
    explore_become_fork_child();
    fs_pi_after_fork_in_child();
}

/* A fork handler's mutex, over two generations. */
static void forker(void)
{
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no lock before the fork");
    watch_pi_inside(&mutex.word);
    fork_here();
    watch_pi_outside(&mutex.word);
    release(&mutex);
    visitor();
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no lock in the child");
    fork_here();
    explore_require(acquire(&mutex, FS_WAIT_NEVER, NULL) == EBUSY, "held, and a try gets it");
    release(&mutex);
    visitor();
}

/* Held over both forks. */
static void forker_of_forker(void)
{
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no lock before the fork");
    fork_here();
    fork_here();
    release(&mutex);
    explore_require(fs_load_relaxed(&mutex.word) == 0, "the grandchild cannot release it");
    visitor();
}

static void recursive_forker(void)
{
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no lock before the fork");
    fork_here();
    explore_require(acquire(&mutex, FS_WAIT_FOREVER, NULL) == 0, "no second level in the child");
    release(&mutex);
    explore_require((fs_load_relaxed(&mutex.word) & FS_PI_TID_MASK) != 0, "released too early");
    release(&mutex);
    explore_require(fs_load_relaxed(&mutex.word) == 0, "the child cannot release it");
    visitor();
}

/* ---- the bare word ------------------------------------------------------------------ */

static void bare_visitor(void)
{
    fs_pi_word_acquire(&bare);
    watch_pi_inside(&bare);
    watch_pi_outside(&bare);
    fs_pi_word_release(&bare);
}

static void bare_visitor_twice(void)
{
    bare_visitor();
    bare_visitor();
}

#define WATCHED .check = watch_pi_check, .observe = watch_pi_observe, .finish = watch_pi_finish
#define ALL EXPLORE_EXHAUSTIVE

/* clang-format off */
const struct explore_scenario pi_scenarios[] = {
    {.name = "pi/two", .about = "two rounds of one", .bound = ALL, .start = start_plain,
     .thread = {visitor_twice, visitor}, WATCHED},
    {.name = "pi/three", .about = "the kernel hands it on", .bound = ALL, .start = start_plain,
     .thread = {visitor_twice, visitor, visitor}, WATCHED},
    {.name = "pi/priorities", .about = "two sleepers of different priority",
     .bound = ALL, .start = start_with_priorities,
     .thread = {owner_of_sleepers, least_urgent_visitor, visitor}, WATCHED},
    {.name = "pi/errorcheck", .about = "a type that looks at its owner", .bound = ALL,
     .start = start_checking, .thread = {checking_visitor, checking_visitor}, WATCHED},
    {.name = "pi/try", .about = "a try beside a sleeper", .bound = ALL, .start = start_plain,
     .thread = {visitor, trier, visitor}, WATCHED},
    {.name = "pi/timed", .about = "sleepers give up", .world = {.timeouts = 2}, .bound = ALL,
     .start = start_plain, .thread = {visitor, timed_visitor, timed_visitor}, WATCHED},
    {.name = "pi/owner-dies", .about = "not robust: a sleeper gets it, who comes later does not",
     .world = {.deaths = 1, .timeouts = 2}, .needs_timeout = true, .bound = ALL,
     .start = start_mortal, .thread = {visitor, timed_visitor, timed_visitor}, WATCHED},
    {.name = "pi/asked-again", .about = "the kernel asks to try again",
     .world = {.retries = 2, .timeouts = 1}, .bound = ALL, .start = start_plain,
     .thread = {visitor, visitor, timed_visitor}, WATCHED},
    {.name = "pi/asked-again-by-two", .about = "... two threads in two rounds",
     .world = {.retries = 3}, .bound = ALL, .start = start_plain,
     .thread = {visitor_twice, visitor_twice}, WATCHED},
    {.name = "pi/cycle", .about = "two mutexes in either order, and a deadline that breaks the tie",
     .world = {.timeouts = 1}, .needs_timeout = true, .bound = ALL, .start = start_two_mutexes,
     .thread = {holder_who_waits, holder_with_deadline}, WATCHED},
    {.name = "pi/fork", .about = "a fork handler's mutex, while another thread waits for it",
     .bound = ALL, .start = start_made, .thread = {forker, visitor}, WATCHED},
    {.name = "pi/fork-twice", .about = "held by a thread whose child forks again",
     .bound = ALL, .start = start_made, .thread = {forker_of_forker, visitor}, WATCHED},
    {.name = "pi/fork-recursive", .about = "the child locks again what its parent held",
     .bound = ALL, .start = start_made_recursive, .thread = {recursive_forker, visitor}, WATCHED},
    {.name = "pi/word", .about = "the bare word", .bound = ALL, .start = start_bare,
     .thread = {bare_visitor_twice, bare_visitor, bare_visitor}, WATCHED},
    {.name = "pi/word-asked-again", .about = "the kernel asks to try again", .world = {.retries = 2},
     .bound = ALL, .start = start_bare, .thread = {bare_visitor_twice, bare_visitor}, WATCHED},
    {.name = NULL},
};
