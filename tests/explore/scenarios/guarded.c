/* SPDX-License-Identifier: MIT */
/* What one thread writes under a lock, the next one sees: a plain variable for each way into a lock
   and out of it, under the memory model in which nothing but the locks' own orders makes it so. */
#include "explore.h"
#include "lock/mutex.h"
#include "lock/rwlock.h"
#include "lock/settings.h"

static fs_word word;
static struct fs_rwlock lock;
static struct fs_mutex mutex;
static uint32_t guarded;

static void start(void)
{
    fs_settings.spin = 0;
    explore_name(&word, sizeof word, "word");
    explore_name(&lock, sizeof lock, "lock");
    explore_name(&mutex, sizeof mutex, "mutex");
    explore_name(&guarded, sizeof guarded, "guarded");
}

static void write_in_rwlock(void)
{
    explore_require(fs_rwlock_write(&lock, FS_RW_PREFER_WRITERS, NULL) == 0, "no write lock");
    guarded++;
    fs_rwlock_release(&lock, FS_RW_PREFER_WRITERS);
}

static void read_in_rwlock(void)
{
    explore_require(fs_rwlock_read(&lock, FS_RW_PREFER_WRITERS, NULL) == 0, "no read lock");
    explore_require(guarded <= 2, "the value is %u", guarded);
    fs_rwlock_release(&lock, FS_RW_PREFER_WRITERS);
}

static void try_rwlock(void)
{
    if (fs_rwlock_try_write(&lock) != 0)
        return;
    guarded++;
    fs_rwlock_release(&lock, FS_RW_PREFER_WRITERS);
}

static void try_to_read(void)
{
    if (fs_rwlock_try_read(&lock, FS_RW_PREFER_READERS) != 0)
        return;
    explore_require(guarded <= 2, "the value is %u", guarded);
    fs_rwlock_release(&lock, FS_RW_PREFER_READERS);
}

static void write_under_word(void)
{
    explore_require(fs_word_lock_acquire(&word, NULL, FS_SCOPE_PRIVATE) == 0, "no lock");
    guarded++;
    fs_word_lock_release(&word);
}

static void try_word(void)
{
    if (!fs_word_lock_try(&word))
        return;
    guarded++;
    fs_word_lock_release(&word);
}

static void write_under_mutex(void)
{
    explore_require(fs_mutex_acquire(&mutex, FS_KIND_NORMAL, FS_WAIT_FOREVER, NULL) == 0,
                    "no lock");
    guarded++;
    fs_mutex_release(&mutex, FS_KIND_NORMAL);
}

static void try_mutex(void)
{
    if (fs_mutex_acquire(&mutex, FS_KIND_NORMAL, FS_WAIT_NEVER, NULL) != 0)
        return;
    guarded++;
    fs_mutex_release(&mutex, FS_KIND_NORMAL);
}

/* clang-format off */
const struct explore_scenario guarded_scenarios[] = {
    {.name = "guarded/written-and-read", .about = "a reader sees what a writer wrote, and the other way round",
     .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_WEAK, .start = start,
     .thread = {write_in_rwlock, read_in_rwlock}},
    {.name = "guarded/written-by-two", .about = "two writers of a reader-writer lock",
     .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_WEAK, .start = start,
     .thread = {write_in_rwlock, write_in_rwlock}},
    {.name = "guarded/tried-to-write", .about = "a try for a reader-writer lock",
     .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_WEAK, .start = start,
     .thread = {write_in_rwlock, try_rwlock}},
    {.name = "guarded/tried-to-read", .about = "likewise by a reader",
     .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_WEAK, .start = start,
     .thread = {write_in_rwlock, try_to_read}},
    {.name = "guarded/word", .about = "two lockers of a word",
     .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_WEAK, .start = start,
     .thread = {write_under_word, write_under_word}},
    {.name = "guarded/tried-word", .about = "a locker of a word, and one that tries",
     .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_WEAK, .start = start,
     .thread = {write_under_word, try_word}},
    {.name = "guarded/mutex", .about = "a mutex, and one that tries",
     .bound = EXPLORE_EXHAUSTIVE, .modes = MODE_WEAK, .start = start,
     .thread = {write_under_mutex, try_mutex}},
    {0},
};
/* clang-format on */
