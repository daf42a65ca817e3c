/* SPDX-License-Identifier: MIT */
/* FASTSYNC_STATS=1: how often each function was called through a redirection. Without it nothing of
   this is on any path. */
#ifndef FS_INTERPOSE_WINDOWS_STATS_H
#define FS_INTERPOSE_WINDOWS_STATS_H

#include <stdbool.h>
#include <stddef.h>

#include "interpose/windows_redirect.h"

/* Before the rows are attached: makes their targets count. False: no executable memory, and nothing
   counts. */
bool fs_stats_start(struct fs_redirection *rows, size_t count);

/* At the process's end: a line on standard error for each row, "fastsync: stats PROCESS NAME
   COUNT", for those that are in place or were called. */
void fs_stats_report(void);

#endif
