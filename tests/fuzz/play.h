/* SPDX-License-Identifier: MIT */
/*
 * Playing a script: one call after the other, each time until every thread has returned or sleeps,
 * and every observation compared with the model. How scripts are chosen, run in processes of their
 * own and shrunk is the driver's business.
 */
#ifndef TESTS_FUZZ_PLAY_H
#define TESTS_FUZZ_PLAY_H

#include "script.h"

enum { LOG_SIZE = 32768 };

/* What is known of a script that was played. It may lie in memory that processes share. */
struct outcome {
    bool failed;
    bool used[STEPS_MAX]; /* the call was made */
    unsigned long calls;
    size_t length;
    char log[LOG_SIZE];
};

/* Seconds for which a mismatch may last before it is one. */
extern double play_patience;

/* True: everything agreed with the model. False: the objects and threads are of no use any more. */
bool play(const uint8_t *bytes, size_t size, struct outcome *outcome);

#endif
