/* SPDX-License-Identifier: MIT */
/* Finds memory above a module, within 4 GiB of it, and writes jumps there. Their block belongs to
   the module: it is given back with it. */
#include "interpose/windows_stubs.h"

#include <windows.h>

#ifdef _WIN64

#define GRANULARITY 0x10000u
#define REACH 0xffff0000u

static struct stubs {
    uint8_t *base; /* of the module; null: this one is free */
    uint8_t *block;
    size_t used;
} all_stubs[FS_STUBS_MODULES];

static struct stubs *find_stubs(const uint8_t *base)
{
    for (size_t i = 0; i < FS_STUBS_MODULES; i++)
        if (all_stubs[i].base == base)
            return &all_stubs[i];
    return NULL;
}

static uint8_t *allocate_between(uint8_t *at, const uint8_t *end)
{
    MEMORY_BASIC_INFORMATION region;

    while (at < end && VirtualQuery(at, &region, sizeof(region))) {
        uint8_t *after = (uint8_t *)region.BaseAddress + region.RegionSize;
        uint8_t *place =
            (uint8_t *)(((uintptr_t)at + GRANULARITY - 1) & ~(uintptr_t)(GRANULARITY - 1));

        at = after;
        if (region.State != MEM_FREE || place + FS_STUBS_SIZE > after)
            continue;
        if (place + FS_STUBS_SIZE > end)
            return NULL;
        if (VirtualAlloc(place, FS_STUBS_SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE))
            return place;
        at = place + GRANULARITY; /* another thread was faster here; the rest may be free */
    }
    return NULL;
}

static struct stubs *open_stubs(uint8_t *base, size_t size)
{
    struct stubs *stubs = find_stubs(base);

    if (stubs)
        return stubs;
    stubs = find_stubs(NULL);
    if (!stubs)
        return NULL;
    stubs->block = allocate_between(base + size, base + REACH);
    if (!stubs->block)
        return NULL;
    stubs->base = base;
    stubs->used = 0;
    return stubs;
}

bool fs_stub_offset(uint8_t *base, size_t size, fs_function target, uint32_t *offset)
{
    static const uint8_t jump[8] = {0xff, 0x25, 2, 0, 0, 0, 0xcc, 0xcc}; /* jmp *2(%rip) */
    uintptr_t distance = (uintptr_t)target - (uintptr_t)base;
    struct stubs *stubs;

    if ((uintptr_t)target > (uintptr_t)base && distance < REACH) {
        *offset = (uint32_t)distance;
        return true;
    }
    stubs = open_stubs(base, size);
    if (!stubs || stubs->used + 16 > FS_STUBS_SIZE)
        return false;
    *offset = (uint32_t)(stubs->block + stubs->used - base);
    for (size_t i = 0; i < sizeof(jump); i++)
        stubs->block[stubs->used++] = jump[i];
    *(fs_function *)(void *)(stubs->block + stubs->used) = target;
    stubs->used += sizeof(target);
    return true;
}

bool fs_stubs_finish(uint8_t *base)
{
    struct stubs *stubs = find_stubs(base);
    DWORD protection;

    return !stubs || (VirtualProtect(stubs->block, FS_STUBS_SIZE, PAGE_EXECUTE_READ, &protection) &&
                      FlushInstructionCache(GetCurrentProcess(), stubs->block, FS_STUBS_SIZE));
}

void fs_stubs_free(uint8_t *base)
{
    struct stubs *stubs = find_stubs(base);

    if (!stubs)
        return;
    VirtualFree(stubs->block, 0, MEM_RELEASE);
    stubs->base = NULL;
}

#else

bool fs_stub_offset(uint8_t *base, size_t size, fs_function target, uint32_t *offset)
{
    *offset = (uint32_t)target - (uint32_t)base;
    return true;
}

bool fs_stubs_finish(uint8_t *base)
{
    return true;
}

void fs_stubs_free(uint8_t *base)
{
}

#endif
