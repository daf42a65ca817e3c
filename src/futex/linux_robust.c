/* SPDX-License-Identifier: MIT */
/* The robust list that the C library registered for the calling thread; asked of
   the kernel once per thread. */
#include <stddef.h>

#include "futex/futex.h"
#include "futex/linux_syscall.h"

/* The list lies in the thread's descriptor, so a fork child finds it at the same address. */
static FS_THREAD_LOCAL void *head;

void *fs_system_robust_list(void)
{
    size_t size = 0;

    if (!head && fs_linux_call(SYS_get_robust_list, 0, (long)&head, (long)&size, 0, 0, 0) != 0)
        head = NULL;
    return head;
}
