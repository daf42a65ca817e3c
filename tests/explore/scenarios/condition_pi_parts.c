/* SPDX-License-Identifier: MIT */
/* See condition_pi_parts.h. D1 to D3 are checked by watch_condition_pi.c, C1 to C5 by
   watch_group.c, the words by watch_pi.c, a robust mutex by watch_robust.c. */
#include "scenarios/condition_pi_parts.h"

#include "lock/pi_mutex.h"
#include "scenarios/watch_condition_pi.h"
#include "scenarios/watch_group.h"
#include "scenarios/watch_pi.h"
#include "scenarios/watch_robust.h"

struct fs_mutex part_mutex;
struct fs_mutex part_second;
struct fs_condition part_cond;

bool part_ready;
uint8_t part_asked;
uint8_t part_got;

/* ---- setting up --------------------------------------------------------------------- */

/* A group is there already: fewer steps. */
static void warm_up(void)
{
    struct fs_wait wait;

    explore_require(
        fs_condition_join(&part_cond, &part_mutex.word, FS_MOVE_NEVER, FS_TABLE_PI, NULL, &wait) &&
            !fs_condition_retract(&wait),
        "no memory for a waiter");
    fs_condition_finish(&wait, false);
    fs_store_relaxed(&part_cond.queued, 0);
}

void part_set_up(uint32_t kind)
{
    struct fs_bucket *bucket;

    call_set_up(0, 2);
    call_init_mutex(&part_mutex, kind, "mutex");
    call_init_mutex(&part_second, kind, "second");
    explore_name(&part_cond, sizeof part_cond, "cond");
    watch_pi_start(&part_mutex.word, "mutex");
    warm_up();
    bucket = fs_bucket_of(&part_cond, FS_TABLE_PI);
    watch_pi_start(&bucket->lock, "bucket");
    watch_condition_pi_start(bucket);
    watch_condition(&part_cond);
}

void part_plain(void)
{
    part_set_up(FS_KIND_PI);
}

void part_robust(void)
{
    part_set_up(FS_KIND_PI | FS_KIND_ROBUST | FS_KIND_SHARED);
    watch_robust_start(&part_mutex, fs_mutex_kind(&part_mutex), "mutex");
}

void part_two_mutexes(void)
{
    part_plain();
    watch_pi_start(&part_second.word, "second");
}

/* ---- watching ----------------------------------------------------------------------- */

void part_observe(const struct explore_event *event)
{
    if (event->kind == EVENT_DEATH && call_holder_of(&part_mutex) == event->thread)
        call_forget_others();
    watch_pi_observe(event);
    watch_robust_observe(event);
    if (!watch_condition_pi_observe(event))
        watch_group_observe(event);
}

void part_check(void)
{
    watch_group_check();
    watch_pi_check();
    watch_robust_check();
}

void part_finish(void)
{
    watch_group_finish();
    watch_pi_finish();
    watch_robust_finish();
}

/* ---- waiting ------------------------------------------------------------------------ */

void part_lock(void)
{
    int err = call_lock(&part_mutex);

    if (err == EOWNERDEAD)
        err = fs_mutex_make_consistent(&part_mutex, fs_mutex_kind(&part_mutex));
    explore_require(err == 0, "a lock gives %d", err);
}

void part_unlock(void)
{
    explore_require(call_unlock(&part_mutex) == 0, "the holder cannot unlock");
}

/* The word is, and so are the fields beside it. */
bool part_is_mine(void)
{
    return (fs_load_relaxed(&part_mutex.word) & FS_PI_TID_MASK) == fs_thread_id() &&
           fs_mutex_is_mine(&part_mutex) && part_mutex.count == 1;
}

/* Returns whether it waited at all. */
bool part_wait_for_ready(const struct fs_deadline *deadline)
{
    unsigned me = explore_self();
    int err;

    if (part_ready)
        return false;
    part_asked |= PART_BIT(me);
    err = call_wait_until(&part_cond, &part_mutex, deadline);
    if (err == EOWNERDEAD)
        err = fs_mutex_make_consistent(&part_mutex, fs_mutex_kind(&part_mutex));
    explore_require(part_is_mine(), "a wait returned without the mutex");
    part_asked &= (uint8_t)~PART_BIT(me);
    explore_require(err == 0 || (err == ETIMEDOUT && deadline), "a wait returned %d", err);
    explore_require(err != 0 || part_ready, "a wait returned, and nobody had signalled");
    if (err == 0)
        part_got |= PART_BIT(me);
    return err == 0;
}

void part_waits(void)
{
    part_lock();
    part_wait_for_ready(NULL);
    part_unlock();
}

void part_waits_until(void)
{
    struct fs_deadline deadline = explore_deadline();

    part_lock();
    part_wait_for_ready(&deadline);
    part_unlock();
}

void part_waits_or_is_cancelled(void)
{
    int err = 0;

    part_lock();
    if (!part_ready)
        err = call_wait(&part_cond, &part_mutex);
    explore_require(err == CALL_CANCELLED || (err == 0 && part_ready), "a wait returned %d", err);
    explore_require(part_is_mine(), "a wait returned without the mutex");
    if (err == 0)
        part_got |= PART_BIT(explore_self());
    part_unlock();
}

/* ---- signalling --------------------------------------------------------------------- */

void part_signals_holding(void)
{
    part_lock();
    part_ready = true;
    call_signal(&part_cond);
    part_unlock();
}

void part_signals_free(void)
{
    part_lock();
    part_ready = true;
    part_unlock();
    call_signal(&part_cond);
}

void part_broadcasts_holding(void)
{
    part_lock();
    part_ready = true;
    call_broadcast(&part_cond);
    part_unlock();
}

void part_broadcasts_free(void)
{
    part_lock();
    part_ready = true;
    part_unlock();
    call_broadcast(&part_cond);
}

void part_broadcasts_when_quiet(void)
{
    explore_wait_until_quiet();
    part_ready = true;
    call_broadcast(&part_cond);
}

void part_cancels_first(void)
{
    call_cancel(0);
}

/* A thread ends where its program lets it: with the mutex perhaps, but not inside a call on a
   condition variable. */
void part_signals_and_ends(void)
{
    part_lock();
    part_ready = true;
    call_signal(&part_cond);
    explore_set_mortal(explore_self());
    explore_step("may end here");
    part_unlock();
}
