/* SPDX-License-Identifier: MIT */
/* Looking at a program's file before it is started. */
#ifndef FS_LAUNCH_PROGRAM_H
#define FS_LAUNCH_PROGRAM_H

#include "launch/insert.h"

/* Finds the file as CreateProcess does. Returns null, or what is wrong. */
const char *fs_program_find(const WCHAR *name, WCHAR path[FS_LAUNCH_PATH]);

/* Returns null if it can be run with the library, or what is wrong. */
const char *fs_program_check(const WCHAR *path);

#endif
