/* SPDX-License-Identifier: MIT */
/* The calls that programs make, on the locks' own types. The steps are those of src/lock; of
   src/interpose they repeat which of its functions a call goes on with, and when a thread looks
   whether it is cancelled. Where that changes, so must it here.

   Besides, every mutex given to these calls has a ghost that knows its holder: two at once are a
   failure.

   Cancellation is the C library's affair; here a request is a bit, and acting upon it is a result,
   CALL_CANCELLED: the caller holds the mutex then, as a cleanup handler would, and ends. */
#ifndef FS_EXPLORE_CALLS_H
#define FS_EXPLORE_CALLS_H

#include <errno.h>

#include "explore.h"
#include "lock/mutex.h"
#include "lock/settings.h"
#include "lock/wait.h"

#define CALL_CANCELLED (-1)

/* ---- in start ------------------------------------------------------------------- */

/* Few looks before a sleep keep the number of states small; nobody spins on one processor. */
void call_set_up(unsigned spin, unsigned processors);

void call_init_mutex(struct fs_mutex *m, uint32_t kind, const char *name);

/* A group for waiters of these two is there already: fewer steps. */
void call_warm_up(struct fs_condition *c, struct fs_mutex *m);

/* The thread acts on no cancellation. */
void call_disable_cancellation(unsigned thread);

/* The thread is within a wait: it has queued itself and given up the mutex. It begins with
   call_wait_on. */
void call_join_for(unsigned thread, struct fs_condition *c, struct fs_mutex *m);

/* ---- in threads ------------------------------------------------------------------ */

/* The rest of a wait begun by call_join_for. */
int call_wait_on(const struct fs_deadline *deadline);

int call_lock(struct fs_mutex *m);
int call_unlock(struct fs_mutex *m);

/* As the C library locks and unlocks a mutex that was turned over: it knows 0, 1 and 2 only. */
void call_lock_in_libc(struct fs_mutex *m);
void call_unlock_in_libc(struct fs_mutex *m);

/* Return what the program's call returns, or CALL_CANCELLED. */
int call_wait(struct fs_condition *c, struct fs_mutex *m);
int call_wait_until(struct fs_condition *c, struct fs_mutex *m, const struct fs_deadline *deadline);
void call_signal(struct fs_condition *c);
void call_broadcast(struct fs_condition *c);
void call_cancel(unsigned thread);

/* The forked child knows of no holder but its own thread. */
void call_forget_others(void);

/* ---- from anywhere ----------------------------------------------------------------- */

/* What the queues know a thread by. */
const void *call_name_of(unsigned thread);

/* Whom the ghost knows as holder; EXPLORE_NOBODY. */
unsigned call_holder_of(const struct fs_mutex *m);

/* ---- between calls.c and calls_wait.c --------------------------------------------- */

/* The calling thread comes out of a wait with the mutex, by call_lock or otherwise. */
void call_note_held_again(const struct fs_mutex *m);

void call_name_cancellation(void);

#endif
