/* SPDX-License-Identifier: MIT */
/* The launcher's insertion over calls that fail or lie, and without the rights to make them, in a
   process that is created suspended and never runs: the program and the library are the arguments.
   Each call fails once; then the import table must be as it was, and without a failure it has one
   more entry. The status is the line of what is wrong, or 0. */
#include <stdio.h>
#include <string.h>

#include "launch/insert.h"

static BOOL read_or_fail(HANDLE process, LPCVOID address, LPVOID out, SIZE_T size, SIZE_T *done);
static BOOL write_or_fail(HANDLE process, LPVOID address, LPCVOID data, SIZE_T size, SIZE_T *done);
static BOOL protect_or_fail(HANDLE process, LPVOID address, SIZE_T size, DWORD new, DWORD *old);
static LPVOID allocate_or_fail(HANDLE process, LPVOID place, SIZE_T size, DWORD how, DWORD access);
static BOOL tell_or_lie(HANDLE process, BOOL *narrow);

#define ReadProcessMemory read_or_fail
#define WriteProcessMemory write_or_fail
#define VirtualProtectEx protect_or_fail
#define VirtualAllocEx allocate_or_fail
#define IsWow64Process tell_or_lie
#include "launch/insert.c"
#undef ReadProcessMemory
#undef WriteProcessMemory
#undef VirtualProtectEx
#undef VirtualAllocEx
#undef IsWow64Process

#define EXPECT(what)                                                                               \
    do {                                                                                           \
        if (!(what))                                                                               \
            return __LINE__;                                                                       \
    } while (0)

enum kind { WRITE, READ, PROTECT, RESTORE, KINDS };

static unsigned calls[KINDS], failing[KINDS]; /* the n-th call fails; 0: none */
static unsigned allocations;
static bool lies, places_are_lost;

static bool is_wrong(enum kind kind)
{
    return ++calls[kind] == failing[kind];
}

static BOOL read_or_fail(HANDLE process, LPCVOID address, LPVOID out, SIZE_T size, SIZE_T *done)
{
    return !is_wrong(READ) && ReadProcessMemory(process, address, out, size, done);
}

static BOOL write_or_fail(HANDLE process, LPVOID address, LPCVOID data, SIZE_T size, SIZE_T *done)
{
    return !is_wrong(WRITE) && WriteProcessMemory(process, address, data, size, done);
}

static BOOL protect_or_fail(HANDLE process, LPVOID address, SIZE_T size, DWORD new, DWORD *old)
{
    return !is_wrong(new == PAGE_READWRITE ? PROTECT : RESTORE) &&
           VirtualProtectEx(process, address, size, new, old);
}

/* Of each piece of free memory the first place is lost to another thread. */
static LPVOID allocate_or_fail(HANDLE process, LPVOID place, SIZE_T size, DWORD how, DWORD access)
{
    static const char *lost;

    allocations++;
    if (places_are_lost && (const char *)place != lost + GRANULARITY) {
        lost = place;
        SetLastError(ERROR_INVALID_ADDRESS);
        return NULL;
    }
    return VirtualAllocEx(process, place, size, how, access);
}

static BOOL tell_or_lie(HANDLE process, BOOL *narrow)
{
    BOOL told = IsWow64Process(process, narrow);

    *narrow = lies ? !*narrow : *narrow;
    return told;
}

/* ---- what the process has ---- */

struct found {
    IMAGE_DATA_DIRECTORY imports, bound, slots;
    size_t count;
    IMAGE_IMPORT_DESCRIPTOR last;
};

static bool find(HANDLE process, struct found *found)
{
    struct target target = {.process = process};
    size_t last;

    memset(calls, 0, sizeof(calls));
    memset(failing, 0, sizeof(failing));
    lies = places_are_lost = false;
    memset(found, 0, sizeof(*found));
    if (read_headers(&target) || count_imports(&target, &found->count) || found->count == 0)
        return false;
    found->imports = target.imports;
    found->bound = target.bound;
    found->slots = target.slots;
    last = target.base + target.imports.VirtualAddress + (found->count - 1) * sizeof(found->last);
    return read(&target, last, &found->last, sizeof(found->last));
}

static bool is_same(HANDLE process, const struct found *before)
{
    struct found now;

    return find(process, &now) && memcmp(&now, before, sizeof(now)) == 0;
}

