/* SPDX-License-Identifier: MIT */
/* The programs that the scenarios of the reserved mutex run, and its invariants as checks. */
#include "reserved_programs.h"

#include <errno.h>

#define STRANGER 99u /* a thread that the mutex may be reserved for and that never runs */

static struct reserved_mutex mutex;
static uint32_t inside; /* bit i: thread i is between lock and unlock */
static uint32_t owner;  /* thread + 1 that has the word 1 or 2; 0 = nobody */
static uint32_t proxy;  /* thread + 1 that unlocks for another */
static uint32_t users;  /* threads that still need the mutex */
static fs_word gate;    /* 1: the mutex is locked and left to another thread to unlock */

/* ---- what the threads do -------------------------------------------------------------- */

static void enter(void)
{
    explore_require(inside == 0, "exclusion: thread %u enters and %x is inside", explore_self(),
                    inside);
    inside |= 1u << explore_self();
    explore_step("inside");
}

static void leave(void)
{
    inside &= ~(1u << explore_self());
}

static void use(bool grant)
{
    explore_require(reserved_lock(&mutex, NULL) == 0, "lock says that it is held by the caller");
    enter();
    if (grant)
        reserved_grant(&mutex);
    leave();
    reserved_unlock(&mutex);
}

void reserved_once(void)
{
    use(false);
}

void reserved_twice(void)
{
    use(false);
    use(false);
}

void reserved_once_with_grant(void)
{
    use(true);
}

void reserved_grant_and_again(void)
{
    use(true);
    use(false);
}

void reserved_try_once(void)
{
    if (reserved_try(&mutex) != 0)
        return;
    enter();
    leave();
    reserved_unlock(&mutex);
}

void reserved_try_for_a_while(void)
{
    struct fs_deadline deadline = explore_deadline();

    if (reserved_lock(&mutex, &deadline) != 0)
        return;
    enter();
    leave();
    reserved_unlock(&mutex);
}

void reserved_revoke_and_leave(void)
{
    reserved_give_up(&mutex, explore_choose(3, "how far it comes"));
}

void reserved_relock_and_try(void)
{
    explore_require(reserved_lock(&mutex, NULL) == 0, "lock says that it is held by the caller");
    enter();
    explore_require(reserved_lock(&mutex, NULL) == EDEADLK, "a second lock by the holder succeeds");
    explore_require(reserved_try(&mutex) == EBUSY, "a try by the holder succeeds");
    leave();
    reserved_unlock(&mutex);
}

/* The last user frees the memory, as soon as its unlock has returned. */
void reserved_use_and_free(void)
{
    bool last;

    reserved_lock(&mutex, NULL);
    enter();
    last = --users == 0;
    leave();
    reserved_unlock(&mutex);
    if (last) {
        fs_fence_seq_cst(); /* whoever gets the memory next does so after this thread's stores */
        explore_kill_memory(&mutex, sizeof mutex);
    }
}

void reserved_use_grant_and_free(void)
{
    use(true);
    reserved_use_and_free();
}

void reserved_lock_and_leave_it(void)
{
    reserved_lock(&mutex, NULL);
    enter();
    fs_store_release(&gate, 1);
    fs_futex_wake(&gate, 1, FS_SCOPE_PRIVATE);
    reserved_try_once();
}

void reserved_unlock_for_another(void)
{
    while (fs_load_acquire(&gate) == 0)
        fs_futex_wait(&gate, 0, NULL, FS_SCOPE_PRIVATE);
    proxy = explore_self() + 1;
    inside = 0;
    reserved_unlock(&mutex);
}

/* ---- what is checked ---------------------------------------------------------------------- */

void reserved_start(void)
{
    fs_store_relaxed(&mutex.word, RESERVED | explore_id_of(0));
    users = 2;
    explore_name(&mutex.word, sizeof mutex.word, "word");
    explore_name(&mutex.holder, sizeof mutex.holder, "holder");
    explore_name(&mutex.revocations, sizeof mutex.revocations, "revocations");
    explore_name(&gate, sizeof gate, "gate");
    explore_name(&inside, sizeof inside, "inside"); /* named: races on it are failures */
}

void reserved_start_with_a_stranger(void)
{
    reserved_start();
    fs_store_relaxed(&mutex.word, RESERVED | STRANGER);
}

static uint32_t thread_of(uint32_t id)
{
    for (unsigned i = 0; i < EXPLORE_THREADS && id != 0; i++)
        if (id == explore_id_of(i))
            return i + 1;
    return 0;
}

static bool is_locked_word(uint64_t word)
{
    return word == RESERVED_LOCKED || word == RESERVED_CONTENDED;
}

static void holder_was_stored(const struct explore_event *event)
{
    uint32_t word = fs_load_relaxed(&mutex.word);
    uint32_t by = event->thread + 1;

    if (word & REVOKED)
        explore_require(reserved_at_barrier == 0, "I2: holder changes after the barrier");
    else if (word & RESERVED)
        explore_require(by == thread_of(word & ~RESERVED), "I1: stored for another's reservation");
    else
        explore_require(by == owner || (event->new == 0 && by == proxy),
                        "I1: stored by thread %u, and the holder is %d", event->thread,
                        (int)owner - 1);
}

static void word_was_changed(const struct explore_event *event)
{
    uint32_t holder = thread_of(fs_load_relaxed(&mutex.holder));
    uint32_t by = event->thread + 1;

    if (event->old & REVOKED)
        explore_require((reserved_at_barrier & 1u << event->thread) != 0 || holder == by,
                        "I3: settled by a thread that was not at the barrier");
    reserved_at_barrier = 0;
    if (event->new == RESERVED_FREE)
        owner = 0;
    else if (is_locked_word(event->new) && !is_locked_word(event->old))
        owner = holder != 0 ? holder : by;
}

void reserved_observe(const struct explore_event *event)
{
    if (event->kind != EVENT_WRITE)
        return;
    if (event->word == &mutex.word)
        word_was_changed(event);
    else if (event->word == &mutex.holder)
        holder_was_stored(event);
}

/* For a flaw that breaks I2 first. */
void reserved_observe_settled(const struct explore_event *event)
{
    if (event->word != &mutex.holder || (mutex.word.value & REVOKED) == 0)
        reserved_observe(event);
}

/* I4, as far as it can be seen while stores wait in buffers. */
void reserved_check(void)
{
    uint32_t word = mutex.word.value;
    uint32_t reserved_for = word & RESERVED ? thread_of(word & ~RESERVED) : 0;

    if (inside == 0)
        return;
    explore_require(word != RESERVED_FREE, "I4: the word is free and %x is inside", inside);
    explore_require(reserved_for == 0 || inside == 1u << (reserved_for - 1),
                    "I4: reserved for thread %d, and %x is inside", (int)reserved_for - 1, inside);
    explore_require((word & REVOKED) == 0 || reserved_at_barrier == 0 || mutex.holder.value != 0,
                    "I4: revoked, no holder, and %x is inside", inside);
}

void reserved_finish(void)
{
    explore_require(inside == 0, "somebody is still inside");
    explore_require(mutex.holder.value == 0, "the holder is left");
    explore_require(!is_locked_word(mutex.word.value), "the word is left locked");
}
