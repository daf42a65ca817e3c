/* SPDX-License-Identifier: MIT */
/* What the doubles of macOS's functions share: the tables by which host.c finds them, counters that
   a test program can ask for, and Darwin's numbers, which are not those of the system underneath.
 */
#ifndef FS_TEST_HOST_H
#define FS_TEST_HOST_H

#include <stdint.h>

/* A function of libSystem's. */
struct host_entry {
    const char *name; /* with the underscore that C names have in Mach-O */
    void (*function)(void);
};

/* clang-format off */
#define HOST_FUNCTION(name, double) {"_" name, (void (*)(void))(double)}
#define HOST_END {0, 0}
/* clang-format on */

extern const struct host_entry host_c_library[];
extern const struct host_entry host_condition[];
extern const struct host_entry host_mutex[];
extern const struct host_entry host_rwlock[];
extern const struct host_entry host_threads[];
extern const struct host_entry host_time[];
extern const struct host_entry host_waits[];

/* Counts one call of this name, which is a constant. */
void host_count(const char *name);

/* For test programs, as loader_count and loader_native: how often a name (without underscore) was
   counted, and the double of that name, past every tuple. */
uint64_t host_counted(const char *name);
void *host_native(const char *name);

/* As loader_emulator: the name of what runs the loader, or null. */
const char *host_emulator(void);

/* Sets the calling thread's errno, which is one of Darwin's numbers. */
void host_set_errno(int error);

enum darwin_error {
    DARWIN_EPERM = 1,
    DARWIN_ENOENT = 2,
    DARWIN_ESRCH = 3,
    DARWIN_EINTR = 4,
    DARWIN_EDEADLK = 11,
    DARWIN_ENOMEM = 12,
    DARWIN_EFAULT = 14,
    DARWIN_EBUSY = 16,
    DARWIN_EINVAL = 22,
    DARWIN_EDOM = 33,
    DARWIN_EAGAIN = 35,
    DARWIN_ENOTSUP = 45,
    DARWIN_ETIMEDOUT = 60,
    DARWIN_ENOSYS = 78,
};

struct darwin_time {
    int64_t seconds;
    int64_t nanoseconds;
};

#endif
