/* SPDX-License-Identifier: MIT */
/* pthread_cancel on Windows: winpthreads', and then a nudge for a thread that waits in our code,
   where the request alone would not reach it. */
#include "interpose/windows_pthread.h"
#include "interpose/windows_redirect.h"
#include "lock/wait.h"

int fs_pthread_cancel(pthread_t thread)
{
    int err = FS_ORIGINAL(pthread_cancel)(thread);

    if (err == 0)
        fs_wait_interrupt((const void *)thread);
    return err;
}
