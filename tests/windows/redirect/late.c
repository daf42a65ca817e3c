/* SPDX-License-Identifier: MIT */
/* A program that imports winpthreads, and loads and unloads the library whose name it is given
   while a mutex is in use: the calls before, in between and after must do the same. */
#include <pthread.h>
#include <stdio.h>
#include <windows.h>

#include "locks.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int main(int count, char **arguments)
{
    HMODULE library;
    int line = use_locks();

    if (count != 2 || pthread_mutex_lock(&mutex))
        return 1;
    library = LoadLibraryA(arguments[1]);
    if (!library || !GetProcAddress(library, "fastsync_version"))
        return 2;
    if (pthread_mutex_unlock(&mutex) || pthread_mutex_lock(&mutex))
        return 3;
    line = line ? line : use_locks();
    if (!FreeLibrary(library))
        return 4;
    if (GetModuleHandleA(arguments[1]))
        printf("the library has stayed\n");
    if (pthread_mutex_unlock(&mutex))
        return 5;
    line = line ? line : use_locks();
    printf("locks: %d\n", line);
    return line;
}
