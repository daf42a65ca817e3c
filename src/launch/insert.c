/* SPDX-License-Identifier: MIT */
/* Writes an import table with our library as its first entry behind the image, and its place into
   the headers. A process of 64 bits can do that to one of 32, by the same calls; the other way
   round helper.c has another program do it. */
#include "launch/insert.h"

#include <stddef.h>
#include <stdint.h>
#include <winternl.h>

#include "launch/helper.h"
#include "launch/library.h"

#define IMPORTED "fastsync_version" /* any name the library exports: an entry must have one */
#define IMPORTS_MAX 1024
#define GRANULARITY 0x10000u

struct target {
    HANDLE process;
    bool wide;
    uintptr_t base, end; /* of the image */
    uintptr_t headers;   /* address of the NT headers */
    uintptr_t directory; /* address of the entry for imports in the directory */
    IMAGE_DATA_DIRECTORY imports, bound, slots;
};

/* What is written behind the image, its entries before it: the new one, those of the image, and an
   empty one. The slots have room for either width. */
struct insertion {
    uint64_t lookup[2], slot[2];
    struct {
        WORD hint;
        char name[sizeof(IMPORTED)];
    } import;
    char path[FS_LAUNCH_PATH];
};

#define ENTRIES_SIZE(count) (((count) * sizeof(IMAGE_IMPORT_DESCRIPTOR) + 15) & ~(size_t)15)

static bool read(const struct target *target, uintptr_t address, void *out, size_t size)
{
    SIZE_T done;

    return ReadProcessMemory(target->process, (const void *)address, out, size, &done) &&
           done == size;
}

static bool write(const struct target *target, uintptr_t address, const void *data, size_t size)
{
    DWORD protection, ignored;
    SIZE_T done;
    bool written;

    if (!VirtualProtectEx(target->process, (void *)address, size, PAGE_READWRITE, &protection))
        return false;
    written =
        WriteProcessMemory(target->process, (void *)address, data, size, &done) && done == size;
    /* What stays writable does as well. */
    VirtualProtectEx(target->process, (void *)address, size, protection, &ignored);
    return written;
}

static bool find_image(struct target *target)
{
    PROCESS_BASIC_INFORMATION about;

    if (NtQueryInformationProcess(target->process, ProcessBasicInformation, &about, sizeof(about),
                                  NULL) != 0)
        return false;
    /* Behind some flags and a handle. */
    return read(target, (uintptr_t)about.PebBaseAddress + 2 * sizeof(void *), &target->base,
                sizeof(target->base));
}

/* Of a process that this one can change: see helper.h. */
static bool runs_narrow(const struct target *target)
{
    BOOL narrow = TRUE;

    if (sizeof(void *) == 8 && !IsWow64Process(target->process, &narrow))
        return !target->wide; /* not told: by the image */
    return narrow;
}

static const char *read_headers(struct target *target)
{
    IMAGE_DOS_HEADER dos;
    union {
        IMAGE_NT_HEADERS64 wide;
        IMAGE_NT_HEADERS32 narrow;
    } headers;
    const IMAGE_DATA_DIRECTORY *directory;

    if (!find_image(target) || !read(target, target->base, &dos, sizeof(dos)) ||
        dos.e_magic != IMAGE_DOS_SIGNATURE)
        return "its memory cannot be read: it is protected";
    target->headers = target->base + (uintptr_t)dos.e_lfanew;
    if (!read(target, target->headers, &headers, sizeof(headers)))
        return "its memory cannot be read: it is protected";
    if (headers.wide.FileHeader.Machine == IMAGE_FILE_MACHINE_AMD64)
        target->wide = true;
    else if (headers.wide.FileHeader.Machine != IMAGE_FILE_MACHINE_I386)
        return "it is for another processor";
    if (target->wide == runs_narrow(target))
        return "it is a program of .NET, whose process is not of the width that its file says";
    directory = target->wide ? headers.wide.OptionalHeader.DataDirectory
                             : headers.narrow.OptionalHeader.DataDirectory;
    target->imports = directory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    target->bound = directory[IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT];
    target->slots = directory[IMAGE_DIRECTORY_ENTRY_IAT];
    target->directory =
        target->headers + (uintptr_t)((const char *)&directory[IMAGE_DIRECTORY_ENTRY_IMPORT] -
                                      (const char *)&headers);
    target->end = target->base + (target->wide ? headers.wide.OptionalHeader.SizeOfImage
                                               : headers.narrow.OptionalHeader.SizeOfImage);
    return NULL;
}

/* How many entries there are; the table's size in the directory need not be right. */
static const char *count_imports(const struct target *target, size_t *count)
{
    uintptr_t at = target->base + target->imports.VirtualAddress;
    IMAGE_IMPORT_DESCRIPTOR entry;

    *count = 0;
    if (!target->imports.VirtualAddress)
        return NULL;
    for (; read(target, at, &entry, sizeof(entry)); at += sizeof(entry)) {
        if (!entry.Name || !entry.FirstThunk)
            return NULL;
        if (++*count > IMPORTS_MAX)
            return "it has too many imports";
    }
    return "its imports cannot be read: it is protected";
}

