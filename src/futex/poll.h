/* SPDX-License-Identifier: MIT */
/* What a wait answers that may not sleep, on any system: the caller's loop becomes polling, so this
   is where its deadline is watched. */
#ifndef FS_FUTEX_POLL_H
#define FS_FUTEX_POLL_H

#include <errno.h>

#include "futex/futex.h"

/* Returns EAGAIN, or ETIMEDOUT once the deadline has passed and *w still is what was expected. */
static inline int fs_futex_poll(fs_word *w, uint32_t expected, const struct fs_deadline *deadline)
{
    fs_system_yield();
    /* Relaxed: only the answer depends on it; the caller looks again for itself. */
    if (fs_load_relaxed(w) != expected)
        return EAGAIN;
    return fs_system_is_past(deadline) ? ETIMEDOUT : EAGAIN;
}

#endif
