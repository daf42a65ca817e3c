/* SPDX-License-Identifier: MIT */
/* What the module of locks and scenarios tells the explorer, by one symbol. */
#ifndef FS_EXPLORE_MODULE_H
#define FS_EXPLORE_MODULE_H

#include "explore.h"

struct explore_module {
    const struct explore_scenario *const *scenarios; /* one table per file; ends with null */
    bool without_wake_bits; /* the locks were compiled for a kernel whose sleepers have no bits */
    void *locals; /* the section that the simulated compiler.h puts thread-local variables in */
    void *locals_end;
};

extern FS_EXPORT const struct explore_module explore_module;

#endif
