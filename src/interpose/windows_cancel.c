/* SPDX-License-Identifier: MIT */
/* pthread_cancel, and pthread_kill, whose signals are cancellations, on Windows: winpthreads', and
   then a nudge for a thread that waits in our code, where the request alone would not reach it.
   pthread_setcanceltype is winpthreads' as well; it is noted who needs care in a wait. */
#include "interpose/windows_cancel.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "interpose/windows_pthread.h"
#include "interpose/windows_redirect.h"
#include "lock/wait.h"

fs_word fs_cancel_seen;

/* Null: it does not wait, or will not any more. */
static const void *find_waiter(pthread_t thread)
{
    HANDLE handle = FS_ORIGINAL(pthread_gethandle)(thread);
    DWORD saved = GetLastError();
    DWORD id = handle ? GetThreadId(handle) : 0;

    SetLastError(saved);
    return fs_cancel_waiter(id);
}

/* Relaxed: counting the interruption (fs_wait_interrupt) publishes it, and a waiter reads that
   count first. */
static void note(uint32_t what)
{
    fs_or_relaxed(&fs_cancel_seen, what);
}

/* pthread_cancel's, which knows no signal. */
static int cancel(pthread_t thread, int signal)
{
    return FS_ORIGINAL(pthread_cancel)(thread);
}

static int ask_to_end(int (*ask)(pthread_t thread, int signal), pthread_t thread, int signal)
{
    const void *waiter = find_waiter(thread); /* before it can end */
    int err;

    note(FS_CANCEL_REQUESTED);
    err = ask(thread, signal);
    if (err == 0 && waiter)
        fs_wait_interrupt(waiter);
    return err;
}

int fs_pthread_cancel(pthread_t thread)
{
    return ask_to_end(cancel, thread, 0);
}

/* winpthreads' own calls pthread_cancel within its module, which no redirection sees. */
int fs_pthread_kill(pthread_t thread, int signal)
{
    if (signal == 0)
        return FS_ORIGINAL(pthread_kill)(thread, signal);
    return ask_to_end(FS_ORIGINAL(pthread_kill), thread, signal);
}

int fs_pthread_setcanceltype(int type, int *old)
{
    if (type == PTHREAD_CANCEL_ASYNCHRONOUS)
        note(FS_CANCEL_ASYNCHRONOUS);
    return FS_ORIGINAL(pthread_setcanceltype)(type, old);
}