/* The insertion with the n-th call of that kind failing; false: there are fewer. */
static bool insert_failing(HANDLE process, const struct fs_library *library, enum kind kind,
                           unsigned n, const char **wrong)
{
    memset(calls, 0, sizeof(calls));
    memset(failing, 0, sizeof(failing));
    failing[kind] = n;
    *wrong = fs_launch_insert(process, library);
    return calls[kind] >= n;
}

static int expect_inserted(HANDLE process, const struct found *before)
{
    struct found now;

    EXPECT(find(process, &now));
    EXPECT(now.count == before->count + 1);
    EXPECT(memcmp(&now.last, &before->last, sizeof(now.last)) == 0);
    EXPECT(now.bound.VirtualAddress == 0);
    if (before->slots.VirtualAddress) {
        EXPECT(memcmp(&now.slots, &before->slots, sizeof(now.slots)) == 0);
    } else {
        EXPECT(now.slots.VirtualAddress == now.imports.VirtualAddress);
        EXPECT(now.slots.Size > now.imports.Size);
    }
    return 0;
}

static int let_calls_fail(HANDLE process, const struct fs_library *library)
{
    struct found before;
    const char *wrong;
    int line;

    EXPECT(find(process, &before));
    for (enum kind kind = WRITE; kind <= PROTECT; kind++) {
        unsigned n = 1;

        for (; insert_failing(process, library, kind, n, &wrong); n++) {
            EXPECT(wrong && strstr(wrong, "protected"));
            EXPECT(is_same(process, &before));
        }
        EXPECT(n > (kind == READ ? before.count + 4 : 2) && !wrong);
        line = expect_inserted(process, &before);
        if (line)
            return line;
        EXPECT(find(process, &before));
    }
    /* That a page stays writable does no harm. */
    EXPECT(insert_failing(process, library, RESTORE, 1, &wrong) && !wrong);
    return expect_inserted(process, &before);
}

static int lose_places(HANDLE process, const struct fs_library *library)
{
    struct found before;

    EXPECT(find(process, &before));
    places_are_lost = true;
    EXPECT(!fs_launch_insert(process, library));
    return expect_inserted(process, &before);
}

/* Such as a program of .NET has whose file is of 32 bits, and its process of 64. */
static int lie_about_the_width(HANDLE process, const struct fs_library *library)
{
    struct found before;
    const char *wrong;

    EXPECT(find(process, &before));
    lies = true;
    wrong = fs_launch_insert(process, library);
    EXPECT(wrong && strstr(wrong, ".NET"));
    EXPECT(is_same(process, &before));
    return 0;
}

/* A process that is protected gives no handle that may do more than ask; here one right at a time
   is missing, and the system refuses. */
static int miss_rights(HANDLE process, const struct fs_library *library)
{
    static const DWORD rights[] = {PROCESS_VM_READ, PROCESS_VM_WRITE, PROCESS_VM_OPERATION};
    DWORD all =
        PROCESS_QUERY_INFORMATION | PROCESS_VM_READ | PROCESS_VM_WRITE | PROCESS_VM_OPERATION;
    HANDLE self = GetCurrentProcess(), limited;
    struct found before;
    const char *wrong;

    EXPECT(find(process, &before));
    for (unsigned i = 0; i <= sizeof(rights) / sizeof(rights[0]); i++) {
        bool is_whole = i == sizeof(rights) / sizeof(rights[0]);

        EXPECT(DuplicateHandle(self, process, self, &limited, is_whole ? all : all & ~rights[i],
                               FALSE, 0));
        allocations = 0;
        wrong = fs_launch_insert(limited, library);
        CloseHandle(limited);
        EXPECT(allocations <= 1);
        if (is_whole)
            break;
        EXPECT(wrong && strstr(wrong, "protected"));
        EXPECT(is_same(process, &before));
    }
    EXPECT(!wrong);
    return expect_inserted(process, &before);
}

int main(int count, char **arguments)
{
    static struct fs_library library;
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION child;
    int line;

    EXPECT(count == 3);
    EXPECT(MultiByteToWideChar(CP_ACP, 0, arguments[2], -1, library.file, FS_LAUNCH_PATH));
    EXPECT(CreateProcessA(NULL, arguments[1], NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL,
                          &startup, &child));
    line = sizeof(void *) == 8 ? lie_about_the_width(child.hProcess, &library) : 0;
    if (!line)
        line = let_calls_fail(child.hProcess, &library);
    if (!line)
        line = lose_places(child.hProcess, &library);
    if (!line)
        line = miss_rights(child.hProcess, &library);
    TerminateProcess(child.hProcess, 0);
    printf("insertion: %d\n", line);
    return line;
}
