/* SPDX-License-Identifier: MIT */
/* What the environment said when the library was loaded on Windows. */
#ifndef FS_INTERPOSE_WINDOWS_START_H
#define FS_INTERPOSE_WINDOWS_START_H

#include <stdbool.h>

struct fs_start_switches {
    bool off, verbose, stats;
    unsigned groups;            /* enum fs_redirect_group */
    bool by_launcher, required; /* fastsync-run.exe started this process, with --require */
};

extern struct fs_start_switches fs_start_switches;

/* Whether the process ends, and the caller is its last thread: what another held is held for good.
 */
bool fs_process_is_ending(void);

/* Whether winpthreads is linked into the program statically, as far as that can be seen. */
bool fs_program_has_winpthreads(void);

#endif
