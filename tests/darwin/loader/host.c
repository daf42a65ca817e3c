/* SPDX-License-Identifier: MIT */
/* Finds what a name of libSystem's stands for in the doubles' tables, and counts calls for test
   programs. Whether a missing name matters is left to the caller. */
#include "host.h"

#include <string.h>

#include "loader.h"

static const struct host_entry *const tables[] = {
    host_c_library, host_condition, host_mutex, host_rwlock, host_threads, host_time, host_waits,
};

#define REMOVED_MAX 16

static const char *removed[REMOVED_MAX];
static unsigned removed_count;

static const struct host_entry *find(const char *name)
{
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct host_entry *entry = tables[i]; entry->name; entry++)
            if (strcmp(entry->name, name) == 0)
                return entry;
    return NULL;
}

uintptr_t host_find(const char *name)
{
    const struct host_entry *entry = find(name);

    for (unsigned i = 0; i < removed_count; i++)
        if (strcmp(removed[i], name + 1) == 0)
            return 0;
    return entry ? (uintptr_t)entry->function : 0;
}

void host_remove(const char *name)
{
    if (removed_count == REMOVED_MAX)
        refuse("--without", "too many names");
    removed[removed_count++] = name;
}

void *host_native(const char *name)
{
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct host_entry *entry = tables[i]; entry->name; entry++)
            if (strcmp(entry->name + 1, name) == 0)
                return (void *)(uintptr_t)entry->function;
    refuse(name, "is not known here");
}

static const char *emulator;

void host_set_emulator(const char *name)
{
    emulator = name;
}

const char *host_emulator(void)
{
    return emulator;
}

/* ---- counters ------------------------------------------------------------------- */

#define COUNTERS_MAX 64

static struct counter {
    const char *name;
    uint64_t calls;
} counters[COUNTERS_MAX];

/* A free place is claimed by its name; one name may end up in two, which are added up. */
void host_count(const char *name)
{
    for (unsigned i = 0; i < COUNTERS_MAX; i++) {
        const char *there = __atomic_load_n(&counters[i].name, __ATOMIC_RELAXED);

        if (!there && __atomic_compare_exchange_n(&counters[i].name, &there, name, 0,
                                                  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            there = name;
        if (there != name)
            continue;
        __atomic_fetch_add(&counters[i].calls, 1, __ATOMIC_RELAXED);
        return;
    }
    refuse(name, "too many counters");
}

uint64_t host_counted(const char *name)
{
    uint64_t calls = 0;

    for (unsigned i = 0; i < COUNTERS_MAX; i++)
        if (counters[i].name && strcmp(counters[i].name, name) == 0)
            calls += counters[i].calls;
    return calls;
}
