/* SPDX-License-Identifier: MIT */
/* Making a process that has not run yet load our library before everything else: an entry in the
   import table of its image. Used by fastsync-run.exe, and by the library for children. How the
   process is created and resumed is left to them. */
#ifndef FS_LAUNCH_INSERT_H
#define FS_LAUNCH_INSERT_H

#include <stdbool.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define FS_LAUNCH_PATH 1024 /* characters of a path at most */

/* The library's file for programs of 64 and of 32 bits. Both lie in one folder, or one is named. */
struct fs_library {
    WCHAR folder[FS_LAUNCH_PATH]; /* with its last \ */
    WCHAR file[FS_LAUNCH_PATH];   /* empty: by the program's width, in that folder */
    bool is_own;                  /* the file is for programs of this one's width only */
};

/* The folder of a module of this process; null: of its program. False: its path is too long. */
bool fs_library_beside(struct fs_library *library, HMODULE module);

/* As that, and the module itself is the file, whatever its name. */
bool fs_library_own(struct fs_library *library, HMODULE module);

/* The process must be suspended, and no thread of it have run. Returns null, or why the library is
   not in it; then the process is as it was. */
const char *fs_launch_insert(HANDLE process, const struct fs_library *library);

#endif
