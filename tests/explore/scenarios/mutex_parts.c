/* SPDX-License-Identifier: MIT */
/* See mutex_parts.h. */
#include "mutex_parts.h"

#include <errno.h>

#include "lock/settings.h"

struct fs_mutex mutex;
static unsigned users; /* who have still to acquire the mutex; 0: its memory stays */

void mutex_start(uint32_t kind, unsigned spin)
{
    fs_settings.spin = spin;
    fs_settings.processors = 2;
    fs_store_relaxed(&mutex.kind, kind);
    watch_mutex_begin(&mutex);
    explore_name(&mutex.word, sizeof mutex.word, "mutex.word");
    explore_name(&mutex.count, sizeof mutex.count, "mutex.count");
    explore_name(&mutex.owner, sizeof mutex.owner, "mutex.owner");
    explore_name(&mutex.kind, sizeof mutex.kind, "mutex.kind");
    if (!(kind & FS_KIND_SHARED))
        explore_name(&mutex.debt, sizeof mutex.debt, "mutex.debt");
}

void mutex_start_normal(void)
{
    mutex_start(FS_KIND_NORMAL, 0);
}

void mutex_start_recursive(void)
{
    mutex_start(FS_KIND_RECURSIVE, 0);
}

void mutex_start_errorcheck(void)
{
    mutex_start(FS_KIND_ERRORCHECK, 0);
}

void mutex_start_adaptive(void)
{
    mutex_start(FS_KIND_ADAPTIVE, 1);
}

void mutex_start_shared(void)
{
    mutex_start(FS_KIND_NORMAL | FS_KIND_SHARED, 0);
}

void mutex_start_strangers(void)
{
    mutex_start_normal();
    watch_word_allow_strangers(&mutex.word);
}

int mutex_acquire(enum fs_wait_mode mode, const struct fs_deadline *deadline)
{
    return fs_mutex_acquire(&mutex, fs_mutex_kind(&mutex), mode, deadline);
}

int mutex_release(void)
{
    return fs_mutex_release(&mutex, fs_mutex_kind(&mutex));
}

void mutex_lock_as(enum fs_wait_mode mode)
{
    int err = mutex_acquire(mode, NULL);

    explore_require(err == 0, "a lock returns %d", err);
}

void mutex_lock(void)
{
    mutex_lock_as(FS_WAIT_FOREVER);
}

void mutex_unlock(void)
{
    int err = mutex_release();

    explore_require(err == 0, "an unlock by the holder returns %d", err);
}

void mutex_lock_once(void)
{
    mutex_lock();
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

void mutex_lock_twice(void)
{
    mutex_lock_once();
    mutex_lock_once();
}

void mutex_lock_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = mutex_acquire(FS_WAIT_UNTIL, &deadline);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed lock returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

void mutex_try_once(void)
{
    int err = mutex_acquire(FS_WAIT_NEVER, NULL);

    explore_require(err == 0 || err == EBUSY, "a try returns %d", err);
    if (err != 0)
        return;
    watch_word_inside(&mutex.word);
    mutex_unlock();
}

void mutex_wait_at(fs_word *door, uint32_t bits)
{
    while (fs_load_acquire(door) == 0)
        fs_futex_wait_bitset(door, 0, bits, NULL, FS_SCOPE_PRIVATE);
}

void mutex_open(fs_word *door)
{
    fs_store_release(door, 1);
    fs_futex_wake(door, 1, FS_SCOPE_PRIVATE);
}

void mutex_expect_users(unsigned count)
{
    users = count;
}

void mutex_leave(void (*unlock)(void))
{
    bool last;

    watch_word_inside(&mutex.word);
    last = --users == 0;
    unlock();
    if (!last)
        return;
    watch_word_end(&mutex.word);
    explore_kill_memory(&mutex, sizeof mutex);
}

void mutex_finish(void)
{
    watch_word_finish(false);
}

void mutex_finish_with_grant(void)
{
    watch_word_finish(true);
}
