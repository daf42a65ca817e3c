/* SPDX-License-Identifier: MIT */
/* What test_regress.c and the constructor of plugin_waiting.c share; the program has it. */
#ifndef TESTS_PRELOAD_PLUGIN_WAITING_H
#define TESTS_PRELOAD_PLUGIN_WAITING_H

extern int constructor_waits;
extern int program_has_called;
extern int constructor_had_answer;

#endif
