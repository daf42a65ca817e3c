/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for what glibc knows of a machine's stack: on x86-64 and most others it grows down.
 */
#define _STACK_GROWS_DOWN 1
#define _STACK_GROWS_UP 0
