/* SPDX-License-Identifier: MIT */
/* See word_parts.h. */
#include "word_parts.h"

#include <errno.h>

#include "lock/settings.h"

struct word_object word_object;

static fs_word gate; /* closed while it is 0 */

void word_start(enum fs_scope scope, unsigned spin)
{
    fs_settings.spin = spin;
    fs_settings.processors = 2;
    watch_word_begin(&word_object.word, scope);
    explore_name(&word_object.word, sizeof word_object.word, "word");
}

void word_start_private(void)
{
    word_start(FS_SCOPE_PRIVATE, 0);
}

void word_start_shared(void)
{
    word_start(FS_SCOPE_SHARED, 0);
}

void word_start_spinning(void)
{
    word_start(FS_SCOPE_PRIVATE, 1);
}

void word_lock(void)
{
    explore_require(fs_word_lock_acquire(&word_object.word, NULL, FS_SCOPE_PRIVATE) == 0,
                    "an acquisition for ever fails");
}

void word_unlock(void)
{
    watch_word_inside(&word_object.word);
    fs_word_lock_release(&word_object.word);
}

void word_lock_once(void)
{
    word_lock();
    word_unlock();
}

void word_lock_twice(void)
{
    word_lock_once();
    word_lock_once();
}

void word_lock_thrice(void)
{
    word_lock_twice();
    word_lock_once();
}

void word_lock_once_shared(void)
{
    explore_require(fs_word_lock_acquire(&word_object.word, NULL, FS_SCOPE_SHARED) == 0,
                    "an acquisition for ever fails");
    watch_word_inside(&word_object.word);
    fs_word_lock_release_plain(&word_object.word, FS_SCOPE_SHARED);
}

void word_lock_until_deadline(void)
{
    struct fs_deadline deadline = explore_deadline();
    int err = fs_word_lock_acquire(&word_object.word, &deadline, FS_SCOPE_PRIVATE);

    explore_require(err == 0 || err == ETIMEDOUT, "a timed acquisition returns %d", err);
    if (err == 0)
        word_unlock();
}

void word_try_once(void)
{
    if (fs_word_lock_try(&word_object.word))
        word_unlock();
}

void word_try_twice(void)
{
    word_try_once();
    word_try_once();
}

void word_gate_start(void)
{
    explore_name(&gate, sizeof gate, "gate");
}

void word_gate_wait(void)
{
    fs_futex_wait_bitset(&gate, 0, FS_LOCK_BITS_ORDINARY, NULL, FS_SCOPE_PRIVATE);
}

void word_gate_move_all(void)
{
    word_lock();
    watch_word_inside(&word_object.word);
    fs_store_release(&gate, 1);
    fs_word_lock_mark_contended(&word_object.word);
    explore_require(fs_futex_cmp_requeue(&gate, &word_object.word, 1, 0, FS_WAKE_ALL,
                                         FS_SCOPE_PRIVATE, NULL) == 0,
                    "a move fails");
}

void word_finish(void)
{
    watch_word_finish(false);
}

void word_finish_with_grant(void)
{
    watch_word_finish(true);
}
