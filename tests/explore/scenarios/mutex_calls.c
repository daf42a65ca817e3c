/* SPDX-License-Identifier: MIT */
/* The mutex calls whole, as programs make them: the free mutex is taken and given inline
   (fs_mutex_take_free, fs_mutex_give_free), and only what meets another thread goes on in
   lock/mutex.c, which the scenarios of mutex.c call directly. */
#include "scenarios/calls.h"
#include "scenarios/watch_word.h"

static struct fs_mutex mutex;
static uint8_t on_it; /* who has still to come; under the mutex */

/* ---- setting up ---------------------------------------------------------------------- */

static void set_up(uint32_t kind)
{
    call_set_up(0, 2);
    call_init_mutex(&mutex, kind, "mutex");
    watch_mutex_begin(&mutex);
    on_it = 2;
}

static void normal(void)
{
    set_up(FS_KIND_NORMAL);
}

static void recursive(void)
{
    set_up(FS_KIND_RECURSIVE);
}

static void errorcheck(void)
{
    set_up(FS_KIND_ERRORCHECK);
}

static void adaptive(void)
{
    set_up(FS_KIND_ADAPTIVE);
}

static void shared(void)
{
    set_up(FS_KIND_SHARED);
}

/* ---- threads ------------------------------------------------------------------------- */

static void lock(void)
{
    int err = call_lock(&mutex);

    explore_require(err == 0, "a lock returned %d", err);
    watch_word_inside(&mutex.word);
}

static void unlock(void)
{
    int err = call_unlock(&mutex);

    explore_require(err == 0, "an unlock returned %d", err);
}

static void twice(void)
{
    for (int i = 0; i < 2; i++) {
        lock();
        unlock();
    }
}

static void nested(void)
{
    lock();
    lock();
    unlock();
    watch_word_inside(&mutex.word);
    unlock();
}

static void lock_and_be_refused(void)
{
    lock();
    explore_require(call_lock(&mutex) == EDEADLK, "the holder locks an errorcheck mutex again");
    unlock();
    explore_require(call_unlock(&mutex) == EPERM, "a stranger unlocks an errorcheck mutex");
}

/* W4: the last one frees the mutex, perhaps before the other's unlock has returned. */
static void once_and_the_last_frees(void)
{
    bool last;

    lock();
    last = --on_it == 0;
    unlock();
    if (!last)
        return;
    watch_word_end(&mutex.word);
    explore_kill_memory(&mutex, sizeof mutex);
}

static void finish(void)
{
    watch_word_finish(false);
    explore_require(mutex.owner.value == 0 && mutex.nusers == 0, "owner %u, %u users",
                    mutex.owner.value, mutex.nusers);
}

#define WATCH .check = watch_word_check, .observe = watch_word_observe
#define ALL .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_TSO | MODE_WEAK

/* clang-format off */
const struct explore_scenario mutex_calls_scenarios[] = {
    {.name = "calls/normal", .about = "a normal mutex, twice each",
     ALL, .start = normal, .thread = {twice, twice}, WATCH, .finish = finish},
    {.name = "calls/adaptive", .about = "... adaptive",
     ALL, .start = adaptive, .thread = {twice, twice}, WATCH, .finish = finish},
    {.name = "calls/shared", .about = "... process-shared",
     ALL, .start = shared, .thread = {twice, twice}, WATCH, .finish = finish},
    {.name = "calls/recursive", .about = "two levels deep",
     ALL, .start = recursive, .thread = {nested, nested}, WATCH, .finish = finish},
    {.name = "calls/errorcheck", .about = "relocked, and unlocked by a stranger",
     ALL, .start = errorcheck, .thread = {lock_and_be_refused, lock_and_be_refused}, WATCH,
     .finish = finish},
    {.name = "calls/freed", .about = "the last one frees the mutex",
     ALL, .start = normal, .thread = {once_and_the_last_frees, once_and_the_last_frees}, WATCH},
    {.name = "calls/freed-shared", .about = "... a process-shared one",
     ALL, .start = shared, .thread = {once_and_the_last_frees, once_and_the_last_frees}, WATCH},
    {.name = "calls/three", .about = "three lockers of a normal mutex",
     .bound = 3, .full_bound = EXPLORE_EXHAUSTIVE,
     .start = normal, .thread = {twice, twice, twice}, WATCH, .finish = finish},
    {.name = NULL},
};
