/* SPDX-License-Identifier: MIT */
/* The loader's notifications, which it sends when a module has been mapped and before any of its
   code runs. Whether its imports are bound by then differs between systems: what is bound later
   finds the changed tables of exports, what was bound before is found by its value. */
#include "interpose/windows_later.h"

#include <windows.h>
#include <winternl.h>

enum { LOADED = 1, UNLOADED = 2 };

/* As ntdll documents it, and no header of mingw-w64 declares. */
struct notification {
    ULONG flags;
    const UNICODE_STRING *full_name, *base_name;
    void *base;
    ULONG size;
};

typedef VOID CALLBACK notified(ULONG reason, const struct notification *data, void *context);

NTSTATUS NTAPI LdrRegisterDllNotification(ULONG flags, notified *function, void *context,
                                          void **cookie);
NTSTATUS NTAPI LdrUnregisterDllNotification(void *cookie);

/* At the end of a process modules are told to go, but stay. */
BOOLEAN NTAPI RtlDllShutdownInProgress(void);

static void *registered;

static VOID CALLBACK receive(ULONG reason, const struct notification *data, void *context)
{
    if (reason == LOADED)
        fs_redirect_loaded(data->base, data->full_name->Buffer,
                           data->full_name->Length / sizeof(WCHAR));
    else if (reason == UNLOADED && !RtlDllShutdownInProgress())
        fs_redirect_unloaded(data->base);
}

bool fs_later_start(void)
{
    return registered || LdrRegisterDllNotification(0, receive, NULL, &registered) == 0;
}

void fs_later_stop(void)
{
    if (registered)
        LdrUnregisterDllNotification(registered);
    registered = NULL;
}
