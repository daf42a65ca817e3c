/* SPDX-License-Identifier: MIT */
/* Where the traced code was loaded from, for its source lines; the rest of trace.c is in world.h.
 */
#ifndef FS_EXPLORE_TRACE_H
#define FS_EXPLORE_TRACE_H

#include <stdint.h>

void trace_set_module(const char *path, uintptr_t base);

#endif
