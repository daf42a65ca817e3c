/* SPDX-License-Identifier: MIT */
/* Being told of modules that are loaded and unloaded later. What is done about them is left to
   windows_redirect.c. */
#ifndef FS_INTERPOSE_WINDOWS_LATER_H
#define FS_INTERPOSE_WINDOWS_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Asks the loader for it, once. False: it refuses. */
bool fs_later_start(void);
void fs_later_stop(void);

/* Called by the loader, which holds its lock, before code of the module runs. The name is a path of
   length characters, not terminated. */
void fs_redirect_loaded(uint8_t *base, const uint16_t *name, size_t length);

/* Called after the last code of the module has run. */
void fs_redirect_unloaded(uint8_t *base);

#endif
