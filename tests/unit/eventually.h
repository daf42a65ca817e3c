/* SPDX-License-Identifier: MIT */
/* Waiting for a condition that other threads bring about. The test's own time limit ends
   a wait in vain. */
#ifndef FS_TESTS_UNIT_EVENTUALLY_H
#define FS_TESTS_UNIT_EVENTUALLY_H

#include <time.h>

static inline void sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        while (!(condition))                                                                       \
            sleep_ms(1);                                                                           \
    } while (0)

#endif
