/* SPDX-License-Identifier: MIT */
/*
 * Delays of 0.3 to 1 ms at random points between delays_begin and delays_end. The rule does not
 * look at whose code is held up, so that it is the same for every implementation of the call in
 * between. One thread is held up at a time: the others overtake it, which is what a delay is for.
 */
#ifndef DEMONSTRATIONS_DELAYS_H
#define DEMONSTRATIONS_DELAYS_H

#include <stdbool.h>

enum delays_method {
    /* A perf task-clock event interrupts each thread every 20 us of its processor time. Points
     * right after a system call, where most of these interrupts arrive, are thinned out. */
    DELAYS_PERF,
    /* The processor's trap flag stops a thread after every instruction; it is held up after one
     * of the atomic ones. Slower, and needs nothing of the kernel. */
    DELAYS_STEP
};

/* 0, or the error number of the call that was refused. */
int delays_probe(enum delays_method method);
void delays_prepare(enum delays_method method);

/* In each thread that may be delayed, before its first call. Returns 0 or an error number. */
int delays_arm_thread(unsigned seed);

void delays_begin(void);
void delays_end(void);

long delays_made(void);
bool delays_running(void);

#endif
