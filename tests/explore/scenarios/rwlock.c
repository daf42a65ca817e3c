/* SPDX-License-Identifier: MIT */
/* Scenarios of the reader-writer lock: who gets in beside whom, who is woken, who gives up, and
   that nobody needs the lock's memory once he has left. What the word must look like in between is
   watch_rwlock.c's. */
#include "lock/rwlock.h"

#include <errno.h>

#include "explore.h"
#include "lock/settings.h"
#include "scenarios/watch_rwlock.h"

static struct fs_rwlock lock;
static enum fs_rw_preference preference;
static uint8_t readers_inside, writers_inside;
static fs_word gate; /* 1: who waits for it may go on */

static void set_up(enum fs_rw_preference whom, unsigned calls, unsigned spin, bool reused)
{
    fs_settings = (struct fs_settings){.spin = spin, .processors = 2};
    preference = whom;
    watch_rwlock_start(&lock, whom, calls, reused);
    explore_name(&gate, sizeof gate, "gate");
}

#define START(name, whom, calls, spin)                                                             \
    static void name(void)                                                                         \
    {                                                                                              \
        set_up(whom, calls, spin, false);                                                          \
    }
START(two_prefer_readers, FS_RW_PREFER_READERS, 2, 0)
START(three_prefer_readers, FS_RW_PREFER_READERS, 3, 0)
START(three_prefer_writers, FS_RW_PREFER_WRITERS, 3, 0)
START(four_prefer_readers, FS_RW_PREFER_READERS, 4, 0)
START(four_prefer_writers, FS_RW_PREFER_WRITERS, 4, 0)
START(two_spinning, FS_RW_PREFER_READERS, 2, 1)

static void start_reused(void)
{
    set_up(FS_RW_PREFER_READERS, 2, 0, true);
}

/* ---- what goes on inside ------------------------------------------------------------ */

static void look_around_as_reader(void)
{
    explore_require(writers_inside == 0, "L1: a reader beside a writer");
    readers_inside++;
    explore_step("reads");
    explore_require(writers_inside == 0, "L1: a writer beside a reader");
    readers_inside--;
}

static void look_around_as_writer(void)
{
    explore_require(readers_inside == 0 && writers_inside == 0, "L1: a writer is not alone");
    writers_inside++;
    explore_step("writes");
    explore_require(readers_inside == 0 && writers_inside == 1, "L1: a writer is joined");
    writers_inside--;
}

static void leave(void)
{
    watch_rwlock_last_use();
    fs_rwlock_release(&lock, preference);
}

static void read_until(const struct fs_deadline *deadline)
{
    int err = fs_rwlock_read(&lock, preference, deadline);

    if (err == 0) {
        look_around_as_reader();
        leave();
        return;
    }
    explore_require(deadline && err == ETIMEDOUT, "a reader gets %d", err);
    watch_rwlock_last_use();
}

static void write_until(const struct fs_deadline *deadline)
{
    int err = fs_rwlock_write(&lock, preference, deadline);

    if (err == 0) {
        look_around_as_writer();
        leave();
        return;
    }
    explore_require(deadline && err == ETIMEDOUT, "a writer gets %d", err);
    watch_rwlock_last_use();
}

/* ---- thread functions --------------------------------------------------------------- */

static void reader(void)
{
    read_until(NULL);
}

static void writer(void)
{
    write_until(NULL);
}

static void timed_reader(void)
{
    struct fs_deadline deadline = explore_deadline();

    read_until(&deadline);
}

static void timed_writer(void)
{
    struct fs_deadline deadline = explore_deadline();

    write_until(&deadline);
}

static void reader_twice(void)
{
    reader();
    reader();
}

static void writer_twice(void)
{
    writer();
    writer();
}

static void reader_then_writer(void)
{
    reader();
    writer();
}

static void try_reader(void)
{
    int err = fs_rwlock_try_read(&lock, preference);

    explore_require(err == 0 || err == EBUSY, "a try to read gives %d", err);
    if (err == 0) {
        look_around_as_reader();
        leave();
    } else {
        watch_rwlock_last_use();
    }
}

static void try_writer(void)
{
    int err = fs_rwlock_try_write(&lock);

    explore_require(err == 0 || err == EBUSY, "a try to write gives %d", err);
    if (err == 0) {
        look_around_as_writer();
        leave();
    } else {
        watch_rwlock_last_use();
    }
}

/* A second read lock inside the first: two calls. */
static void nested_reader(void)
{
    explore_require(fs_rwlock_read(&lock, preference, NULL) == 0, "the outer read lock fails");
    explore_step("reads");
    read_until(NULL);
    look_around_as_reader();
    leave();
}

/* As the exported calls do it: the inline moves first. */
static void fast_reader(void)
{
    if (fs_rwlock_read_fast(&lock)) {
        look_around_as_reader();
    } else {
        explore_require(fs_rwlock_read(&lock, preference, NULL) == 0, "a reader fails");
        look_around_as_reader();
    }
    watch_rwlock_last_use();
    if (!fs_rwlock_release_fast(&lock, false))
        fs_rwlock_release(&lock, preference);
}

