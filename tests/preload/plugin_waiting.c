/* SPDX-License-Identifier: MIT */
/* A plug-in whose constructor waits for another thread of the program, and says whether that one
   could do its part while the loader's lock is held. */
#include "plugin_waiting.h"

#include <unistd.h>

enum {
    PAUSE_US = 1000,
    PAUSES = 20000,
};

__attribute__((constructor)) static void wait_for_the_program(void)
{
    __atomic_store_n(&constructor_waits, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < PAUSES && !__atomic_load_n(&program_has_called, __ATOMIC_ACQUIRE); i++)
        usleep(PAUSE_US);
    constructor_had_answer = __atomic_load_n(&program_has_called, __ATOMIC_ACQUIRE);
}
