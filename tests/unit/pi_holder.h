/* SPDX-License-Identifier: MIT */
/* A lock with priority inheritance and a thread that holds it until dismissed, for
   the tests of those locks. */
#ifndef FS_TESTS_UNIT_PI_HOLDER_H
#define FS_TESTS_UNIT_PI_HOLDER_H

#include "sleepers.h"

struct pi_lock {
    fs_word word;
    fs_word leave; /* what a holder waits for */
    const struct fs_deadline *deadline;
    enum fs_scope scope;
    bool die_holding;
};

/* The thread id in the word. */
uint32_t owner(struct pi_lock *l);

/* Bodies of threads, arg is the lock: lock and keep it until dismissed; or lock and
   unlock at once, -1 when the word did not name the thread. */
int hold(void *arg);
int lock_and_unlock(void *arg);

/* Starts a holder and returns when it has the lock and sleeps. */
void start_holder(struct sleeper *s, struct pi_lock *l);

void dismiss(struct pi_lock *l);

/* True, after a line that says so, when the kernel has no such locks. */
bool skip_without_pi(const char *name);

#endif
