/* SPDX-License-Identifier: MIT */
/* The ghosts behind watch_rwlock.h: who is counted as a waiting writer, who has yet to make the
   wake calls that its release planned, and which woken readers have yet to look at the state. */
#include "scenarios/watch_rwlock.h"

#include <stddef.h>

static struct {
    struct fs_rwlock *lock; /* null: nothing is watched any more */
    enum fs_rw_preference preference;
    uint8_t calls; /* that have not come to their last use of the memory */
    bool reused;
    uint8_t counted;       /* writers that wait, by the moves they made */
    uint8_t wakes_readers; /* released, READERS_WAIT is gone, the readers not yet woken */
    uint8_t wakes_writer;  /* released, the turn has changed, nobody yet woken */
    uint8_t coming;        /* taken from a reader's sleep, not yet inside or asleep again */
} watch;

#define BIT(thread) ((uint8_t)(1u << (thread)))

void watch_rwlock_start(struct fs_rwlock *l, enum fs_rw_preference preference, unsigned calls,
                        bool reused)
{
    watch.lock = l;
    watch.preference = preference;
    watch.calls = (uint8_t)calls;
    watch.reused = reused;
    explore_name(&l->state, sizeof l->state, "rwlock");
}

void watch_rwlock_last_use(void)
{
    watch.calls--;
}

bool watch_rwlock_is_over(void)
{
    return watch.lock == NULL;
}

static uint32_t waiting(uint64_t state)
{
    return (uint32_t)((state & FS_RW_WAITING_MASK) / FS_RW_WAITING);
}

static uint64_t turn(uint64_t state)
{
    return state / FS_RW_TURN;
}

static uint32_t sleeping_readers(void)
{
    return explore_sleepers(fs_wide_low(&watch.lock->state));
}

static uint32_t sleeping_writers(void)
{
    return explore_sleepers(fs_wide_high(&watch.lock->state));
}

/* Nobody is inside, and all calls have come to their end: from here on only the address. */
static void end_watch(uint64_t state)
{
    struct fs_rwlock *l = watch.lock;

    explore_require(state == 0, "the last release leaves %#llx behind", (unsigned long long)state);
    watch.lock = NULL;
    watch.wakes_readers = 0;
    watch.wakes_writer = 0;
    watch.coming = 0;
    if (watch.reused)
        explore_reuse_memory(l, sizeof *l, 0);
    else
        explore_kill_memory(l, sizeof *l);
}

/* A release has emptied the lock: what it has to do now follows from how it changed the state. */
static void plan_wakes(unsigned thread, uint64_t old, uint64_t new)
{
    if ((old & ~new) & FS_RW_READERS_WAIT)
        watch.wakes_readers |= BIT(thread);
    if (turn(old) != turn(new) && fs_rw_has_waiting_writer(new))
        watch.wakes_writer |= BIT(thread);
}

static void see_move(unsigned thread, uint64_t old, uint64_t new)
{
    bool emptied = fs_rw_has_holder(old) && !fs_rw_has_holder(new);
    uint64_t changed = old ^ new;

    if (waiting(new) > waiting(old)) {
        explore_require(!(watch.counted & BIT(thread)), "L3: a writer is counted twice");
        watch.counted |= BIT(thread);
    } else if (waiting(new) < waiting(old)) {
        explore_require(watch.counted & BIT(thread), "L3: a writer takes back another's count");
        watch.counted &= (uint8_t)~BIT(thread);
    }
    if (changed & FS_RW_READERS)
        watch.coming &= (uint8_t)~BIT(thread);
    if ((old & ~new) & FS_RW_WRITER_AWAKE)
        explore_require(fs_rw_has_holder(new), "L4: WRITER_AWAKE goes though nobody is inside");
    if (emptied || (old & ~new) & FS_RW_READERS_WAIT)
        plan_wakes(thread, old, new);
    if (emptied && watch.calls == 0)
        end_watch(new);
}

/* Before anyone is woken. A release that wakes readers leaves the writer to the last of them. */
static void see_wake(unsigned thread, const void *word, uint64_t count)
{
    if (word == fs_wide_high(&watch.lock->state)) {
        watch.wakes_writer &= (uint8_t)~BIT(thread);
        return;
    }
    explore_require(count == FS_WAKE_ALL, "L2: readers are woken one by one");
    watch.wakes_readers &= (uint8_t)~BIT(thread);
    if (sleeping_readers() != 0)
        watch.wakes_writer &= (uint8_t)~BIT(thread);
}

static void see_sleep(unsigned thread, const void *word)
{
    if (word == fs_wide_high(&watch.lock->state))
        explore_require(watch.counted & BIT(thread), "L3: a writer sleeps that is not counted");
    else
        watch.coming &= (uint8_t)~BIT(thread);
}

static bool is_ours(const void *word)
{
    return watch.lock && (word == &watch.lock->state || word == fs_wide_low(&watch.lock->state) ||
                          word == fs_wide_high(&watch.lock->state));
}

void watch_rwlock_observe(const struct explore_event *event)
{
    if (!is_ours(event->word))
        return;
    switch (event->kind) {
    case EVENT_WRITE:
        see_move(event->thread, event->old, event->new);
        break;
    case EVENT_WAKE:
        see_wake(event->thread, event->word, event->new);
        break;
    case EVENT_SLEEP:
        see_sleep(event->thread, event->word);
        break;
    case EVENT_AWAKE:
        /* Only one that was woken is relied upon. */
        if (event->word == fs_wide_low(&watch.lock->state) && event->old == 0)
            watch.coming |= BIT(event->thread);
        break;
    default:
        break;
    }
}

void watch_rwlock_check(void)
{
    uint64_t state;
    uint32_t asleep;
    bool is_carried;

    if (!watch.lock)
        return;
    state = fs_wide_load_relaxed(&watch.lock->state);
    asleep = sleeping_writers();
    is_carried = (watch.counted & ~asleep) != 0 || watch.wakes_writer != 0;
    explore_require(!(state & FS_RW_WRITER) || (state & FS_RW_READERS) == 0,
                    "L1: the writer is inside beside readers");
    explore_require(waiting(state) == (uint32_t)__builtin_popcount(watch.counted),
                    "L3: %u writers wait and %u are counted", __builtin_popcount(watch.counted),
                    waiting(state));
    explore_require(fs_rw_has_waiting_writer(state) || turn(state) == 0,
                    "a turn is left although no writer waits");
    explore_require(sleeping_readers() == 0 || state & FS_RW_READERS_WAIT || watch.wakes_readers,
                    "L2: a reader sleeps without READERS_WAIT and nobody is about to wake it");
    explore_require(sleeping_readers() == 0 || watch.wakes_readers ||
                        !fs_rw_admits_reader(state, watch.preference),
                    "a reader sleeps that may come in, and nobody is about to wake it");
    explore_require(!(state & FS_RW_WRITER_AWAKE) || is_carried,
                    "L4: WRITER_AWAKE, and every writer that waits is asleep");
    explore_require(fs_rw_has_holder(state) || asleep == 0 || is_carried || watch.wakes_readers ||
                        watch.coming,
                    "L3: nobody is inside, a writer sleeps, and nobody is on the way to wake it");
}

void watch_rwlock_finish(void)
{
    if (watch.lock)
        explore_require(fs_wide_load_relaxed(&watch.lock->state) == 0,
                        "the lock that nobody uses any more is left as %#llx",
                        (unsigned long long)fs_wide_load_relaxed(&watch.lock->state));
    explore_require(watch.calls == 0, "a call has not come to its end");
}
