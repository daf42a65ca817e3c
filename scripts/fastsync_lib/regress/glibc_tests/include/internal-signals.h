/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for glibc's header on the signals that it keeps for itself: the first two real-time
 * signals of the kernel, for cancellation and for setuid in all threads.
 */
#ifndef FASTSYNC_STAND_IN_INTERNAL_SIGNALS_H
#define FASTSYNC_STAND_IN_INTERNAL_SIGNALS_H

#include <signal.h>

#define SIGCANCEL __SIGRTMIN
#define SIGSETXID (__SIGRTMIN + 1)

#endif
