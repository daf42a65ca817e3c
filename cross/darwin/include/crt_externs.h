/* SPDX-License-Identifier: MIT */
/* Where a library finds the environment.

   Written for this project from the documented interface: what its sources and tests use, and no
   more. With Apple's SDK this file is not used. */
#ifndef FS_DARWIN_CRT_EXTERNS_H
#define FS_DARWIN_CRT_EXTERNS_H

char ***_NSGetEnviron(void);

#endif
