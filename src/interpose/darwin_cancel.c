/* SPDX-License-Identifier: MIT */
/* pthread_cancel on macOS: libpthread's, and then a nudge for a thread that waits in our code,
   where the request alone would not reach it. */
#include <pthread.h>

#include "interpose/darwin_calls.h"
#include "interpose/darwin_export.h"
#include "lock/wait.h"

int fs_pthread_cancel(pthread_t thread)
{
    int err = pthread_cancel(thread);

    if (err == 0)
        fs_wait_interrupt(thread);
    return err;
}
FS_INTERPOSE(pthread_cancel)
