/* SPDX-License-Identifier: MIT */
/* pthread_cancel: the C library's, and then a nudge for a thread that waits in our code, where
   the C library's request alone would not reach it. */
#include "interpose/cancel.h"

#include <errno.h>

#include "interpose/calls.h"
#include "interpose/export.h"
#include "interpose/host.h"
#include "lock/wait.h"

int fs_pthread_cancel(pthread_t thread)
{
    const struct fs_libc *libc = fs_libc_functions();
    int err;

    if (!libc->cancel) /* an old C library whose threads have been loaded since */
        libc = fs_libc_look_again();
    err = libc->cancel ? libc->cancel(thread) : ENOSYS;
    if (err != 0)
        return err;
    fs_wait_interrupt(fs_thread_name_of(thread));
    fs_host_interrupt(fs_thread_name_of(thread));
    return 0;
}
FS_EXPORT_VERSIONS(pthread_cancel)
