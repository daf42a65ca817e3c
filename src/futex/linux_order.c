/* SPDX-License-Identifier: MIT */
/* A barrier in the other threads, by membarrier(2): for processors on which two loads may be done
   out of their order. Only the library's start needs it (interpose/environment.c). */
#include <linux/membarrier.h>

#include "futex/linux_syscall.h"
#include "futex/thread.h"

bool fs_system_order_threads(void)
{
    return fs_linux_call(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0,
                         0) == 0 &&
           fs_linux_call(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0;
}
