/* SPDX-License-Identifier: MIT */
/* Breaks of mutexes and reader-writer locks (see breaks.h). The numbers are those of
   tests/BREAKS.md. */
#include "breaks.h"

#include <errno.h>

#include "futex/thread.h"
#include "plain_mutex.h"

static fs_word word;
static uint32_t inside;

static void enter(void)
{
    explore_require(inside == 0, "exclusion: thread %u enters beside another", explore_self());
    inside++;
    explore_step("inside");
}

static void leave(void)
{
    inside--;
}

/* ---- 2 and 5: a flag "held" beside a reservation --------------------------------------
   The owner says that it holds, then looks whether the reservation stands. Another takes the word,
   takes the reservation back and waits until the owner does not hold. 2: when that one gives up
   half-way, nothing shows it. 5: it keeps the word while it waits, and the owner needs that. */

static fs_word reserved = {1}; /* 1: for the owner; 2: being taken back; 0: not */
static fs_word held;           /* by the owner */

static void owner_lets_go(void)
{
    fs_exchange_seq_cst(&held, 0);
    fs_futex_wake(&held, FS_WAKE_ALL, FS_SCOPE_PRIVATE);
}

static void use_as_owner(bool needs_word)
{
    fs_exchange_seq_cst(&held, 1);
    if (fs_load_seq_cst(&reserved) != 1) {
        owner_lets_go();
        return;
    }
    enter();
    if (needs_word) {
        plain_lock(&word);
        plain_unlock(&word);
    }
    leave();
    owner_lets_go();
}

static void owner(void)
{
    use_as_owner(false);
}

static void owner_that_needs_the_word(void)
{
    use_as_owner(true);
}

static int wait_for_owner(const struct fs_deadline *deadline)
{
    int err = 0;

    fs_exchange_seq_cst(&reserved, mended ? 2 : 0);
    while (err == 0 && fs_load_seq_cst(&held) != 0) {
        if (mended)
            plain_unlock(&word);
        if (fs_futex_wait(&held, 1, deadline, FS_SCOPE_PRIVATE) == ETIMEDOUT)
            err = ETIMEDOUT;
        if (mended)
            plain_lock(&word);
    }
    if (err == 0)
        fs_exchange_seq_cst(&reserved, 0);
    return err;
}

static void visit(const struct fs_deadline *deadline)
{
    plain_lock(&word);
    if (fs_load_seq_cst(&reserved) == 0 || wait_for_owner(deadline) == 0) {
        enter();
        leave();
    }
    plain_unlock(&word);
}

static void visitor(void)
{
    visit(NULL);
}

static void visitor_that_gives_up(void)
{
    struct fs_deadline deadline = explore_deadline();

    visit(&deadline);
}

/* ---- 12: a writer that waits for one slot after the other -----------------------------
   A thread that reads already may read again. If it enters a slot that the writer has passed by,
   and leaves the other first, the writer goes on beside it. It has to be counted instead. */

static fs_word slot[2] = {{0}, {1}}; /* the reader is in the second already */
static fs_word count;
static uint32_t reading = 1;

static void wait_until_zero(fs_word *w)
{
    uint32_t value;

    while ((value = fs_load_seq_cst(w)) != 0)
        fs_futex_wait(w, value, NULL, FS_SCOPE_PRIVATE);
}

static void set_to_zero(fs_word *w)
{
    fs_exchange_seq_cst(w, 0);
    fs_futex_wake(w, 1, FS_SCOPE_PRIVATE);
}

static void read_again_and_leave_the_first(void)
{
    fs_word *entered = mended ? &count : &slot[0];

    fs_exchange_seq_cst(entered, 1);
    set_to_zero(&slot[1]);
    explore_step("reading");
    reading = 0;
    set_to_zero(entered);
}

static void write_behind_slots(void)
{
    wait_until_zero(&slot[0]);
    wait_until_zero(&slot[1]);
    wait_until_zero(&count);
    explore_require(reading == 0, "exclusion: a writer enters beside a reader");
}

/* ---- 18: "somebody is on the way" -----------------------------------------------------
   Set by the release that wakes, so that the next does not wake as well. If the wake finds nobody,
   since the sleeper has just timed out, nobody comes who would clear it. */

#define HELD 1u
#define SLEEPERS 2u
#define COMING 4u

static bool lock_coming(const struct fs_deadline *deadline)
{
    uint32_t old = fs_load_relaxed(&word);
    uint32_t clear = 0;

    for (;;) {
        uint32_t new = (old & HELD) ? old | SLEEPERS : old | HELD;
        int err;

        new &= ~(mended && (old & HELD) ? COMING : clear);
        if (!fs_cas_acquire(&word, &old, new))
            continue;
        if ((old & HELD) == 0)
            return true;
        err = fs_futex_wait(&word, new, deadline, FS_SCOPE_PRIVATE);
        if (err == ETIMEDOUT)
            return false;
        if (err == 0)
            clear = COMING;
        old = fs_load_relaxed(&word);
    }
}

static void unlock_coming(void)
{
    uint32_t old = fs_and_release(&word, ~HELD);

    if ((old & SLEEPERS) == 0 || (old & COMING) != 0)
        return;
    fs_or_relaxed(&word, COMING);
    fs_futex_wake(&word, 1, FS_SCOPE_PRIVATE);
}

