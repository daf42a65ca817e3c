/* SPDX-License-Identifier: MIT */
/* A mutex that its holder turns over to the C library for good, while others lock it or sleep on
   its word. From then on the C library's own code may work on the word beside ours: here a few
   lines that do what its 0/1/2 lock does, which knows no hunger and no grant. */
#include <errno.h>

#include "explore.h"
#include "lock/mutex.h"
#include "lock/settings.h"
#include "watch_word.h"

static struct fs_mutex mutex;
static fs_word hall; /* where the waiter of a debt sleeps; closed while it is 0 */
static unsigned users;

static void start_kind(uint32_t kind)
{
    fs_settings.spin = 0;
    fs_settings.processors = 2;
    fs_store_relaxed(&mutex.kind, kind);
    watch_mutex_begin(&mutex);
    explore_name(&mutex.word, sizeof mutex.word, "mutex.word");
    explore_name(&mutex.owner, sizeof mutex.owner, "mutex.owner");
    explore_name(&mutex.kind, sizeof mutex.kind, "mutex.kind");
    explore_name(&hall, sizeof hall, "hall");
}

static void start(void)
{
    start_kind(FS_KIND_NORMAL);
}

static void start_recursive(void)
{
    start_kind(FS_KIND_RECURSIVE);
}

static void start_errorcheck(void)
{
    start_kind(FS_KIND_ERRORCHECK);
}

static void start_shared(void)
{
    start_kind(FS_KIND_NORMAL | FS_KIND_SHARED);
}

static void start_spinning(void)
{
    start();
    fs_settings.spin = 1;
}

static void start_three_users(void)
{
    start();
    users = 3;
}

/* ---- the C library's code ---------------------------------------------------------------- */

static void lock_word_in_libc(fs_word *w)
{
    uint32_t old = 0;

    if (fs_cas_acquire(w, &old, 1))
        return;
    if (fs_load_relaxed(w) == 2)
        fs_futex_wait(w, 2, NULL, FS_SCOPE_PRIVATE);
    while (fs_exchange_acquire(w, 2) != 0)
        fs_futex_wait(w, 2, NULL, FS_SCOPE_PRIVATE);
}

static void unlock_word_in_libc(fs_word *w)
{
    if (fs_exchange_release(w, 0) > 1)
        fs_futex_wake(w, 1, FS_SCOPE_PRIVATE);
}

static void lock_in_libc(void)
{
    lock_word_in_libc(&mutex.word);
    fs_mutex_note_holder(&mutex);
}

static void unlock_in_libc(void)
{
    fs_store_relaxed(&mutex.owner, 0);
    unlock_word_in_libc(&mutex.word);
}

/* ---- either code --------------------------------------------------------------------------- */

static void lock(void)
{
    explore_require(fs_mutex_acquire(&mutex, fs_mutex_kind(&mutex), FS_WAIT_FOREVER, NULL) == 0,
                    "a lock fails");
}

static void unlock(void)
{
    explore_require(fs_mutex_release(&mutex, fs_mutex_kind(&mutex)) == 0, "an unlock fails");
}

static bool is_turned_over(void)
{
    return fs_mutex_kind(&mutex) & FS_KIND_TURNED_OVER;
}

static void lock_either(void)
{
    if (is_turned_over() && explore_choose(2, "who locks") == 1)
        lock_in_libc();
    else
        lock();
}

static void unlock_either(void)
{
    if (is_turned_over() && explore_choose(2, "who unlocks") == 1)
        unlock_in_libc();
    else
        unlock();
}

static void lock_once(void)
{
    lock_either();
    watch_word_inside(&mutex.word);
    unlock_either();
}

static void lock_twice(void)
{
    lock_once();
    lock_once();
}

static void lock_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = fs_mutex_acquire(&mutex, fs_mutex_kind(&mutex), FS_WAIT_UNTIL, &deadline);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed lock returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    unlock_either();
}

