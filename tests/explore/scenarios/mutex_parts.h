/* SPDX-License-Identifier: MIT */
/* What the scenarios over one plain mutex share: the mutex, and threads that lock it. */
#ifndef FS_EXPLORE_MUTEX_PARTS_H
#define FS_EXPLORE_MUTEX_PARTS_H

#include "explore.h"
#include "lock/mutex.h"
#include "watch_word.h"

extern struct fs_mutex mutex;

/* ---- start ---------------------------------------------------------------------------- */

void mutex_start(uint32_t kind, unsigned spin);
void mutex_start_normal(void);
void mutex_start_recursive(void);
void mutex_start_errorcheck(void);
void mutex_start_adaptive(void); /* spins */
void mutex_start_shared(void);

/* A normal one that is also unlocked by other threads than its holder. */
void mutex_start_strangers(void);

/* ---- threads ---------------------------------------------------------------------------- */

int mutex_acquire(enum fs_wait_mode mode, const struct fs_deadline *deadline);
int mutex_release(void);

/* These expect to succeed. */
void mutex_lock(void);
void mutex_lock_as(enum fs_wait_mode mode);
void mutex_unlock(void);

void mutex_lock_once(void);
void mutex_lock_twice(void);
void mutex_lock_until_deadline(void);
void mutex_try_once(void);

/* A door on which threads sleep as long as it is closed: the word is 0. */
void mutex_wait_at(fs_word *door, uint32_t bits);

/* Opens it, and wakes one. */
void mutex_open(fs_word *door);

/* The memory goes with the last of so many users; set in start. A user ends with this call, holding
   the mutex. */
void mutex_expect_users(unsigned count);
void mutex_leave(void (*unlock)(void));

/* ---- checks -------------------------------------------------------------------------------- */

void mutex_finish(void);

/* A waiter that has given up may leave a grant behind. */
void mutex_finish_with_grant(void);

#define MUTEX_WATCHED_BY(observer)                                                                 \
    .check = watch_word_check, .observe = (observer), .finish = mutex_finish
#define MUTEX_WATCHED MUTEX_WATCHED_BY(watch_word_observe)
#define MUTEX_WATCHED_WITH_GRANT                                                                   \
    .check = watch_word_check, .observe = watch_word_observe, .finish = mutex_finish_with_grant

#endif
