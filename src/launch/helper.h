/* SPDX-License-Identifier: MIT */
/* What a process of 32 bits cannot do to one of 64: the 64-bit fastsync-run.exe does it for it. */
#ifndef FS_LAUNCH_HELPER_H
#define FS_LAUNCH_HELPER_H

#include <stdbool.h>

#include "launch/insert.h"

/* Of fastsync-run.exe; the number of a process follows. */
#define FS_HELPER_OPTION "--insert-into"

/* Whether this process is of 32 bits and the other one of 64. */
bool fs_helper_is_needed(HANDLE process);

/* As fs_launch_insert. */
const char *fs_helper_insert(HANDLE process, const struct fs_library *library);

#endif
