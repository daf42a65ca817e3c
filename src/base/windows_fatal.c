/* SPDX-License-Identifier: MIT */
/* Output for the rare line and for the last line of a process on Windows, by calls of the system
   alone: there is no C runtime below the library. The line itself is put together in line.h. */
#include "base/fatal.h"

#include <stdarg.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "base/line.h"

/* What a program that calls abort() leaves as its status. */
#define STATUS_OF_ABORT 3

void fs_report(const char *part, ...)
{
    char line[FS_LINE_MAX];
    size_t used = fs_line_append(line, 0, "fastsync: ");
    DWORD saved = GetLastError();
    DWORD written;
    va_list parts;

    va_start(parts, part);
    for (; part; part = va_arg(parts, const char *))
        used = fs_line_append(line, used, part);
    va_end(parts);
    line[used++] = '\n';
    /* If nobody can be told, nobody can be told that either. */
    WriteFile(GetStdHandle(STD_ERROR_HANDLE), line, (DWORD)used, &written, NULL);
    SetLastError(saved);
}

_Noreturn void fs_fatal(const char *what, long number)
{
    char digits[24];

    fs_report(what, ": unexpected result ", fs_format_number(number, digits),
              "; this is a bug, the process ends here", (char *)0);
    for (;;)
        TerminateProcess(GetCurrentProcess(), STATUS_OF_ABORT);
}
