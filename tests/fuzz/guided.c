/* SPDX-License-Identifier: MIT */
/*
 * The entry for libFuzzer, which writes the scripts by the coverage of the instrumented library.
 * A failing script is printed and ends the process; libFuzzer keeps its bytes, which fuzz_locks
 * --replay takes in hexadecimal and shrinks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "play.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct outcome outcome;

    if (size > SCRIPT_BYTES_MAX)
        size = SCRIPT_BYTES_MAX;
    if (play(bytes, size, &outcome))
        return 0;
    outcome.log[outcome.length] = '\0';
    fprintf(stderr, "%s\nreplay: fuzz_locks --replay ", outcome.log);
    for (size_t i = 0; i < size; i++)
        fprintf(stderr, "%02x", bytes[i]);
    fprintf(stderr, "\n");
    abort();
}
