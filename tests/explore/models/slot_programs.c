/* SPDX-License-Identifier: MIT */
/* The programs that the scenarios of reader slots run, and their invariants as checks. */
#include "slot_programs.h"

static struct slot_lock lock;
static uint32_t readers, writers;        /* inside */
static uint8_t held[EXPLORE_THREADS];    /* read locks taken by the thread and not given back */
static uint8_t at_work[EXPLORE_THREADS]; /* 1: in the middle of taking or giving back one */
static uint32_t converter;               /* thread + 1 that has `conversion` */
static fs_word gate;                     /* 1: a read lock is left to another thread to unlock */
static fs_word users;                    /* threads that still need the lock */

/* ---- what the threads do -------------------------------------------------------------- */

static void take_read(void)
{
    unsigned self = explore_self();

    at_work[self] = 1;
    slot_read(&lock);
    at_work[self] = 0;
    held[self]++;
    readers++;
    explore_require(writers == 0, "exclusion: a reader enters and a writer is inside");
}

/* The read lock is one of thread's. */
static void give_read_back(unsigned thread)
{
    unsigned self = explore_self();

    readers--;
    held[thread]--;
    at_work[self] = 1;
    slot_unread(&lock);
    at_work[self] = 0;
}

static void read_and(bool grant)
{
    take_read();
    if (grant)
        slot_grant(&lock);
    explore_step("reading");
    give_read_back(explore_self());
}

void slot_read_once(void)
{
    read_and(false);
}

void slot_read_twice(void)
{
    read_and(false);
    read_and(false);
}

void slot_read_and_grant(void)
{
    read_and(true);
}

void slot_read_grant_and_read(void)
{
    read_and(true);
    read_and(false);
}

void slot_read_nested(void)
{
    take_read();
    read_and(false);
    explore_step("reading");
    give_read_back(explore_self());
}

