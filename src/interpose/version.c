/* SPDX-License-Identifier: MIT */
/* The version that a program can ask the library for. It comes from the build, and
   the build fails when the public header names another one. */
#include <fastsync/version.h>

#include "base/compiler.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define PARTS                                                                                      \
    TEXT(FASTSYNC_VERSION_MAJOR)                                                                   \
    "." TEXT(FASTSYNC_VERSION_MINOR) "." TEXT(FASTSYNC_VERSION_PATCH)

_Static_assert(__builtin_strcmp(FASTSYNC_VERSION, FS_VERSION) == 0, "version.h is out of date");
_Static_assert(__builtin_strcmp(FASTSYNC_VERSION, PARTS) == 0, "version.h contradicts itself");

FS_EXPORT const char *fastsync_version(void)
{
    return FS_VERSION;
}
