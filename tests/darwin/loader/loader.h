/* SPDX-License-Identifier: MIT */
/* The parts of the loader, which runs Mach-O files on Linux: an image in memory (loader_image.c),
   its rebases and binds (loader_fixups.c), the processor's thread register (loader_register.c), and
   the functions that an image finds in "libSystem" (host.c, with the doubles behind it). loader.c
   has the order in which all that happens. */
#ifndef FS_TEST_LOADER_H
#define FS_TEST_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "macho.h"

#define SEGMENTS_MAX 16
#define LIBRARIES_MAX 8
#define IMAGE_ROOM 0x10000

/* An image may be asked for any of these; what it asks beyond is refused. */
struct image {
    const char *path;
    const char *identity; /* its install name; null for a program */
    const uint8_t *slice; /* of the file, for this processor */
    size_t slice_size;
    uint64_t lowest; /* of the addresses that the file names */
    uint64_t extent;
    uintptr_t slide; /* memory address minus the file's */
    void *room;      /* IMAGE_ROOM bytes behind the segments, for code of the loader's */
    const struct macho_segment *segments[SEGMENTS_MAX];
    unsigned segment_count;
    const char *libraries[LIBRARIES_MAX];
    unsigned library_count;
    const struct macho_dyld_info *fixups; /* null: none */
    const struct macho_symbol_table *symbols;
    const struct macho_main *entry; /* null: a library */
    uint32_t type;
};

/* One entry of __interpose: who asks for `original` gets `replacement`. */
struct tuple {
    uintptr_t replacement;
    uintptr_t original;
};

/* One pointer that a bind fills in. */
struct bind {
    uintptr_t place;
    const char *name;
    const char *library;
    int64_t addend;
    bool weak;
};

/* Ends the loader with status 2 after "loader: FILE: what is wrong". */
_Noreturn void refuse(const char *path, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- loader_image.c ------------------------------------------------------ */

/* Reads the file, finds the slice, checks every command and maps the segments, still writable. */
void image_map(struct image *image, const char *path);

/* Gives the segments the protection that the file asks for. */
void image_protect(const struct image *image);

/* Calls visit for each section. */
void image_visit_sections(const struct image *image,
                          void (*visit)(const struct image *, const struct macho_section *, void *),
                          void *argument);

/* The memory of `size` bytes at an address that the file names; refuses what is outside. */
void *image_memory(const struct image *image, uint64_t address, uint64_t size);

/* The address of what the image exports by this name (with its underscore); 0: nothing. */
uintptr_t image_find_export(const struct image *image, const char *name);

/* ---- loader_fixups.c ------------------------------------------------------- */

void image_rebase(const struct image *image);
void image_visit_binds(const struct image *image,
                       void (*visit)(const struct image *, const struct bind *, void *),
                       void *argument);

/* ---- loader_register.c ------------------------------------------------------- */

/* Makes the code of a mapped image find the thread's area where macOS has its address: nothing to
   do on x86-64, instructions to replace on arm64. */
void image_patch_thread_register(struct image *image);

/* The calling thread's area from now on. */
void thread_register_set(void *area);

/* ---- host.c -------------------------------------------------------------------- */

/* What the name (with its underscore) stands for; 0: there is no such thing. */
uintptr_t host_find(const char *name);

/* From now on there is no such thing. */
void host_remove(const char *name);

/* Test programs leave out what this emulator cannot do. */
void host_set_emulator(const char *name);

#endif
