/* SPDX-License-Identifier: MIT */
/* Reads the switches on macOS, and says at the start of a program what was found. As long as the
   system has set up no environment nothing is decided, and objects become ours: whose an object is
   stands in the object, so a later "off" only holds for others. */
#include <crt_externs.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "base/fatal.h"
#include "futex/thread.h"
#include "interpose/divert.h"
#include "interpose/switches.h"
#include "lock/settings.h"
#include "lock/waiter_group.h"

uint32_t fs_divert = FS_DIVERT_UNDECIDED | FS_DIVERT_EARLY;
struct fs_environment fs_environment;

/* The thread sanitizer, which inserts its runtime likewise, has to see the calls. */
static bool is_sanitized(const struct fs_switches *from)
{
    const char *inserted = fs_switch_value(from, "DYLD_INSERT_LIBRARIES");

    return inserted && strstr(inserted, "clang_rt.tsan");
}

static uint32_t decide_from(const struct fs_switches *from)
{
    uint32_t bits = FS_DIVERT_EARLY;

    if (!fs_switch_read(from, "FASTSYNC", true))
        bits |= FS_DIVERT_LIBC;
    if (!(bits & FS_DIVERT_LIBC) && is_sanitized(from)) {
        fs_report("ThreadSanitizer is present and needs to see the calls: they go to the C library",
                  (char *)0);
        bits |= FS_DIVERT_LIBC;
    }
    if (!(bits & FS_DIVERT_LIBC) && fs_switch_read(from, "FASTSYNC_PI", false))
        fs_report("FASTSYNC_PI=1 is ignored: macOS lends no priority to the holder of a word",
                  (char *)0);
    fs_settings.spin = fs_switch_read_number(from, "FASTSYNC_SPIN", FS_SPIN_MAX, FS_SPIN_DEFAULT);
    fs_settings.processors = fs_system_processor_count();
    fs_environment.verbose = fs_switch_read(from, "FASTSYNC_VERBOSE", false);
    return bits;
}

FS_COLD uint32_t fs_decide(void)
{
    uint32_t bits = __atomic_load_n(&fs_divert, __ATOMIC_ACQUIRE);
    struct fs_switches from = {.list = (const char *const *)*_NSGetEnviron()};
    uint32_t decided;

    if (!(bits & FS_DIVERT_UNDECIDED) || !from.list)
        return bits;
    decided = decide_from(&from);
    /* Of several threads the first decides; all have read the same. */
    if (__atomic_compare_exchange_n(&fs_divert, &bits, decided, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        bits = decided;
    return bits;
}

void fs_end_early(void)
{
    __atomic_and_fetch(&fs_divert, ~FS_DIVERT_EARLY, __ATOMIC_RELEASE);
}

/* Waiters that a fork child inherits do not exist there. */
static void in_fork_child(void)
{
    fs_groups_reset();
}

static void introduce(uint32_t bits)
{
    char spin[24];

    if (bits & FS_DIVERT_LIBC)
        fs_report(FS_VERSION ": off, all calls go to the C library", (char *)0);
    else
        fs_report(FS_VERSION ": mutexes, condition variables and rwlocks on; spin ",
                  fs_format_number((long)fs_settings.spin, spin), (char *)0);
}

__attribute__((constructor)) static void start(void)
{
    uint32_t bits = fs_decide();

    if (fs_thread_find_id())
        fs_end_early();
    pthread_atfork(NULL, NULL, in_fork_child);
    if (fs_environment.verbose)
        introduce(bits);
}
