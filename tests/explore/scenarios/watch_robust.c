/* SPDX-License-Identifier: MIT */
/* The ghosts behind watch_robust.h. A mortal thread may die, and others may run, before every plain
   store: a ghost is one variable that only the holder writes, or it is written by observe. */
#include "scenarios/watch_robust.h"

#include <errno.h>

#include "lock/robust_list.h"

#define MUTEXES 2

/* What the mutex's holders have made of it. */
enum health {
    HEALTHY,
    SICK,    /* somebody was told of a death and has not declared the mutex consistent */
    LEAVING, /* ... and has begun to release it */
    LOST,    /* ... and is through with that */
};

static struct watched {
    struct fs_mutex *mutex;
    uint8_t health;
    uint8_t inside;    /* index + 1 */
    bool owed_notice;  /* an owner has died: the next must be told */
    uint8_t releasing; /* has stored the free word over WAITERS and not made its wake yet */
    uint8_t coming;    /* taken from its sleep, has not yet locked or announced itself again */
} watches[MUTEXES];

#define BIT(thread) ((uint8_t)(1u << (thread)))

static struct watched *watch_of(const struct fs_mutex *m)
{
    struct watched *watch = watches;

    while (watch->mutex != m && watch < &watches[MUTEXES - 1])
        watch++;
    return watch;
}

void watch_robust_start(struct fs_mutex *m, uint32_t kind, const char *name)
{
    struct watched *watch = watch_of(NULL);

    watch->mutex = m;
    fs_store_relaxed(&m->kind, kind);
    explore_name(m, sizeof *m, name);
}

static bool is_pi(const struct watched *watch)
{
    return (watch->mutex->kind.value & FS_KIND_PI) != 0;
}

static bool is_owner(uint32_t word, unsigned thread)
{
    return (word & FS_PI_TID_MASK) == explore_id_of(thread);
}

/* ---- what a caller may be told ------------------------------------------------------ */

static void judge_success(const struct watched *watch)
{
    explore_require(!watch->owed_notice, "an owner's death goes unnoticed");
    explore_require(watch->health == HEALTHY, "R3: an inconsistent mutex is locked as if it were");
}

static void judge_notice(const struct watched *watch)
{
    explore_require(watch->owed_notice, "EOWNERDEAD, and no owner has died since the last time");
    explore_require(watch->health != LOST, "R3: an unrecoverable mutex is recovered");
}

/* One whose owner died while it gave up an inconsistent mutex may be either. */
static void judge_refusal(struct watched *watch)
{
    explore_require(watch->health >= LEAVING, "R3: ENOTRECOVERABLE, but nobody gave it up");
    watch->health = LOST;
}

bool watch_robust_enter(struct fs_mutex *m, enum fs_wait_mode mode,
                        const struct fs_deadline *deadline, bool *died)
{
    struct watched *watch = watch_of(m);
    unsigned me = explore_self();
    int err = fs_mutex_acquire(m, fs_mutex_kind(m), mode, deadline);

    *died = err == EOWNERDEAD;
    if (watch->inside == me + 1) {
        explore_require(err == 0, "the holder's second lock gives %d", err);
        return true;
    }
    if (err == ENOTRECOVERABLE) {
        judge_refusal(watch);
        return false;
    }
    if (err == EBUSY || err == ETIMEDOUT) {
        explore_require(mode == (err == EBUSY ? FS_WAIT_NEVER : FS_WAIT_UNTIL), "a lock gives %d",
                        err);
        return false;
    }
    explore_require(watch->inside == 0 || explore_is_dead(watch->inside - 1u),
                    "thread %u locks beside thread %u", me, watch->inside - 1u);
    if (err == 0)
        judge_success(watch);
    else
        judge_notice(watch);
    explore_require(err == 0 || err == EOWNERDEAD, "a lock gives %d", err);
    watch->inside = (uint8_t)(me + 1);
    if (err == EOWNERDEAD) {
        watch->health = SICK;
        watch->owed_notice = false;
    }
    return true;
}

void watch_robust_mend(struct fs_mutex *m)
{
    explore_require(fs_mutex_make_consistent(m, fs_mutex_kind(m)) == 0,
                    "a mutex just taken from a dead owner cannot be declared consistent");
    watch_of(m)->health = HEALTHY;
}

void watch_robust_work(struct fs_mutex *m)
{
    explore_step("works");
    explore_require(watch_of(m)->inside == explore_self() + 1, "somebody came in");
}

