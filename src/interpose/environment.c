/* SPDX-License-Identifier: MIT */
/* Reads the switches: from the environment as the C library has it, or, before the C library
   has it, from /proc/self/environ. Uses nothing that allocates or locks. A value that is not
   known gets one line on standard error, and the default holds. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/fatal.h"
#include "futex/futex.h"
#include "futex/thread.h"
#include "interpose/divert.h"
#include "interpose/switches.h"
#include "lock/settings.h"

uint32_t fs_divert = FS_DIVERT_UNDECIDED | FS_DIVERT_EARLY;
struct fs_environment fs_environment;

#define EARLY_MAX 65536

extern char **environ;

/* Thread checkers see these calls only if the C library gets them. */
extern void __tsan_init(void) __attribute__((weak));

/* The name of a tool that needs the C library to get the calls, or null. */
static const char *tool_present(const struct fs_switches *from)
{
    const char *preload = fs_switch_value(from, "LD_PRELOAD");

    if (__tsan_init)
        return "ThreadSanitizer";
    if (fs_switch_value(from, "RUNNING_UNDER_RR"))
        return "rr";
    if (preload && strstr(preload, "vgpreload_helgrind"))
        return "Helgrind";
    if (preload && strstr(preload, "vgpreload_drd"))
        return "DRD";
    return NULL;
}

static uint32_t decide_from(const struct fs_switches *from)
{
    const char *tool = tool_present(from);
    uint32_t bits = FS_DIVERT_EARLY;

    if (!fs_switch_read(from, "FASTSYNC", true))
        bits |= FS_DIVERT_LIBC;
    if (fs_switch_read(from, "FASTSYNC_PI", false))
        bits |= FS_DIVERT_PI;
    if (tool && !(bits & FS_DIVERT_LIBC)) {
        fs_report(tool, " is present and needs to see the calls: they go to the C library",
                  (char *)0);
        bits |= FS_DIVERT_LIBC;
    }
    fs_settings.requeue = fs_switch_read(from, "FASTSYNC_REQUEUE", true);
    fs_settings.spin = fs_switch_read_number(from, "FASTSYNC_SPIN", FS_SPIN_MAX, FS_SPIN_DEFAULT);
    fs_settings.processors = fs_system_processor_count();
    fs_settings.requeue_pi = fs_system_has(FS_FEATURE_REQUEUE_PI);
    fs_environment.verbose = fs_switch_read(from, "FASTSYNC_VERBOSE", false);
    fs_environment.keep_deepbind = fs_switch_read(from, "FASTSYNC_DEEPBIND", false);
    return bits;
}

static size_t read_early(char *text)
{
    int file = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t got = 1;

    if (file < 0)
        return 0;
    while (got > 0 && length < EARLY_MAX - 1) {
        got = read(file, text + length, EARLY_MAX - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    close(file);
    text[length] = '\0';
    return length;
}

/* Only in the life of a process before its C library runs: one thread, so one buffer. */
static FS_COLD uint32_t decide_early(void)
{
    static char text[EARLY_MAX];
    int saved = errno;
    struct fs_switches from = {.text = text, .length = read_early(text)};

    errno = saved;
    return decide_from(&from);
}

FS_COLD uint32_t fs_decide(void)
{
    uint32_t bits = __atomic_load_n(&fs_divert, __ATOMIC_ACQUIRE);

    if (bits & FS_DIVERT_UNDECIDED) {
        struct fs_switches from = {.list = (const char *const *)environ};
        uint32_t decided = from.list ? decide_from(&from) : decide_early();

        /* Of several threads the first decides; all have read the same. */
        if (__atomic_compare_exchange_n(&fs_divert, &bits, decided, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            bits = decided;
    }
    return bits;
}

/* What the constructor has found is stored before the bit goes, but other threads read the two in
   that order without a barrier, which only x86 makes good. Where they cannot be given one, all
   calls go on as before the constructor: slower, not wrong. */
static bool is_seen_in_order(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return true;
#else
    return fs_is_single_threaded() || fs_system_order_threads();
#endif
}

void fs_end_early(void)
{
    if (is_seen_in_order())
        __atomic_and_fetch(&fs_divert, ~FS_DIVERT_EARLY, __ATOMIC_RELEASE);
}
