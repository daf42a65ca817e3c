/* SPDX-License-Identifier: MIT */
/* A thread that wants a lock word, for the tests of lock/word_lock.h: put to sleep on a held word,
   it holds the word once it gets it until it is told to release. */
#ifndef FS_TESTS_UNIT_WORD_LOCKER_H
#define FS_TESTS_UNIT_WORD_LOCKER_H

#include "sleepers.h"

#include "eventually.h"
#include "lock/settings.h"
#include "lock/word_lock.h"

/* A word and a thread that wants it. */
struct locker {
    fs_word *word;
    const struct fs_deadline *deadline;
    enum fs_scope scope;
    fs_word may_release;
    struct sleeper sleeper;
};

static inline int acquire_and_release(void *arg)
{
    struct locker *me = arg;
    int err = QUIET(fs_word_lock_acquire(me->word, me->deadline, me->scope));

    if (err != 0)
        return err;
    EVENTUALLY(fs_load_acquire(&me->may_release));
    fs_word_lock_release(me->word);
    return 0;
}

static inline void start_locker(struct locker *me, fs_word *word)
{
    me->word = word;
    sleeper_put_to_sleep(&me->sleeper, acquire_and_release, me);
}

static inline int finish_locker(struct locker *me)
{
    fs_store_release(&me->may_release, 1);
    return sleeper_join(&me->sleeper);
}

#endif
