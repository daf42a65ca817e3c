/* SPDX-License-Identifier: MIT */
/* The switches of an environment. A value that is not understood gets one line on standard error,
   and the default holds. */
#ifndef FS_INTERPOSE_SWITCHES_H
#define FS_INTERPOSE_SWITCHES_H

#include <stdbool.h>
#include <stddef.h>

/* Where to read: as the C library has the environment, or as the kernel gave it. */
struct fs_switches {
    const char *const *list; /* null: use text */
    const char *text;        /* NUL-separated */
    size_t length;
};

/* The value of a variable, or null. */
const char *fs_switch_value(const struct fs_switches *from, const char *name);

/* The value of a switch that is 0 or 1. */
bool fs_switch_read(const struct fs_switches *from, const char *name, bool otherwise);

/* The value of a number from 0 to max. */
unsigned fs_switch_read_number(const struct fs_switches *from, const char *name, unsigned max,
                               unsigned otherwise);

#endif
