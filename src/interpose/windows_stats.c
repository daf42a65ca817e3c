/* SPDX-License-Identifier: MIT */
/* For every row a few instructions that count and jump to the replacement: they lie in one piece of
   memory behind the counters and the addresses, so that all is in reach of a short offset. */
#include "interpose/windows_stats.h"

#include <windows.h>

#include "base/fatal.h"

#define PAGE 4096u
#define THUNK_SIZE 16u

static struct {
    struct fs_redirection *rows;
    size_t count;
    uintptr_t *counters;
} stats;

static uint8_t *put(uint8_t *at, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = ((const uint8_t *)bytes)[i];
    return at + size;
}

/* As an instruction names it that ends there: by its distance, or on a 32-bit processor as it is.
 */
static uint8_t *put_address(uint8_t *at, const void *address)
{
#ifdef _WIN64
    int32_t name = (int32_t)((const uint8_t *)address - (at + 4));
#else
    uint32_t name = (uint32_t)address;
#endif
    return put(at, &name, sizeof(name));
}

static void write_thunk(uint8_t *at, const uintptr_t *counter, const fs_function *target)
{
#ifdef _WIN64
    at = put(at, "\xf0\x48\xff\x05", 4); /* lock incq counter */
#else
    at = put(at, "\xf0\xff\x05", 3); /* lock incl counter */
#endif
    at = put_address(at, counter);
    at = put(at, "\xff\x25", 2); /* jmp *target */
    put_address(at, target);
}

bool fs_stats_start(struct fs_redirection *rows, size_t count)
{
    size_t data = (count * (sizeof(uintptr_t) + sizeof(fs_function)) + PAGE - 1) & ~(PAGE - 1);
    size_t size = data + count * THUNK_SIZE;
    uint8_t *block = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    uintptr_t *counters = (uintptr_t *)(void *)block;
    fs_function *targets = (fs_function *)(void *)(counters + count);
    DWORD protection;

    if (!block)
        return false;
    for (size_t i = 0; i < count; i++) {
        targets[i] = rows[i].replacement;
        write_thunk(block + data + i * THUNK_SIZE, &counters[i], &targets[i]);
    }
    if (!VirtualProtect(block + data, size - data, PAGE_EXECUTE_READ, &protection))
        return false;
    FlushInstructionCache(GetCurrentProcess(), block + data, size - data);
    for (size_t i = 0; i < count; i++)
        rows[i].target = (fs_function)(uintptr_t)(block + data + i * THUNK_SIZE);
    stats.rows = rows;
    stats.count = count;
    stats.counters = counters;
    return true;
}

/* Rows of the same replacement are one line, the first's. */
static bool is_first(size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (stats.rows[i].replacement == stats.rows[row].replacement)
            return false;
    return true;
}

/* A long, which fs_format_number takes, has 32 bits here whatever a counter has. */
static const char *format_count(uint64_t count, char buffer[24])
{
    char *at = &buffer[23];

    *at = '\0';
    do {
        *--at = (char)('0' + count % 10);
        count /= 10;
    } while (count != 0);
    return at;
}

void fs_stats_report(void)
{
    char process[24], digits[24];

    for (size_t i = 0; i < stats.count; i++) {
        uint64_t calls = 0;

        if (!is_first(i))
            continue;
        for (size_t j = i; j < stats.count; j++)
            if (stats.rows[j].replacement == stats.rows[i].replacement)
                calls += __atomic_load_n(&stats.counters[j], __ATOMIC_RELAXED);
        if (calls || *stats.rows[i].original)
            fs_report("stats ", format_count(GetCurrentProcessId(), process), " ",
                      stats.rows[i].name, " ", format_count(calls, digits), (char *)0);
    }
}
