/* SPDX-License-Identifier: MIT */
/* What is done once when the library is loaded: the switches, the C library's functions, and the
   places where it keeps what we read at every call. Nothing works only after it: a call that comes
   earlier is slower, not wrong. */
#include <pthread.h>
#include <string.h>

#include "base/fatal.h"
#include "futex/thread.h"
#include "interpose/divert.h"
#include "interpose/host.h"
#include "interpose/libc.h"
#include "lock/pi_mutex.h"
#include "lock/settings.h"
#include "lock/waiter_group.h"

static void before_fork(void)
{
    fs_pi_before_fork();
}

static void in_fork_child(void)
{
    fs_groups_reset();
    fs_pi_after_fork_in_child();
    fs_host_in_fork_child();
    fs_store_byte_relaxed(&fs_may_be_alone, 1);
}

#define LACKS_MAX 256

/* The kernel features that are missing, as a list, or "nothing". */
static const char *list_missing(char text[LACKS_MAX])
{
    size_t used = 0;

    for (int i = 0; i < FS_FEATURE_COUNT; i++) {
        const char *name = fs_system_feature_name((enum fs_futex_feature)i);
        size_t length = strlen(name);

        if (fs_system_has((enum fs_futex_feature)i) || used + length + 3 > LACKS_MAX)
            continue;
        if (used != 0) {
            memcpy(text + used, ", ", 2);
            used += 2;
        }
        memcpy(text + used, name, length);
        used += length;
    }
    text[used] = '\0';
    return used != 0 ? text : "nothing";
}

static void introduce(uint32_t bits)
{
    char lacks[LACKS_MAX];
    char spin[24];

    if (bits & FS_DIVERT_LIBC) {
        fs_report(FS_VERSION ": off, all calls go to the C library", (char *)0);
        return;
    }
    fs_report(FS_VERSION ": mutexes, condition variables and rwlocks on; requeue ",
              fs_settings.requeue ? "on" : "off", "; priority inheritance for all mutexes ",
              bits & FS_DIVERT_PI ? "on" : "off", "; spin ",
              fs_format_number((long)fs_settings.spin, spin), "; the kernel lacks ",
              list_missing(lacks), (char *)0);
}

__attribute__((constructor(101))) static void start(void)
{
    const struct fs_libc *libc;
    uint32_t bits;

    if (!fs_host_is_right())
        return;
    bits = fs_decide();
    libc = fs_libc_functions();
    fs_host_find_places(libc);
    pthread_atfork(before_fork, NULL, in_fork_child);
    if (fs_environment.verbose)
        introduce(bits);
}
