/* SPDX-License-Identifier: MIT */
/* base/compiler.h as the explorer has it: thread-local variables lie in a section that is exchanged
   when another coroutine goes on. */
#ifndef FS_SIM_COMPILER_H
#define FS_SIM_COMPILER_H

#pragma GCC system_header /* for #include_next */
#include_next "base/compiler.h"

#undef FS_THREAD_LOCAL
#define FS_THREAD_LOCAL __attribute__((section("sim_thread_locals")))

#undef FS_INDEPENDENT
#define FS_INDEPENDENT(type, constant) ((type)(constant))

#endif
