/* SPDX-License-Identifier: MIT */
/* What lib_early.c offers to the program that is linked with it. */
#ifndef TESTS_PRELOAD_LIB_EARLY_H
#define TESTS_PRELOAD_LIB_EARLY_H

#include <stdbool.h>

/* NULL, or what failed in the constructor. */
const char *early_constructor_failure(void);

/* Asks the destructor to run the snippet and to print the result. */
void early_report_in_destructor(void);

/* Writes "place: fine" or "place: failure" to standard output; a failure ends the process. */
void early_print(const char *place, const char *failure);

#endif