static void try_once(void)
{
    int err = fs_mutex_acquire(&mutex, fs_mutex_kind(&mutex), FS_WAIT_NEVER, NULL);

    explore_require(err == 0 || err == EBUSY, "a try returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    unlock_either();
}

/* ---- the one that turns it over ----------------------------------------------------------------
 */

static void turn_over(void)
{
    fs_mutex_turn_over(&mutex);
    explore_require(is_turned_over(), "the holder has not turned the mutex over");
}

/* As a wait on a condition variable of the C library's. */
static void turn_over_and_wait(void)
{
    lock();
    watch_word_inside(&mutex.word);
    turn_over();
    watch_word_inside(&mutex.word);
    unlock_in_libc();
    lock_in_libc();
    watch_word_inside(&mutex.word);
    unlock();
}

static void turn_over_and_unlock(void)
{
    lock();
    watch_word_inside(&mutex.word);
    turn_over();
    unlock_either();
}

/* Others are asleep by then. */
static void turn_over_late(void)
{
    lock();
    explore_wait_until_asleep(1);
    turn_over();
    watch_word_inside(&mutex.word);
    unlock_either();
}

/* Two deep; the C library gives up both levels in its wait and takes them back. */
static void turn_over_two_deep(void)
{
    lock();
    lock();
    turn_over();
    watch_word_inside(&mutex.word);
    unlock();
    unlock_either();
}

/* ---- debts -------------------------------------------------------------------------------------
 */

static void owe_and_turn_over(void)
{
    lock();
    fs_store_release(&hall, 1);
    explore_require(fs_mutex_owe(&mutex, &hall, 1, 1), "the debt is refused");
    watch_word_inside(&mutex.word);
    turn_over();
    explore_require(!fs_mutex_owe(&mutex, &hall, 1, 1), "a mutex turned over takes on a debt");
    unlock_either();
}

static void wait_and_lock(void)
{
    while (fs_load_acquire(&hall) == 0)
        fs_futex_wait_bitset(&hall, 0, 1, NULL, FS_SCOPE_PRIVATE);
    explore_require(fs_mutex_acquire(&mutex, fs_mutex_kind(&mutex), FS_WAIT_WOKEN, NULL) == 0,
                    "a lock fails");
    watch_word_inside(&mutex.word);
    unlock_either();
}

/* ---- who may not turn it over
 * -------------------------------------------------------------------- */

static void try_to_turn_over(void)
{
    fs_mutex_turn_over(&mutex);
    explore_require(!is_turned_over(), "a mutex of another is turned over");
    lock_once();
}

/* One that nobody holds, whatever its kind. */
static void turn_over_free(void)
{
    fs_mutex_turn_over(&mutex);
    explore_require(!is_turned_over(), "a free mutex is turned over");
    lock_once();
    fs_mutex_turn_over(&mutex);
    explore_require(!is_turned_over(), "a free mutex is turned over");
}

static void turn_over_shared(void)
{
    lock();
    fs_mutex_turn_over(&mutex);
    explore_require(!is_turned_over(), "a process-shared mutex is turned over");
    watch_word_inside(&mutex.word);
    unlock();
}

/* ---- the memory goes with the last of them
 * -------------------------------------------------------- */

static void leave(void)
{
    bool last;

    watch_word_inside(&mutex.word);
    last = --users == 0;
    unlock_either();
    if (!last)
        return;
    watch_word_end(&mutex.word);
    explore_kill_memory(&mutex, sizeof mutex);
}

static void turn_over_and_free(void)
{
    lock();
    turn_over();
    leave();
}

static void lock_and_free(void)
{
    lock_either();
    leave();
}

/* ---- checks
 * ---------------------------------------------------------------------------------------- */

static void finish(void)
{
    watch_word_finish(false);
}

#define WATCHED .check = watch_word_check, .observe = watch_word_observe, .finish = finish

/* Control: a waiter of ours makes the word hungry although the C library may look at it. */
static void observe_hunger(const struct explore_event *event)
{
    watch_word_observe(event);
    explore_require(event->kind != EVENT_WRITE || event->word != &mutex.word ||
                        event->new != FS_LOCK_HUNGRY || !is_turned_over(),
                    "reached: hunger for a mutex that was turned over");
}

const struct explore_scenario turn_over_scenarios[] = {
    {.name = "turn-over/two",
     .about = "a holder turns it over and waits in the C library, a locker comes twice",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {turn_over_and_wait, lock_twice},
     WATCHED},
    {.name = "turn-over/three",
     .about = "the same, with two lockers, by our code or the C library's",
     .bound = 3,
     .full_bound = 5,
     .start = start,
     .thread = {turn_over_and_wait, lock_once, lock_once},
     WATCHED},
    {.name = "turn-over/two-turn",
     .about = "two holders in turn turn it over, and a locker",
     .bound = 3,
     .full_bound = 5,
     .start = start,
     .thread = {turn_over_and_unlock, turn_over_and_unlock, lock_once},
     WATCHED},
    {.name = "turn-over/onto-sleepers",
     .about = "one sleeps for sure when it is turned over, and a locker comes",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {turn_over_late, lock_once, lock_once},
     WATCHED},
    {.name = "turn-over/spinning",
     .about = "lockers that spin",
     .bound = 3,
     .full_bound = 5,
     .start = start_spinning,
     .thread = {turn_over_and_unlock, lock_once, lock_once},
     WATCHED},
    {.name = "turn-over/hungry",
     .about = "time passes: a waiter asks, and nobody is granted what the C library may look at",
     .world = {.jumps = 1},
     .bound = 3,
     .full_bound = 4,
     .start = start,
     .thread = {turn_over_and_unlock, lock_twice, lock_once},
     WATCHED},
    {.name = "turn-over/hunger-is-seen",
     .about = "control: a waiter does ask after the turn over",
     .world = {.jumps = 1},
     .bound = 3,
     .must_fail = true,
     .finds = "reached: hunger for a mutex that was turned over",
     .start = start,
     .thread = {turn_over_and_unlock, lock_twice, lock_once},
     .check = watch_word_check,
     .observe = observe_hunger,
     .finish = finish},
    {.name = "turn-over/disturbed",
     .about = "sleepers come back for nothing, or by a handler",
     .world = {.spurious = 1, .interrupts = 1},
     .bound = 2,
     .full_bound = 4,
     .start = start,
     .thread = {turn_over_and_unlock, lock_once, lock_once},
     WATCHED},
    {.name = "turn-over/timed",
     .about = "a waiter of ours gives up beside one of the C library's",
     .world = {.timeouts = 1},
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {turn_over_and_unlock, lock_until_deadline, lock_once},
     WATCHED},
    {.name = "turn-over/try",
     .about = "a thread tries",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {turn_over_and_unlock, try_once, lock_once},
     WATCHED},
    {.name = "turn-over/recursive",
     .about = "a recursive mutex is turned over by a holder two deep",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_recursive,
     .thread = {turn_over_two_deep, lock_twice},
     WATCHED},
    {.name = "turn-over/errorcheck",
     .about = "an errorcheck mutex is turned over",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_errorcheck,
     .thread = {turn_over_and_wait, lock_twice},
     WATCHED},
    {.name = "turn-over/debt",
     .about = "a debt is paid before the mutex is turned over, and none taken on afterwards",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {owe_and_turn_over, wait_and_lock, lock_once},
     WATCHED},
    {.name = "turn-over/by-a-stranger",
     .about = "who does not hold an errorcheck mutex cannot turn it over",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_errorcheck,
     .thread = {try_to_turn_over, lock_twice},
     WATCHED},
    {.name = "turn-over/free",
     .about = "a free normal mutex is not turned over",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start,
     .thread = {turn_over_free},
     WATCHED},
    {.name = "turn-over/shared",
     .about = "a process-shared mutex is not turned over",
     .bound = EXPLORE_EXHAUSTIVE,
     .start = start_shared,
     .thread = {turn_over_shared, turn_over_shared},
     WATCHED},
    {.name = "turn-over/freed",
     .about = "W4: the last of them frees the mutex, whosever code unlocked it",
     .bound = 3,
     .full_bound = EXPLORE_EXHAUSTIVE,
     .start = start_three_users,
     .thread = {turn_over_and_free, lock_and_free, lock_and_free},
     WATCHED},
    {0},
};