static void fast_writer(void)
{
    if (!fs_rwlock_write_fast(&lock))
        explore_require(fs_rwlock_write(&lock, preference, NULL) == 0, "a writer fails");
    look_around_as_writer();
    watch_rwlock_last_use();
    if (!fs_rwlock_release_fast(&lock, true))
        fs_rwlock_release(&lock, preference);
}

static void open_gate(void)
{
    fs_store_release(&gate, 1);
    fs_futex_wake(&gate, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

static void pass_gate(void)
{
    while (fs_load_acquire(&gate) == 0)
        fs_futex_wait(&gate, 0, NULL, FS_SCOPE_PRIVATE);
}

/* Two readers that need each other inside. */
static void reader_who_waits(void)
{
    explore_require(fs_rwlock_read(&lock, preference, NULL) == 0, "a reader fails");
    pass_gate();
    look_around_as_reader();
    leave();
}

static void reader_who_is_waited_for(void)
{
    explore_require(fs_rwlock_read(&lock, preference, NULL) == 0, "a reader fails");
    look_around_as_reader();
    open_gate();
    leave();
}

/* Leaves its read lock to another thread. */
static void lender(void)
{
    explore_require(fs_rwlock_read(&lock, preference, NULL) == 0, "the lender cannot read");
    readers_inside++;
    open_gate();
}

static void borrower(void)
{
    pass_gate();
    explore_require(writers_inside == 0, "L1: a writer beside a lent read lock");
    readers_inside--;
    leave();
}

/* The last to leave makes a fresh lock of the memory, and a stranger comes who knows only that
   one; wakes meant for the old one may still come. */
static void use_the_fresh_lock(void)
{
    explore_require(fs_rwlock_write(&lock, preference, NULL) == 0, "the fresh lock is not free");
    look_around_as_writer();
    fs_rwlock_release(&lock, preference);
}

static void writer_for_two_lives(void)
{
    writer();
    if (watch_rwlock_is_over() && fs_load_relaxed(&gate) == 0) {
        open_gate();
        use_the_fresh_lock();
    }
}

static void reader_for_two_lives(void)
{
    reader();
    if (watch_rwlock_is_over() && fs_load_relaxed(&gate) == 0) {
        open_gate();
        use_the_fresh_lock();
    }
}

static void stranger(void)
{
    pass_gate();
    use_the_fresh_lock();
}

static void finish(void)
{
    watch_rwlock_finish();
    explore_require(readers_inside == 0 && writers_inside == 0, "somebody is still inside");
}

static void finish_reused(void)
{
    watch_rwlock_finish();
    explore_require(fs_wide_load_relaxed(&lock.state) == 0, "the fresh lock is left dirty");
}

#define WATCHED .check = watch_rwlock_check, .observe = watch_rwlock_observe, .finish = finish
#define ALL EXPLORE_EXHAUSTIVE

/* clang-format off */
const struct explore_scenario rwlock_scenarios[] = {
    {.name = "rwlock/reader-writer", .about = "one of each, two rounds of the reader",
     .world = {.spurious = 1}, .bound = ALL, .start = three_prefer_readers,
     .thread = {reader_twice, writer}, WATCHED},
    {.name = "rwlock/reader-writer-preferred", .about = "the same, writers preferred",
     .world = {.spurious = 1}, .bound = ALL, .start = three_prefer_writers,
     .thread = {reader_twice, writer}, WATCHED},
    {.name = "rwlock/writers-in-rounds", .about = "two writers, two rounds each",
     .world = {.spurious = 1}, .bound = ALL, .start = four_prefer_readers,
     .thread = {writer_twice, writer_twice}, WATCHED},
    {.name = "rwlock/mixed-rounds", .about = "two threads that read, then write",
     .world = {.interrupts = 1}, .bound = ALL, .start = four_prefer_writers,
     .thread = {reader_then_writer, reader_then_writer}, WATCHED},
    {.name = "rwlock/interrupted", .about = "signal handlers run in both sleepers",
     .world = {.interrupts = 2}, .bound = ALL, .start = three_prefer_writers,
     .thread = {reader, writer_twice}, WATCHED},
    {.name = "rwlock/spinning", .about = "one look in vain before the sleep",
     .bound = ALL, .start = two_spinning, .thread = {reader, writer}, WATCHED},
    {.name = "rwlock/inline-moves", .about = "the moves of the exported calls",
     .bound = ALL, .start = two_prefer_readers, .thread = {fast_reader, fast_writer}, WATCHED},
    {.name = "rwlock/two-readers-writer", .about = "readers preferred",
     .bound = ALL, .start = three_prefer_readers, .thread = {reader, reader, writer}, WATCHED},
    {.name = "rwlock/two-readers-writer-preferred", .about = "writers preferred",
     .bound = ALL, .start = three_prefer_writers, .thread = {reader, reader, writer}, WATCHED},
    {.name = "rwlock/two-writers-reader", .about = "readers preferred",
     .bound = ALL, .start = three_prefer_readers, .thread = {writer, writer, reader}, WATCHED},
    {.name = "rwlock/two-writers-preferred-reader", .about = "writers preferred",
     .bound = ALL, .start = three_prefer_writers, .thread = {writer, writer, reader}, WATCHED},
    {.name = "rwlock/three-writers", .about = "one woken writer stands for all",
     .world = {.spurious = 1}, .bound = ALL, .start = three_prefer_readers,
     .thread = {writer, writer, writer}, WATCHED},
    {.name = "rwlock/nested", .about = "a reader reads again while a writer waits",
     .bound = ALL, .start = three_prefer_readers, .thread = {nested_reader, writer}, WATCHED},
    {.name = "rwlock/nested-beside-reader", .about = "the same beside another reader",
     .bound = ALL, .start = four_prefer_readers, .thread = {nested_reader, writer, reader},
     WATCHED},
    {.name = "rwlock/timed-reader", .about = "a reader gives up behind writers",
     .world = {.timeouts = 1}, .bound = ALL, .start = three_prefer_writers,
     .thread = {timed_reader, writer_twice}, WATCHED},
    {.name = "rwlock/timed-reader-two-writers", .about = "a reader gives up before a writer",
     .world = {.timeouts = 1}, .bound = ALL, .start = three_prefer_readers,
     .thread = {timed_reader, writer, writer}, WATCHED},
    {.name = "rwlock/timed-writer", .about = "a preferred writer that gives up lets readers in",
     .world = {.timeouts = 1}, .bound = ALL, .start = three_prefer_writers,
     .thread = {reader, reader, timed_writer}, WATCHED},
    {.name = "rwlock/timed-writer-between-readers", .about = "... and the one inside needs them",
     .world = {.timeouts = 1}, .needs_timeout = true, .bound = ALL, .start = three_prefer_writers,
     .thread = {reader_who_waits, reader_who_is_waited_for, timed_writer}, WATCHED},
    {.name = "rwlock/timed-writer-behind-readers", .about = "the same, readers preferred",
     .world = {.timeouts = 1}, .bound = ALL, .start = three_prefer_readers,
     .thread = {reader, reader, timed_writer}, WATCHED},
    {.name = "rwlock/timed-writer-beside-writer", .about = "it may take the wake-up with it",
     .world = {.timeouts = 1}, .bound = ALL, .start = three_prefer_readers,
     .thread = {writer, writer, timed_writer}, WATCHED},
    {.name = "rwlock/timed-writers", .about = "two preferred writers give up, a reader waits",
     .world = {.timeouts = 2}, .bound = ALL, .start = three_prefer_writers,
     .thread = {timed_writer, timed_writer, reader}, WATCHED},
    {.name = "rwlock/try", .about = "tries beside a writer that waits and one that is inside",
     .bound = ALL, .start = three_prefer_writers, .thread = {try_reader, writer, try_writer},
     WATCHED},
    {.name = "rwlock/try-beside-readers", .about = "tries beside a reader and a waiting writer",
     .bound = ALL, .start = four_prefer_readers, .thread = {try_writer, writer, reader, try_reader},
     .only_full = true, WATCHED},
    {.name = "rwlock/lent", .about = "another thread releases the read lock",
     .bound = ALL, .start = two_prefer_readers, .thread = {lender, borrower, writer}, WATCHED},
    {.name = "rwlock/reused", .about = "the memory is a fresh lock at once, a late wake comes",
     .world = {.spurious = 1}, .bound = ALL, .start = start_reused,
     .thread = {writer_for_two_lives, writer_for_two_lives, stranger},
     .check = watch_rwlock_check, .observe = watch_rwlock_observe, .finish = finish_reused},
    {.name = "rwlock/reused-reader", .about = "the same with a reader in the first life",
     .world = {.spurious = 1}, .bound = ALL, .start = start_reused,
     .thread = {reader_for_two_lives, writer_for_two_lives, stranger},
     .check = watch_rwlock_check, .observe = watch_rwlock_observe, .finish = finish_reused},
    {.name = "rwlock/four", .about = "two readers and two writers",
     .bound = 2, .full_bound = ALL, .start = four_prefer_readers,
     .thread = {reader, reader, writer, writer}, WATCHED},
    {.name = "rwlock/four-preferred", .about = "two readers and two preferred writers",
     .bound = 2, .full_bound = ALL, .start = four_prefer_writers,
     .thread = {reader, reader, writer, writer}, WATCHED},
    {.name = "rwlock/four-timed", .about = "a preferred writer of two gives up before two readers",
     .world = {.timeouts = 1}, .bound = 2, .full_bound = 4, .start = four_prefer_writers,
     .thread = {reader, reader, writer, timed_writer}, WATCHED},
    {.name = NULL},
};
