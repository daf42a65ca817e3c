/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for the header that glibc's build puts in front of every file. A test sees the same
 * declarations as a user's program does, with all extensions; internal ones do not exist here,
 * so a test that needs them does not build, or finds them in the other stand-ins.
 */
#ifndef FASTSYNC_STAND_IN_LIBC_SYMBOLS_H
#define FASTSYNC_STAND_IN_LIBC_SYMBOLS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

/* Some tests ask in which module of glibc they are; the answer is: in none. */
#define IS_IN(module) 0

/* Marks of glibc's own objects, without meaning in a program. */
#define attribute_hidden
#define libc_hidden_proto(name)
#define libc_hidden_def(name)

#include <config.h>

#endif