void watch_robust_leave(struct fs_mutex *m)
{
    struct watched *watch = watch_of(m);
    bool was_sick = watch->health == SICK;

    if (m->count == 1) {
        if (was_sick)
            watch->health = LEAVING;
        watch->inside = 0;
    }
    explore_require(fs_mutex_release(m, fs_mutex_kind(m)) == 0, "the holder cannot release");
    if (was_sick && watch->inside == 0 && watch->health == LEAVING)
        watch->health = LOST;
}

/* ---- the word and the list ---------------------------------------------------------- */

static void see_write(struct watched *watch, const struct explore_event *event)
{
    uint32_t old = (uint32_t)event->old, new = (uint32_t)event->new;
    uint8_t bit = BIT(event->thread);

    if (is_owner(new, event->thread) && !is_owner(old, event->thread) && !is_pi(watch))
        explore_require(!(watch->coming & bit) || new &FS_PI_WAITERS,
                        "R2: thread %u has slept, and locks as if nobody else had", event->thread);
    if (is_owner(old, event->thread) && new == 0 && old & FS_PI_WAITERS)
        watch->releasing |= bit;
    if (new &FS_PI_WAITERS)
        watch->coming &= (uint8_t)~bit;
}

static void see_death(struct watched *watch, unsigned thread)
{
    watch->releasing &= (uint8_t)~BIT(thread);
    watch->coming &= (uint8_t)~BIT(thread);
    if (is_owner(fs_load_relaxed(&watch->mutex->word), thread))
        watch->owed_notice = true;
}

static void see(struct watched *watch, const struct explore_event *event)
{
    uint8_t bit;

    if (event->kind == EVENT_DEATH)
        see_death(watch, event->thread);
    if (event->word != &watch->mutex->word || event->word == event->other)
        return; /* of another, or the kernel's write at a death or in the PI protocol */
    bit = BIT(event->thread);
    switch (event->kind) {
    case EVENT_WRITE:
        see_write(watch, event);
        break;
    case EVENT_WAKE:
        watch->releasing &= (uint8_t)~bit;
        break;
    case EVENT_SLEEP:
        watch->coming &= (uint8_t)~bit;
        break;
    case EVENT_AWAKE:
        if (event->old != ETIMEDOUT)
            watch->coming |= bit;
        break;
    default:
        break;
    }
}

void watch_robust_observe(const struct explore_event *event)
{
    for (struct watched *watch = watches; watch < &watches[MUTEXES] && watch->mutex; watch++)
        see(watch, event);
}

/* Whether the kernel would find the mutex if the thread died now. */
static bool is_findable(const struct watched *watch, unsigned thread)
{
    const struct fs_robust_head *head = explore_robust_head(thread);
    uintptr_t entry = (uintptr_t)fs_robust_entry_of(watch->mutex, is_pi(watch));
    uintptr_t at = (uintptr_t)head->first;

    if ((uintptr_t)head->pending == entry)
        return true;
    for (unsigned n = 0; n < 2 * MUTEXES && at != (uintptr_t)&head->first; n++) {
        if (at == entry)
            return true;
        at = *(uintptr_t *)(at & ~FS_ROBUST_PI_MARK);
    }
    return false;
}

static void check_one(const struct watched *watch)
{
    uint32_t word = fs_load_relaxed(&watch->mutex->word);

    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (explore_id_of(i) != 0 && is_owner(word, i)) {
            explore_require(!explore_is_dead(i), "R1: the word still names the dead thread %u", i);
            explore_require(is_findable(watch, i), "R1: thread %u could die unnoticed", i);
        }
    if (explore_sleepers(&watch->mutex->word) == 0)
        return;
    explore_require(word & FS_PI_WAITERS || (!is_pi(watch) && (watch->releasing | watch->coming)),
                    "R2: somebody sleeps, the word does not say so, and nobody is on the way");
}

void watch_robust_check(void)
{
    for (struct watched *watch = watches; watch < &watches[MUTEXES] && watch->mutex; watch++)
        check_one(watch);
}

void watch_robust_finish(void)
{
    for (struct watched *watch = watches; watch < &watches[MUTEXES] && watch->mutex; watch++) {
        uint32_t word = fs_load_relaxed(&watch->mutex->word);

        explore_require((word & FS_PI_TID_MASK) == 0, "the mutex is left locked");
        explore_require(!(word & FS_PI_OWNER_DIED) || watch->owed_notice,
                        "OWNER_DIED is left behind");
    }
    for (unsigned i = 0; i < EXPLORE_THREADS; i++) {
        const struct fs_robust_head *head = explore_robust_head(i);

        if (!head || explore_is_dead(i))
            continue;
        explore_require(head->first == &head->first, "R1: the list of thread %u is not empty", i);
        explore_require(!head->pending, "R1: the bracket of thread %u is still open", i);
    }
}
