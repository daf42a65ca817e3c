/* SPDX-License-Identifier: MIT */
/* A program without winpthreads in its imports: it loads the module and looks two functions up, by
   the names or numbers that it is given, and calls each three times. Given --twice it does so again
   after the module was unloaded, and with --handed-on FILE another module hands the functions on.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

typedef int call(intptr_t *mutex);

static call *find(HMODULE module, const char *name)
{
    FARPROC found = GetProcAddress(module, atoi(name) ? MAKEINTRESOURCEA(atoi(name)) : name);

    if (!found)
        exit(2);
    return (call *)(void (*)(void))found;
}

static int use(const char *file, const char *lock_name, const char *unlock_name)
{
    intptr_t mutex = -1; /* PTHREAD_MUTEX_INITIALIZER */
    HMODULE module = LoadLibraryA(file);
    call *lock, *unlock;
    int wrong = 0;

    if (!module)
        return 3;
    lock = find(module, lock_name);
    unlock = find(module, unlock_name);
    for (int i = 0; i < 3; i++)
        wrong |= lock(&mutex) | unlock(&mutex);
    FreeLibrary(module);
    /* The next time it has to be somewhere else. */
    VirtualAlloc(module, 1, MEM_RESERVE, PAGE_NOACCESS);
    return wrong;
}

int main(int count, char **arguments)
{
    const char *file = "libwinpthread-1.dll";
    int times = 1, wrong = 0;

    if (strcmp(arguments[1], "--twice") == 0) {
        times = 2;
        arguments++;
    } else if (strcmp(arguments[1], "--handed-on") == 0) {
        file = arguments[2];
        arguments += 2;
    }
    for (int i = 0; i < times && !wrong; i++) {
        if (i > 0 && GetModuleHandleA(file))
            wrong = 4; /* it has stayed: the second time would say nothing */
        else
            wrong = use(file, arguments[1], arguments[2]);
    }
    printf("lookup: %d\n", wrong);
    return wrong || count < 3;
}
