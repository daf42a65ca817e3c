/* SPDX-License-Identifier: MIT */
/* Which modules are older than the library: those whose code ran first may have Win32's locks in
   use. They are noted at the start, since later the loader's lists may change at any moment. */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "interpose/windows_image.h"

#define OLDER_MAX 256 /* a handful, as a rule; those beyond are taken for newer */

static const uint8_t *older[OLDER_MAX];
static size_t older_count;

extern const uint8_t own_image[] FS_LABEL(__ImageBase);

static bool note(void *base, const uint16_t *name, size_t length, void *unused)
{
    if (!fs_module_is_older(base, own_image))
        return true;
    if (older_count == OLDER_MAX)
        return false;
    older[older_count++] = base;
    return true;
}

void fs_older_note(void)
{
    fs_module_each(note, NULL);
}

bool fs_older_has(const uint8_t *base)
{
    for (size_t i = 0; i < older_count; i++)
        if (older[i] == base)
            return true;
    return false;
}

uint8_t *fs_image_around(const void *address)
{
    MEMORY_BASIC_INFORMATION about;

    if (!VirtualQuery(address, &about, sizeof(about)) || about.Type != MEM_IMAGE)
        return NULL;
    return about.AllocationBase;
}
