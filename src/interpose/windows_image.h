/* SPDX-License-Identifier: MIT */
/* The modules of this process as the loader lists them, and the tables of a loaded image: what it
   imports and what it exports. Nothing here calls the system but to change what is read-only; what
   is put where is left to windows_redirect.c. */
#ifndef FS_INTERPOSE_WINDOWS_IMAGE_H
#define FS_INTERPOSE_WINDOWS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "interpose/windows_redirect.h"

struct fs_image {
    uint8_t *base;
    size_t size;
    const void *headers; /* IMAGE_NT_HEADERS */
};

/* False: there is no image for this processor at this place. */
bool fs_image_open(struct fs_image *image, const void *base);

/* The table of that number in the image's directory, or null. */
const void *fs_image_table(const struct fs_image *image, unsigned number, size_t *size);

/* What is at that offset in the image, or null if size bytes do not fit in there. */
void *fs_image_at(const struct fs_image *image, size_t offset, size_t size);

/* Calls visit with every slot through which the image calls other modules, until it answers false;
   that is the result. Slots of delayed imports are among them. */
bool fs_image_each_import(const struct fs_image *image,
                          bool (*visit)(fs_function *slot, void *argument), void *argument);

/* The slot of a name in the table of exports, or null: an offset in the image. */
uint32_t *fs_image_export(const struct fs_image *image, const char *name);

/* Whether what an offset says is the name of another module's function. */
bool fs_image_is_forwarded(const struct fs_image *image, uint32_t offset);

/* Writes a slot of an image, which may be read-only. False: it cannot be written. */
bool fs_image_write(void *slot, const void *value, size_t size);

/* Calls visit with the base and the file name (of length characters, not terminated) of every
   loaded module until it answers false; that is the result. */
bool fs_module_each(bool (*visit)(void *base, const uint16_t *name, size_t length, void *argument),
                    void *argument);

/* Whether the loader began to initialise that module before the other. */
bool fs_module_is_older(const uint8_t *base, const uint8_t *other);

/* As above for the library, at any time: what fs_older_note has noted at the library's start. */
void fs_older_note(void);
bool fs_older_has(const uint8_t *base);

/* The base of the image that an address lies in, or null. */
uint8_t *fs_image_around(const void *address);

/* Whether a file name, perhaps after a path, is this one, which is in lower case. */
bool fs_module_is_named(const uint16_t *path, size_t length, const char *name);

#endif
