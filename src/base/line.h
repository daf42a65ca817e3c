/* SPDX-License-Identifier: MIT */
/* The line that fs_report and fs_fatal write, put together in a buffer of fixed length. Included by
   the one file of a system that writes it, which decides where it goes and how a process ends; so
   fs_format_number of fatal.h is defined here. */
#ifndef FS_BASE_LINE_H
#define FS_BASE_LINE_H

#include <stddef.h>
#include <string.h>

#include "base/fatal.h"

#define FS_LINE_MAX 512

static size_t fs_line_append(char *line, size_t used, const char *text)
{
    size_t room = FS_LINE_MAX - 1 - used;
    size_t length = strlen(text);

    if (length > room)
        length = room;
    memcpy(line + used, text, length);
    return used + length;
}

const char *fs_format_number(long number, char buffer[24])
{
    char *end = buffer + 23;
    unsigned long rest = number < 0 ? -(unsigned long)number : (unsigned long)number;

    *end = '\0';
    do {
        *--end = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0)
        *--end = '-';
    return end;
}

#endif
