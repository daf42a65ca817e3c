/* SPDX-License-Identifier: MIT */
/* Output for the rare line and for the last line of a process; nothing here
   allocates, locks or goes through stdio. */
#include "base/fatal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/line.h"

void fs_report(const char *part, ...)
{
    char line[FS_LINE_MAX];
    size_t used = fs_line_append(line, 0, "fastsync: ");
    int saved = errno;
    va_list parts;

    va_start(parts, part);
    for (; part; part = va_arg(parts, const char *))
        used = fs_line_append(line, used, part);
    va_end(parts);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0) {
        /* Nobody can be told that nobody can be told. */
    }
    errno = saved;
}

_Noreturn void fs_fatal(const char *what, long number)
{
    char digits[24];

    fs_report(what, ": unexpected result ", fs_format_number(number, digits),
              "; this is a bug, the process ends here", (char *)0);
    abort();
}
