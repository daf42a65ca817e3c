/* SPDX-License-Identifier: MIT */
/* A library that takes locks when it is loaded: three times the same mutex, before any code of the
   program. */
#include <pthread.h>
#include <windows.h>

__declspec(dllexport) int early_result(void);
BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int result = -1;

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved)
{
    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    result = 0;
    for (int i = 0; i < 3; i++)
        result |= pthread_mutex_lock(&mutex) | pthread_mutex_unlock(&mutex);
    return TRUE;
}

int early_result(void)
{
    return result;
}
