/* SPDX-License-Identifier: MIT */
/* Lines on standard error without stdio, and the end of a process whose locks
   can no longer be trusted. Usable before any constructor and in a handler. */
#ifndef FS_BASE_FATAL_H
#define FS_BASE_FATAL_H

#include "base/compiler.h"

/* Writes "fastsync: " and the parts, ended by a null pointer, as one line with a
   single write. Keeps errno. */
void fs_report(const char *part, ...) __attribute__((sentinel));

/* As fs_report with what failed and its number, then abort(). */
_Noreturn void fs_fatal(const char *what, long number) FS_COLD;

/* Decimal digits of number in the buffer; returns their start. */
const char *fs_format_number(long number, char buffer[24]);

#endif