void slot_read_and_leave_it(void)
{
    take_read();
    fs_exchange_release(&gate, 1);
    fs_futex_wake(&gate, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

void slot_unread_for_another(void)
{
    while (fs_load_acquire(&gate) == 0)
        fs_futex_wait(&gate, 0, NULL, FS_SCOPE_PRIVATE);
    give_read_back(0);
}

void slot_read_and_unread_for_both(void)
{
    take_read();
    slot_grant(&lock);
    slot_unread_for_another();
    give_read_back(explore_self());
}

static void be_inside(void)
{
    explore_require(writers == 0 && readers == 0, "exclusion: a writer enters, %u readers inside",
                    readers);
    writers++;
    explore_step("writing");
    writers--;
}

void slot_write_once(void)
{
    slot_write(&lock);
    be_inside();
    slot_unwrite(&lock);
}

void slot_write_twice(void)
{
    slot_write_once();
    slot_write_once();
}

void slot_try_write_once(void)
{
    if (!slot_try_write(&lock))
        return;
    be_inside();
    slot_unwrite(&lock);
}

void slot_write_for_a_while(void)
{
    struct fs_deadline deadline = explore_deadline();

    if (!slot_write_until(&lock, &deadline))
        return;
    be_inside();
    slot_unwrite(&lock);
}

void slot_write_and_try(void)
{
    slot_write_once();
    slot_try_write_once();
}

static void need_it_no_more(void)
{
    if (fs_add_seq_cst(&users, -1u) == 1)
        fs_futex_wake(&users, 1, FS_SCOPE_PRIVATE);
}

void slot_last_read(void)
{
    take_read();
    need_it_no_more();
    give_read_back(explore_self());
}

void slot_last_write(void)
{
    slot_write(&lock);
    be_inside();
    need_it_no_more();
    slot_unwrite(&lock);
}

static void wait_for_users(void)
{
    uint32_t n = fs_load_seq_cst(&users);

    while (n != 0) {
        fs_futex_wait(&users, n, NULL, FS_SCOPE_PRIVATE);
        n = fs_load_seq_cst(&users);
    }
}

void slot_free(void)
{
    wait_for_users();
    slot_write_once();
    explore_kill_memory(&lock, sizeof lock);
}

void slot_free_by_reader(void)
{
    wait_for_users();
    slot_read_once();
    fs_fence_seq_cst(); /* whoever gets the memory next does so after this thread's stores */
    explore_kill_memory(&lock, sizeof lock);
}

/* ---- what is checked ---------------------------------------------------------------------- */

static void begin(unsigned records)
{
    fs_store_relaxed(&lock.state, SLOT_SLOTS);
    slot_records = records;
    fs_store_relaxed(&users, 1);
    explore_name(&lock.state, sizeof(fs_word), "state");
    explore_name(&lock.writers, sizeof(fs_word), "writers");
    explore_name(&lock.conversion, sizeof(fs_word), "conversion");
    explore_name(&slots[0], sizeof(fs_word), "slots[0]");
    explore_name(&slots[1], sizeof(fs_word), "slots[1]");
    explore_name(&gate, sizeof gate, "gate");
    explore_name(&users, sizeof users, "users");
    explore_name(&writers, sizeof writers, "writers inside"); /* named: races on it are failures */
}

void slot_start_with_one(void)
{
    begin(1);
}

void slot_start_with_two(void)
{
    begin(2);
}

static void slot_was_stored(const struct explore_event *event)
{
    uint32_t state = lock.state.value;

    if (event->new == 0 && event->word == &slots[event->thread])
        slot_exits_waiting[event->thread]--;
    if (event->new == 0)
        explore_require(event->old != 0, "R2: a slot is emptied that somebody has emptied already");
    else
        explore_require((state & SLOT_SLOTS) != 0 ||
                            ((state & SLOT_DRAINING) != 0 && !slot_barrier_passed),
                        "R2: a slot is filled after the barrier");
}

static void state_was_changed(const struct explore_event *event)
{
    if (event->new &SLOT_WRITER && (event->old & SLOT_WRITER) == 0)
        explore_require(event->old == 0, "R3: a writer comes, the state is %x",
                        (unsigned)event->old);
    if (event->old & SLOT_SLOTS)
        slot_barrier_passed = false;
}

static void conversion_was_changed(const struct explore_event *event)
{
    if (event->new == 0)
        converter = 0;
    else if (event->old == 0)
        converter = event->thread + 1;
}

void slot_observe(const struct explore_event *event)
{
    if (event->kind == EVENT_SLEEP)
        explore_require(event->thread + 1 != converter, "R4: asleep while it converts");
    if (event->kind != EVENT_WRITE)
        return;
    if (event->word == &lock.state)
        state_was_changed(event);
    else if (event->word == &lock.conversion)
        conversion_was_changed(event);
    else if (event->word == &slots[0] || event->word == &slots[1])
        slot_was_stored(event);
}

/* R1. A store that fills a slot may wait in a buffer, so that something may be missing, but for a
   moment when there can be none: once the barrier has been passed and the conversion is over. */
void slot_check(void)
{
    uint32_t state = lock.state.value;
    uint32_t counted = (state & SLOT_COUNT) + slots[0].value + slots[1].value;
    uint32_t least = 0, most = 0;

    for (unsigned i = 0; i < EXPLORE_THREADS; i++) {
        least += held[i];
        most += held[i] + at_work[i] + (uint32_t)slot_exits_waiting[i];
    }
    explore_require(counted <= most, "R1: %u are counted, and at most %u hold the lock", counted,
                    most);
    explore_require((state & (SLOT_SLOTS | SLOT_DRAINING)) != 0 || converter != 0 ||
                        counted >= least,
                    "R1: %u are counted, and at least %u hold the lock", counted, least);
}

void slot_finish(void)
{
    explore_require((lock.state.value & ~SLOT_SLOTS) == 0, "the state is left %x",
                    lock.state.value);
    explore_require(slots[0].value == 0 && slots[1].value == 0, "a slot is left taken");
    explore_require(lock.writers.value == 0 && lock.conversion.value == 0,
                    "a mutex is left locked");
}
