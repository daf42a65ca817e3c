/* SPDX-License-Identifier: MIT */
/* What a library of the native locks alone does when it is loaded. Where the C library's calls are
   replaced as well, startup.c does it. */
#include <pthread.h>

#include "lock/settings.h"
#include "lock/waiter_group.h"

static void in_fork_child(void)
{
    fs_groups_reset();
}

__attribute__((constructor)) static void start(void)
{
    fs_settings.processors = fs_system_processor_count();
    pthread_atfork(NULL, NULL, in_fork_child);
}
