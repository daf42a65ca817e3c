/* SPDX-License-Identifier: MIT */
/* See mutex_libc.h. */
#include "mutex_libc.h"

static bool older; /* the C library is of the older kind */

void mutex_use_older_libc(void)
{
    older = true;
}

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

/* As on x86 up to 2019. */
static void unlock_word_in_older_libc(fs_word *w)
{
    if (fs_add_seq_cst(w, UINT32_MAX) == 1)
        return;
    fs_store_release(w, 0);
    fs_futex_wake(w, 1, FS_SCOPE_PRIVATE);
}

void mutex_lock_in_libc(void)
{
    lock_word_in_libc(&mutex.word);
    fs_mutex_note_holder(&mutex);
}

void mutex_unlock_in_libc(void)
{
    fs_store_relaxed(&mutex.owner, 0);
    if (older)
        unlock_word_in_older_libc(&mutex.word);
    else
        unlock_word_in_libc(&mutex.word);
}

bool mutex_is_turned_over(void)
{
    return fs_mutex_kind(&mutex) & FS_KIND_TURNED_OVER;
}

void mutex_lock_either(void)
{
    if (mutex_is_turned_over() && explore_choose(2, "who locks") == 1)
        mutex_lock_in_libc();
    else
        mutex_lock();
}

void mutex_unlock_either(void)
{
    if (mutex_is_turned_over() && explore_choose(2, "who unlocks") == 1)
        mutex_unlock_in_libc();
    else
        mutex_unlock();
}
