/* SPDX-License-Identifier: MIT */
/* The robust list that the C library registered for the calling thread; asked of
   the kernel once per thread. Where the kernel does not tell, it is where it was in
   another thread, if that is known. */
#include <stddef.h>

#include "futex/linux_syscall.h"
#include "futex/thread.h"

/* The list lies in the thread's descriptor, so a fork child finds it at the same address. */
FS_THREAD_LOCAL void *fs_robust_list_head;

uintptr_t fs_robust_list_offset;

void *fs_system_find_robust_list(void)
{
    void *head = NULL;
    size_t size = 0;

    if (fs_linux_call(SYS_get_robust_list, 0, (long)&head, (long)&size, 0, 0, 0) != 0)
        head = fs_robust_list_offset ? (char *)fs_thread_pointer() + fs_robust_list_offset : NULL;
    fs_robust_list_head = head;
    return head;
}
