/* SPDX-License-Identifier: MIT */
/* Signalling a thread by its name, for systems that have a call for it. */
#ifndef FS_LOCK_CONDITION_THREAD_H
#define FS_LOCK_CONDITION_THREAD_H

#include "lock/condition.h"

/* Wakes this thread if it waits there with an ordinary mutex, named so when it joined; else
   nobody. */
void fs_condition_signal_thread(struct fs_condition *c, const void *thread);

#endif