static void lock_coming_twice(void)
{
    lock_coming(NULL);
    unlock_coming();
    lock_coming(NULL);
    unlock_coming();
}

static void lock_coming_for_a_while(void)
{
    struct fs_deadline deadline = explore_deadline();

    if (lock_coming(&deadline))
        unlock_coming();
}

static void lock_coming_once(void)
{
    lock_coming(NULL);
    unlock_coming();
}

/* ---- 19: a lock that is handed over ---------------------------------------------------
   The release leaves it to those who wait, and only they may take it. One that has just timed out
   is still among them. */

#define LEFT 4u

static fs_word waiting;

static bool lock_left(const struct fs_deadline *deadline)
{
    bool heir = mended; /* anybody may take it */

    for (;;) {
        uint32_t old = 0;
        int err;

        if (fs_cas_acquire(&word, &old, HELD))
            return true;
        if (old == LEFT && heir) {
            if (fs_cas_acquire(&word, &old, HELD))
                return true;
            continue;
        }
        fs_add_seq_cst(&waiting, 1);
        err = fs_futex_wait(&word, old, deadline, FS_SCOPE_PRIVATE);
        fs_add_seq_cst(&waiting, -1u);
        if (err == ETIMEDOUT)
            return false;
        heir = true;
    }
}

static void unlock_left(void)
{
    fs_exchange_release(&word, fs_load_seq_cst(&waiting) != 0 ? LEFT : 0);
    fs_futex_wake(&word, 1, FS_SCOPE_PRIVATE);
}

static void lock_left_once(void)
{
    lock_left(NULL);
    unlock_left();
}

static void lock_left_for_a_while(void)
{
    struct fs_deadline deadline = explore_deadline();

    if (lock_left(&deadline))
        unlock_left();
}

/* ---- 29 and 30: two protocols on one word ---------------------------------------------
   29: threads that do not agree which one it is. 30: the word is turned over from a protocol in
   which 4 is free, "left to a waiter", to one in which only 0 is. */

static void use_by_id(void)
{
    uint32_t id = fs_thread_id();
    uint32_t old = 0;

    if (mended) {
        plain_lock(&word);
        plain_unlock(&word);
        return;
    }
    while (!fs_cas_acquire(&word, &old, id)) {
        if (fs_cas_relaxed(&word, &old, old | FS_PI_WAITERS))
            fs_futex_wait(&word, old | FS_PI_WAITERS, NULL, FS_SCOPE_PRIVATE);
        old = 0;
    }
    old = id;
    if (!fs_cas_release(&word, &old, 0) && (old & FS_PI_TID_MASK) == id) {
        fs_store_release(&word, 0);
        fs_futex_wake(&word, 1, FS_SCOPE_PRIVATE);
    }
}

static void use_plainly(void)
{
    plain_lock(&word);
    plain_unlock(&word);
}

static void release_after_turning_over(void)
{
    uint32_t free = mended ? 0 : LEFT;

    plain_lock(&word);
    if (fs_exchange_release(&word, free) == 2)
        fs_futex_wake(&word, 1, FS_SCOPE_PRIVATE);
}

/* ---- the table ------------------------------------------------------------------------ */

static void start(void)
{
    explore_name(&word, sizeof word, "word");
    explore_name(&reserved, sizeof reserved, "reserved");
    explore_name(&held, sizeof held, "held");
    explore_name(&slot[0], sizeof slot[0], "slot[0]");
    explore_name(&slot[1], sizeof slot[1], "slot[1]");
    explore_name(&count, sizeof count, "count");
    explore_name(&waiting, sizeof waiting, "waiting");
}

const struct explore_scenario breaks_scenarios[] = {
    BREAK_AND_TWIN("02-who-takes-back-gives-up",
                   "a reservation is half taken back, and the next one does not see it",
                   "exclusion", ONE(timeouts), owner, visitor_that_gives_up, visitor),
    BREAK_AND_TWIN("05-the-holder-needs-the-word",
                   "who takes a reservation back keeps the word until the holder is done",
                   "deadlock", NOTHING, owner_that_needs_the_word, visitor),
    BREAK_AND_TWIN("12-a-slot-behind-the-writer",
                   "a reader reads again in a slot that the writer has passed", "exclusion",
                   NOTHING, read_again_and_leave_the_first, write_behind_slots),
    BREAK_AND_TWIN("18-nobody-is-on-the-way",
                   "a wake that finds nobody leaves a note that somebody comes", "deadlock",
                   ONE(timeouts), lock_coming_twice, lock_coming_for_a_while, lock_coming_once),
    BREAK_AND_TWIN("19-left-to-one-who-has-timed-out",
                   "a hand-over that only those may take who were waiting", "deadlock",
                   ONE(timeouts), lock_left_once, lock_left_for_a_while, lock_left_once),
    BREAK_AND_TWIN("29-two-opinions-about-one-word",
                   "one thread locks by ids, the other by 0, 1, 2", "deadlock", NOTHING, use_by_id,
                   use_plainly),
    BREAK_AND_TWIN("30-free-here-and-held-there",
                   "a release by the old protocol after the word was turned over", "deadlock",
                   NOTHING, release_after_turning_over, use_plainly),
    {.name = NULL},
};
