/* SPDX-License-Identifier: MIT */
/* Finds the C library's functions behind our own names. By version: dlsym may answer with the
   oldest one of a name, which for condition variables is another type. And by a version that is
   there: a search that fails allocates for its error message, and this may run inside malloc, or in
   a malloc that waits for the lock it is just initialising. */
#include "interpose/libc.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols_generated.h"

/* The oldest versions of these two, so that the library loads on old systems. */
__asm__(".symver dlsym, dlsym@" FS_OLDEST_dlsym);
__asm__(".symver dlvsym, dlvsym@" FS_OLDEST_dlvsym);

struct fs_libc fs_libc;
static bool is_looked_up;

void *fs_libc_symbol(const char *name, const char *version)
{
    return dlvsym(RTLD_NEXT, name, version);
}

void *fs_program_symbol(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}

static void *find(const char *name, const char *version)
{
    void *address = fs_libc_symbol(name, version);

    return address ? address : dlsym(RTLD_NEXT, name);
}

/* Threads that get here at once store the same values. */
static FS_COLD void look_up(void)
{
#define FS_LIBC_FIND(member, name, type, parameters)                                               \
    fs_libc.member = (type(*) parameters)(uintptr_t)find(FS_CALLED_##name, FS_OLDEST_##name);
    FS_LIBC_FUNCTIONS(FS_LIBC_FIND)
#undef FS_LIBC_FIND
    __atomic_store_n(&is_looked_up, fs_libc.mutex_lock != NULL, __ATOMIC_RELEASE);
}

const struct fs_libc *fs_libc_functions(void)
{
    if (FS_UNLIKELY(!__atomic_load_n(&is_looked_up, __ATOMIC_ACQUIRE)))
        look_up();
    return &fs_libc;
}

const struct fs_libc *fs_libc_look_again(void)
{
    look_up();
    return &fs_libc;
}
