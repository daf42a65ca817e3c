/* SPDX-License-Identifier: MIT */
/* A DLL whose destructor uses objects of each kind, as static destructors do, when all threads but
   the last are gone. The program of process_end.c makes them. */
#include <pthread.h>
#include <stdbool.h>
#include <windows.h>

__declspec(dllexport) extern pthread_mutex_t ending_mutex;
__declspec(dllexport) extern pthread_cond_t ending_cond;
__declspec(dllexport) extern pthread_rwlock_t ending_rwlock;
__declspec(dllexport) extern bool ending_starts;

pthread_mutex_t ending_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t ending_cond = PTHREAD_COND_INITIALIZER;
pthread_rwlock_t ending_rwlock = PTHREAD_RWLOCK_INITIALIZER;
bool ending_starts; /* the DLL is to do so */

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID ends);

static bool use_objects(void)
{
    pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    bool good = pthread_mutex_lock(&fresh) == 0 && pthread_mutex_unlock(&fresh) == 0;

    good &= pthread_mutex_destroy(&fresh) == 0;
    good &= pthread_cond_signal(&ending_cond) == 0;
    good &= pthread_cond_broadcast(&ending_cond) == 0;
    pthread_cond_destroy(&ending_cond); /* threads that are gone may count as waiters */
    good &= pthread_rwlock_destroy(&ending_rwlock) == 0;
    return good & (pthread_mutex_destroy(&ending_mutex) == 0);
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID ends)
{
    if (reason == DLL_PROCESS_DETACH && ends && ending_starts && !use_objects())
        TerminateProcess(GetCurrentProcess(), 9);
    return TRUE;
}
