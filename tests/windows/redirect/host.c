/* SPDX-License-Identifier: MIT */
/* A program that loads a plug-in, which imports winpthreads, and calls it. */
#include <stdio.h>
#include <windows.h>

int main(int count, char **arguments)
{
    HMODULE module = LoadLibraryA(count > 1 ? arguments[1] : "plugin.dll");
    int (*plugin)(void);
    int line;

    if (!module)
        return 2;
    plugin = (int (*)(void))(void (*)(void))GetProcAddress(module, "plugin");
    if (!plugin)
        return 3;
    line = plugin();
    printf("plugin: %d\n", line);
    return line;
}
