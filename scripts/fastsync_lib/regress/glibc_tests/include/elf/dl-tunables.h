/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for glibc's access to its tunables. Without HAVE_TUNABLES, which config.h leaves
 * undefined, a test that includes this header uses nothing of it.
 */
