/* SPDX-License-Identifier: MIT */
/* Where the library is, and its path in the letters of an import table. */
#ifndef FS_LAUNCH_LIBRARY_H
#define FS_LAUNCH_LIBRARY_H

#include <stdbool.h>

#include "launch/insert.h"

/* The path of the library for a program of that width. Returns null, or what is wrong. */
const char *fs_library_path(const struct fs_library *library, bool wide, char path[FS_LAUNCH_PATH]);

/* Puts a file name behind the folder. False: it does not fit. */
bool fs_library_file(const struct fs_library *library, const WCHAR *name,
                     WCHAR path[FS_LAUNCH_PATH]);

#endif
