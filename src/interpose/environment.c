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
#include "interpose/divert.h"
#include "lock/settings.h"

uint32_t fs_divert = FS_DIVERT_UNDECIDED | FS_DIVERT_EARLY;
struct fs_environment fs_environment;

#define EARLY_MAX 65536

extern char **environ;

/* Thread checkers see these calls only if the C library gets them. */
extern void __tsan_init(void) __attribute__((weak));

struct reading {
    const char *const *list; /* null: use text */
    const char *text;        /* NUL-separated */
    size_t length;
};

/* The value of a variable, or null. */
static const char *value_of(const struct reading *from, const char *name)
{
    size_t length = strlen(name);

    if (from->list) {
        for (const char *const *entry = from->list; *entry; entry++)
            if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
                return *entry + length + 1;
        return NULL;
    }
    for (size_t at = 0; at < from->length; at += strlen(from->text + at) + 1)
        if (strncmp(from->text + at, name, length) == 0 && from->text[at + length] == '=')
            return from->text + at + length + 1;
    return NULL;
}

static void complain(const char *name, const char *value, const char *wanted)
{
    fs_report(name, "=", value, " is not understood: ", wanted, "; the default holds", (char *)0);
}

static bool read_switch(const struct reading *from, const char *name, bool otherwise)
{
    const char *value = value_of(from, name);

    if (!value)
        return otherwise;
    if (strcmp(value, "0") == 0)
        return false;
    if (strcmp(value, "1") == 0)
        return true;
    complain(name, value, "it must be 0 or 1");
    return otherwise;
}

static unsigned read_number(const struct reading *from, const char *name, unsigned max,
                            unsigned otherwise)
{
    const char *value = value_of(from, name);
    unsigned number = 0;

    if (!value)
        return otherwise;
    for (const char *at = value; *at; at++) {
        if (*at < '0' || *at > '9' || number > max)
            goto wrong;
        number = number * 10 + (unsigned)(*at - '0');
    }
    if (*value && number <= max)
        return number;
wrong:
    complain(name, value, "it must be a number from 0 to 10000");
    return otherwise;
}

/* The name of a tool that needs the C library to get the calls, or null. */
static const char *tool_present(const struct reading *from)
{
    const char *preload = value_of(from, "LD_PRELOAD");

    if (__tsan_init)
        return "ThreadSanitizer";
    if (value_of(from, "RUNNING_UNDER_RR"))
        return "rr";
    if (preload && strstr(preload, "vgpreload_helgrind"))
        return "Helgrind";
    if (preload && strstr(preload, "vgpreload_drd"))
        return "DRD";
    return NULL;
}

static uint32_t decide_from(const struct reading *from)
{
    const char *tool = tool_present(from);
    uint32_t bits = FS_DIVERT_EARLY;

    if (!read_switch(from, "FASTSYNC", true))
        bits |= FS_DIVERT_LIBC;
    if (read_switch(from, "FASTSYNC_PI", false))
        bits |= FS_DIVERT_PI;
    if (tool && !(bits & FS_DIVERT_LIBC)) {
        fs_report(tool, " is present and needs to see the calls: they go to the C library",
                  (char *)0);
        bits |= FS_DIVERT_LIBC;
    }
    fs_settings.requeue = read_switch(from, "FASTSYNC_REQUEUE", true);
    fs_settings.spin = read_number(from, "FASTSYNC_SPIN", FS_SPIN_MAX, FS_SPIN_DEFAULT);
    fs_settings.processors = fs_system_processor_count();
    fs_settings.requeue_pi = fs_system_has(FS_FEATURE_REQUEUE_PI);
    fs_environment.verbose = read_switch(from, "FASTSYNC_VERBOSE", false);
    fs_environment.keep_deepbind = read_switch(from, "FASTSYNC_DEEPBIND", false);
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
    struct reading from = {.text = text, .length = read_early(text)};

    errno = saved;
    return decide_from(&from);
}

FS_COLD uint32_t fs_decide(void)
{
    uint32_t bits = __atomic_load_n(&fs_divert, __ATOMIC_ACQUIRE);

    if (bits & FS_DIVERT_UNDECIDED) {
        struct reading from = {.list = (const char *const *)environ};
        uint32_t decided = from.list ? decide_from(&from) : decide_early();

        /* Of several threads the first decides; all have read the same. */
        if (__atomic_compare_exchange_n(&fs_divert, &bits, decided, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            bits = decided;
    }
    return bits;
}

void fs_end_early(void)
{
    __atomic_and_fetch(&fs_divert, ~FS_DIVERT_EARLY, __ATOMIC_RELEASE);
}
