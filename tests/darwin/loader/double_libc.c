/* SPDX-License-Identifier: MIT */
/* Doubles of what else a program asks of libSystem: errno, memory, the environment, output, the end
   of the process, and os_unfair_lock. What Darwin and Linux do alike is Linux's own. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "loader.h"
#include "world.h"

static __thread int darwin_errno;

static int *error_place(void)
{
    return &darwin_errno;
}

void host_set_errno(int error)
{
    darwin_errno = error;
}

/* ---- memory ---------------------------------------------------------------- */

enum darwin_map { MAP_FLAG_SHARED = 1, MAP_FLAG_PRIVATE = 2, MAP_FLAG_ANONYMOUS = 0x1000 };

#define INHERIT_ZERO 3 /* of minherit */

static void *double_mmap(void *address, size_t size, int protection, int flags, int file,
                         int64_t offset)
{
    int native = MAP_ANONYMOUS;
    void *memory = MAP_FAILED;

    if (flags == (MAP_FLAG_PRIVATE | MAP_FLAG_ANONYMOUS))
        native |= MAP_PRIVATE;
    else if (flags == (MAP_FLAG_SHARED | MAP_FLAG_ANONYMOUS))
        native |= MAP_SHARED;
    else
        refuse("mmap", "flags 0x%x are not known here", (unsigned)flags);
    if (file == -1 && offset == 0)
        memory = mmap(address, size, protection, native, -1, 0);
    if (memory == MAP_FAILED)
        darwin_errno = DARWIN_ENOMEM;
    return memory;
}

static int double_minherit(void *address, size_t size, int inheritance)
{
    if (inheritance == INHERIT_ZERO && madvise(address, size, MADV_WIPEONFORK) == 0)
        return 0;
    darwin_errno = DARWIN_EINVAL;
    return -1;
}

static void zero(void *memory, size_t size)
{
    memset(memory, 0, size);
}

/* ---- the process --------------------------------------------------------------- */

#define PROCESSORS_ONLINE 58

static int64_t double_sysconf(int name)
{
    if (name == PROCESSORS_ONLINE)
        return sysconf(_SC_NPROCESSORS_ONLN);
    darwin_errno = DARWIN_EINVAL;
    return -1;
}

static int double_sysctlbyname(const char *name, void *value, size_t *size, const void *wanted,
                               size_t wanted_size)
{
    int32_t processors = (int32_t)sysconf(_SC_NPROCESSORS_ONLN);

    (void)wanted;
    (void)wanted_size;
    if (strcmp(name, "hw.activecpu") != 0 && strcmp(name, "hw.logicalcpu") != 0 &&
        strcmp(name, "hw.ncpu") != 0)
        refuse("sysctlbyname", "%s is not known here", name);
    memcpy(value, &processors, sizeof processors);
    *size = sizeof processors;
    return 0;
}

extern int __cxa_atexit(void (*run)(void *), void *argument, void *library);

/* What a compiler makes of destructors. Images stay until the end, so none of them matters. */
static int at_exit(void (*run)(void *), void *argument, void *library)
{
    (void)library;
    return __cxa_atexit(run, argument, NULL);
}

static char ***environment(void)
{
    return &environ;
}

static void never_lazy(void)
{
    refuse("dyld_stub_binder", "everything is bound at the start");
}

static int write_text(const char *text)
{
    return write(STDOUT_FILENO, text, strlen(text)) >= 0 && write(STDOUT_FILENO, "\n", 1) == 1;
}

/* ---- os_unfair_lock ---------------------------------------------------------------- */

static bool unfair_trylock(uint32_t *lock)
{
    uint32_t none = 0;

    return __atomic_compare_exchange_n(lock, &none, thread_port(), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void unfair_lock(uint32_t *lock)
{
    host_count("os_unfair_lock_lock");
    while (!unfair_trylock(lock)) {
        if (__atomic_load_n(lock, __ATOMIC_RELAXED) == thread_port())
            refuse("os_unfair_lock_lock", "held by the caller");
        usleep(50);
    }
}

static void unfair_unlock(uint32_t *lock)
{
    if (__atomic_exchange_n(lock, 0, __ATOMIC_RELEASE) != thread_port())
        refuse("os_unfair_lock_unlock", "not held by the caller");
}

const struct host_entry host_c_library[] = {
    HOST_FUNCTION("__cxa_atexit", at_exit),
    HOST_FUNCTION("__error", error_place),
    HOST_FUNCTION("_NSGetEnviron", environment),
    HOST_FUNCTION("__bzero", zero),
    HOST_FUNCTION("_exit", _exit),
    HOST_FUNCTION("abort", abort),
    HOST_FUNCTION("bzero", zero),
    HOST_FUNCTION("calloc", calloc),
    HOST_FUNCTION("exit", exit),
    HOST_FUNCTION("free", free),
    HOST_FUNCTION("getenv", getenv),
    HOST_FUNCTION("getpid", getpid),
    HOST_FUNCTION("loader_asleep", census_asleep),
    HOST_FUNCTION("loader_count", host_counted),
    HOST_FUNCTION("loader_emulator", host_emulator),
    HOST_FUNCTION("loader_native", host_native),
    HOST_FUNCTION("loader_poll", census_poll),
    HOST_FUNCTION("malloc", malloc),
    HOST_FUNCTION("memcmp", memcmp),
    HOST_FUNCTION("memcpy", memcpy),
    HOST_FUNCTION("memmove", memmove),
    HOST_FUNCTION("memset", memset),
    HOST_FUNCTION("minherit", double_minherit),
    HOST_FUNCTION("mmap", double_mmap),
    HOST_FUNCTION("munmap", munmap),
    HOST_FUNCTION("os_unfair_lock_lock", unfair_lock),
    HOST_FUNCTION("os_unfair_lock_trylock", unfair_trylock),
    HOST_FUNCTION("os_unfair_lock_unlock", unfair_unlock),
    HOST_FUNCTION("puts", write_text),
    HOST_FUNCTION("strcmp", strcmp),
    HOST_FUNCTION("strlen", strlen),
    HOST_FUNCTION("strncmp", strncmp),
    HOST_FUNCTION("strstr", strstr),
    HOST_FUNCTION("sysconf", double_sysconf),
    HOST_FUNCTION("sysctlbyname", double_sysctlbyname),
    HOST_FUNCTION("write", write),
    {"dyld_stub_binder", never_lazy},
    HOST_END,
};
