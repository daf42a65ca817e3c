/* SPDX-License-Identifier: MIT */
/* The command line of fastsync-run.exe: its own words are taken off the front, and what is left
   goes to the program letter by letter, so that no quoting can be lost. */
#ifndef FS_LAUNCH_LINE_H
#define FS_LAUNCH_LINE_H

#include <stdbool.h>

#include "launch/insert.h"

struct fs_line {
    bool help, version;
    bool require;      /* end instead of running a program without winpthreads */
    DWORD insert_into; /* a process, or 0 */
    const WCHAR *rest; /* of the command line, from the program's name on */
    WCHAR program[FS_LAUNCH_PATH];
    WCHAR library[FS_LAUNCH_PATH]; /* or empty */
};

/* Returns null, or what is wrong. */
const char *fs_line_read(struct fs_line *line, const WCHAR *text);

#endif
