/* SPDX-License-Identifier: MIT */
/* What the C library's own code does to a normal mutex that was turned over to it: its lock knows
   0, 1 and 2, but no hunger and no grant. */
#ifndef FS_EXPLORE_MUTEX_LIBC_H
#define FS_EXPLORE_MUTEX_LIBC_H

#include "mutex_parts.h"

/* In start: the C library unlocks in two steps, as on x86 up to 2019. */
void mutex_use_older_libc(void);

void mutex_lock_in_libc(void);
void mutex_unlock_in_libc(void);

bool mutex_is_turned_over(void);

/* By our code, or by the C library's once the mutex is turned over: each in some schedule. */
void mutex_lock_either(void);
void mutex_unlock_either(void);

#endif
