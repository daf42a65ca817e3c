/* SPDX-License-Identifier: MIT */
/* Output for the rare line and for the last line of a process; nothing here
   allocates, locks or goes through stdio. */
#include "base/fatal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_LENGTH 512

static size_t append(char *line, size_t used, const char *text)
{
    size_t room = LINE_MAX_LENGTH - 1 - used;
    size_t length = strlen(text);

    if (length > room)
        length = room;
    memcpy(line + used, text, length);
    return used + length;
}

void fs_report(const char *part, ...)
{
    char line[LINE_MAX_LENGTH];
    size_t used = append(line, 0, "fastsync: ");
    int saved = errno;
    va_list parts;

    va_start(parts, part);
    for (; part; part = va_arg(parts, const char *))
        used = append(line, used, part);
    va_end(parts);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0) {
        /* Nobody can be told that nobody can be told. */
    }
    errno = saved;
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

_Noreturn void fs_fatal(const char *what, long number)
{
    char digits[24];

    fs_report(what, ": unexpected result ", fs_format_number(number, digits),
              "; this is a bug, the process ends here", (char *)0);
    abort();
}
