/* SPDX-License-Identifier: MIT */
/* Making a failing script small, while it keeps failing. How a script is tried is the caller's
   business: it may fail only sometimes, and it may take the process with it. */
#ifndef TESTS_FUZZ_SHRINK_H
#define TESTS_FUZZ_SHRINK_H

#include "script.h"

/* Whether the script still fails; `used` then tells which calls it made. */
typedef bool shrink_fails(const uint8_t *bytes, size_t size, bool used[STEPS_MAX]);

/* Shrinks in place; returns the new size. */
size_t shrink(uint8_t bytes[SCRIPT_BYTES_MAX], size_t size, shrink_fails *fails);

#endif
