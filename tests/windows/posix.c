/* SPDX-License-Identifier: MIT */
/* The calls of POSIX's that the unit tests make besides threads, as far as Windows has something
   like them. That memory is short is played by what stands in front of fs_system_map_wiped
   (--wrap). */
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "futex/futex.h"

void *__real_fs_system_map_wiped(size_t size, bool *wiped);
void *__wrap_fs_system_map_wiped(size_t size, bool *wiped);

static fs_word is_short;

void *__wrap_fs_system_map_wiped(size_t size, bool *wiped)
{
    if (!fs_load_acquire(&is_short))
        return __real_fs_system_map_wiped(size, wiped);
    *wiped = true;
    return NULL;
}

int getrlimit(int resource, struct rlimit *limit)
{
    *limit = (struct rlimit){1, 1};
    return resource == RLIMIT_AS ? 0 : -1;
}

int setrlimit(int resource, const struct rlimit *limit)
{
    fs_store_release(&is_short, limit->rlim_cur == 0);
    return resource == RLIMIT_AS ? 0 : -1;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, long long at)
{
    void *memory = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    return memory ? memory : MAP_FAILED;
}

int munmap(void *address, size_t size)
{
    return VirtualFree(address, 0, MEM_RELEASE) ? 0 : -1;
}