/* Memory behind the image, which a 32-bit offset from its base reaches. */
static uintptr_t allocate(const struct target *target, size_t size)
{
    uintptr_t end = target->wide ? target->base + (uintptr_t)0xfff00000 : (uintptr_t)0x7ffe0000;
    uintptr_t at = target->end;
    MEMORY_BASIC_INFORMATION region;

    while (at < end && VirtualQueryEx(target->process, (const void *)at, &region, sizeof(region))) {
        uintptr_t after = (uintptr_t)region.BaseAddress + region.RegionSize;
        uintptr_t place = (at + GRANULARITY - 1) & ~(uintptr_t)(GRANULARITY - 1);

        at = after;
        if (region.State != MEM_FREE || place + size > after || place + size > end)
            continue;
        if (VirtualAllocEx(target->process, (void *)place, size, MEM_RESERVE | MEM_COMMIT,
                           PAGE_READWRITE))
            return place;
        if (GetLastError() == ERROR_ACCESS_DENIED) /* and so it is elsewhere */
            return 0;
        at = place + GRANULARITY; /* taken meanwhile; the rest of the region may be free */
    }
    return 0;
}

/* The new table for a block at that offset of the image. */
static bool fill(const struct target *target, DWORD offset, size_t count, uint8_t *block,
                 const char *path)
{
    IMAGE_IMPORT_DESCRIPTOR *entries = (void *)block;
    size_t before = ENTRIES_SIZE(count + 2);
    struct insertion *insertion = (void *)(block + before);
    uint64_t import = offset + before + offsetof(struct insertion, import);

    entries[0].OriginalFirstThunk = offset + (DWORD)(before + offsetof(struct insertion, lookup));
    entries[0].FirstThunk = offset + (DWORD)(before + offsetof(struct insertion, slot));
    entries[0].Name = offset + (DWORD)(before + offsetof(struct insertion, path));
    entries[0].ForwarderChain = (DWORD)-1;
    insertion->lookup[0] = import;
    insertion->slot[0] = import;
    for (size_t i = 0; i < sizeof(IMPORTED); i++)
        insertion->import.name[i] = IMPORTED[i];
    lstrcpynA(insertion->path, path, FS_LAUNCH_PATH);
    return count == 0 || read(target, target->base + target->imports.VirtualAddress, &entries[1],
                              count * sizeof(*entries));
}

static bool write_directory(const struct target *target, unsigned number,
                            IMAGE_DATA_DIRECTORY entry)
{
    uintptr_t address = target->directory + (number - IMAGE_DIRECTORY_ENTRY_IMPORT) * sizeof(entry);

    return write(target, address, &entry, sizeof(entry));
}

/* The directory names the new table; imports that were bound in advance have to be bound anew. An
   image that does not say where its slots are gets the new block for that: the loader makes them
   writable by it. */
static const char *point_at(const struct target *target, DWORD offset, size_t count, size_t size)
{
    IMAGE_DATA_DIRECTORY imports = {offset, (DWORD)((count + 2) * sizeof(IMAGE_IMPORT_DESCRIPTOR))};
    IMAGE_DATA_DIRECTORY slots = {offset, (DWORD)size};

    if (write_directory(target, IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT, (IMAGE_DATA_DIRECTORY){0, 0}) &&
        (target->slots.VirtualAddress ||
         write_directory(target, IMAGE_DIRECTORY_ENTRY_IAT, slots)) &&
        write_directory(target, IMAGE_DIRECTORY_ENTRY_IMPORT, imports))
        return NULL;
    write_directory(target, IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT, target->bound);
    write_directory(target, IMAGE_DIRECTORY_ENTRY_IAT, target->slots);
    return "its headers cannot be written: it is protected";
}

static const char *insert(const struct target *target, const char *path)
{
    size_t count, size;
    uint8_t *block;
    uintptr_t place;
    const char *wrong = count_imports(target, &count);
    SIZE_T done;

    if (wrong)
        return wrong;
    size = ENTRIES_SIZE(count + 2) + sizeof(struct insertion);
    place = allocate(target, size);
    if (!place)
        return "it gets no memory near its image: it is protected, or there is none";
    block = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!block || !fill(target, (DWORD)(place - target->base), count, block, path) ||
        !WriteProcessMemory(target->process, (void *)place, block, size, &done) || done != size)
        wrong = "its memory cannot be written: it is protected";
    if (!wrong)
        wrong = point_at(target, (DWORD)(place - target->base), count, size);
    if (wrong)
        VirtualFreeEx(target->process, (void *)place, 0, MEM_RELEASE);
    if (block)
        VirtualFree(block, 0, MEM_RELEASE);
    return wrong;
}

const char *fs_launch_insert(HANDLE process, const struct fs_library *library)
{
    struct target target = {.process = process};
    char path[FS_LAUNCH_PATH];
    const char *wrong;

    if (fs_helper_is_needed(process))
        return fs_helper_insert(process, library);
    wrong = read_headers(&target);
    if (!wrong)
        wrong = fs_library_path(library, target.wide, path);
    return wrong ? wrong : insert(&target, path);
}
