/* SPDX-License-Identifier: MIT */
/* A program that imports winpthreads. Its arguments are printed, one line each; the status is 0, or
   what "--status N" asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "locks.h"

int main(int count, char **arguments)
{
    int line = use_locks();

    for (int i = 1; i < count; i++)
        printf("<%s>\n", arguments[i]);
    printf("locks: %d\n", line);
    if (!line && count > 2 && strcmp(arguments[1], "--status") == 0)
        return atoi(arguments[2]);
    return line;
}
