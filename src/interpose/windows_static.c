/* SPDX-License-Identifier: MIT */
/* Whether the program itself contains winpthreads: then its calls are bound within its image, and
   no table leads to them. Names are gone from a finished program; a text that winpthreads' thread.c
   prints with is not. */
#include <string.h>

#include "interpose/windows_image.h"
#include "interpose/windows_start.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

/* Complete only here, so that this library is not taken for one that contains it. */
static const char text_head[] = "T%p %d V=%0X ";
static const char text_tail[] = "H=%p %s";

static bool is_text(const char *at)
{
    return memcmp(at, text_head, sizeof(text_head) - 1) == 0 &&
           memcmp(at + sizeof(text_head) - 1, text_tail, sizeof(text_tail) - 1) == 0;
}

static bool section_has_text(const char *start, size_t size)
{
    for (; size >= sizeof(text_head) + sizeof(text_tail); start++, size--)
        if (*start == text_head[0] && is_text(start))
            return true;
    return false;
}

bool fs_program_has_winpthreads(void)
{
    struct fs_image image;
    const IMAGE_NT_HEADERS *headers;
    const IMAGE_SECTION_HEADER *section;

    if (!fs_image_open(&image, GetModuleHandleW(NULL)))
        return false;
    headers = image.headers;
    section = IMAGE_FIRST_SECTION(headers);
    for (unsigned i = 0; i < headers->FileHeader.NumberOfSections; i++, section++) {
        const char *start = fs_image_at(&image, section->VirtualAddress, section->Misc.VirtualSize);

        if (start && (section->Characteristics & IMAGE_SCN_MEM_READ) &&
            (section->Characteristics & IMAGE_SCN_CNT_INITIALIZED_DATA) &&
            section_has_text(start, section->Misc.VirtualSize))
            return true;
    }
    return false;
}
