/* SPDX-License-Identifier: MIT */
/* Reads the loader's list of modules and the headers of images. A header is not trusted further
   than the image reaches: what protects programs from copying leaves strange ones. */
#include "interpose/windows_image.h"

#include <windows.h>
#include <winternl.h>

#include "base/compiler.h"

#define HEADERS_MAX 0x1000 /* bytes between the beginning of an image and its headers */

bool fs_image_open(struct fs_image *image, const void *base)
{
    const IMAGE_DOS_HEADER *dos = base;
    const IMAGE_NT_HEADERS *headers;

    if (!base || dos->e_magic != IMAGE_DOS_SIGNATURE || dos->e_lfanew < (LONG)sizeof(*dos) ||
        dos->e_lfanew > HEADERS_MAX)
        return false;
    headers = (const void *)((const uint8_t *)base + dos->e_lfanew);
    if (headers->Signature != IMAGE_NT_SIGNATURE ||
        headers->OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR_MAGIC)
        return false;
    image->base = (uint8_t *)(uintptr_t)base;
    image->size = headers->OptionalHeader.SizeOfImage;
    image->headers = headers;
    return true;
}

void *fs_image_at(const struct fs_image *image, size_t offset, size_t size)
{
    if (offset == 0 || size > image->size || offset > image->size - size)
        return NULL;
    return image->base + offset;
}

const void *fs_image_table(const struct fs_image *image, unsigned number, size_t *size)
{
    const IMAGE_NT_HEADERS *headers = image->headers;
    const IMAGE_DATA_DIRECTORY *table = &headers->OptionalHeader.DataDirectory[number];

    if (number >= headers->OptionalHeader.NumberOfRvaAndSizes || table->Size == 0)
        return NULL;
    *size = table->Size;
    return fs_image_at(image, table->VirtualAddress, table->Size);
}

/* The loader goes by the empty entry at the end, whatever size the directory says; and the launcher
   puts a program's table behind the image. */
static const IMAGE_IMPORT_DESCRIPTOR *imports_of(const struct fs_image *image)
{
    static const IMAGE_IMPORT_DESCRIPTOR none;
    const IMAGE_NT_HEADERS *headers = image->headers;
    const IMAGE_DATA_DIRECTORY *table =
        &headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];

    if (headers->OptionalHeader.NumberOfRvaAndSizes <= IMAGE_DIRECTORY_ENTRY_IMPORT ||
        table->VirtualAddress == 0)
        return &none;
    return (const void *)(image->base + table->VirtualAddress);
}

/* The slots from that offset to the first that is null. */
static bool visit_slots(const struct fs_image *image, size_t offset,
                        bool (*visit)(fs_function *slot, void *argument), void *argument)
{
    fs_function *slot;

    for (; (slot = fs_image_at(image, offset, sizeof(*slot))) && *slot; offset += sizeof(*slot))
        if (!visit(slot, argument))
            return false;
    return true;
}

static bool visit_delayed(const struct fs_image *image,
                          bool (*visit)(fs_function *slot, void *argument), void *argument)
{
    size_t size;
    const IMAGE_DELAYLOAD_DESCRIPTOR *delayed =
        fs_image_table(image, IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT, &size);

    if (!delayed)
        return true;
    for (; size >= sizeof(*delayed) && delayed->DllNameRVA; size -= sizeof(*delayed), delayed++) {
        if (!delayed->Attributes.RvaBased)
            continue; /* as compilers of the last century made it */
        if (!visit_slots(image, delayed->ImportAddressTableRVA, visit, argument))
            return false;
    }
    return true;
}

bool fs_image_each_import(const struct fs_image *image,
                          bool (*visit)(fs_function *slot, void *argument), void *argument)
{
    const IMAGE_IMPORT_DESCRIPTOR *import = imports_of(image);

    for (; import->Name && import->FirstThunk; import++)
        if (!visit_slots(image, import->FirstThunk, visit, argument))
            return false;
    return visit_delayed(image, visit, argument);
}

static bool equal_names(const char *name, const char *other)
{
    for (; *name && *name == *other; name++, other++)
        ;
    return *name == *other;
}

uint32_t *fs_image_export(const struct fs_image *image, const char *name)
{
    size_t size;
    const IMAGE_EXPORT_DIRECTORY *exports =
        fs_image_table(image, IMAGE_DIRECTORY_ENTRY_EXPORT, &size);
    const uint32_t *names;
    const uint16_t *ordinals;

    if (!exports || size < sizeof(*exports))
        return NULL;
    names = fs_image_at(image, exports->AddressOfNames, exports->NumberOfNames * sizeof(*names));
    ordinals = fs_image_at(image, exports->AddressOfNameOrdinals,
                           exports->NumberOfNames * sizeof(*ordinals));
    if (!names || !ordinals)
        return NULL;
    for (size_t i = 0; i < exports->NumberOfNames; i++) {
        const char *found = fs_image_at(image, names[i], 1);

        if (found && equal_names(found, name) && ordinals[i] < exports->NumberOfFunctions)
            return fs_image_at(image, exports->AddressOfFunctions + ordinals[i] * sizeof(uint32_t),
                               sizeof(uint32_t));
    }
    return NULL;
}

bool fs_image_is_forwarded(const struct fs_image *image, uint32_t offset)
{
    size_t size;
    const uint8_t *exports = fs_image_table(image, IMAGE_DIRECTORY_ENTRY_EXPORT, &size);

    return exports && image->base + offset >= exports && image->base + offset < exports + size;
}

/* By one instruction: other threads may be calling through it. */
static void store(void *slot, const void *value, size_t size)
{
    if (size == sizeof(uint32_t))
        __atomic_store_n((uint32_t *)slot, *(const uint32_t *)value, __ATOMIC_RELEASE);
    else
        __atomic_store_n((uintptr_t *)slot, *(const uintptr_t *)value, __ATOMIC_RELEASE);
}

#define WRITABLE (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)
#define EXECUTABLE (PAGE_EXECUTE | PAGE_EXECUTE_READ)

bool fs_image_write(void *slot, const void *value, size_t size)
{
    MEMORY_BASIC_INFORMATION page;
    DWORD protection;

    if (VirtualQuery(slot, &page, sizeof(page)) < sizeof(page))
        return false;
    if (page.Protect & WRITABLE) {
        store(slot, value, size);
        return true;
    }
    /* Some linkers put these tables beside code, which must stay executable meanwhile. */
    protection = page.Protect & EXECUTABLE ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;
    if (!VirtualProtect(slot, size, protection, &protection))
        return false;
    store(slot, value, size);
    VirtualProtect(slot, size, protection, &protection);
    return true;
}

/* The process's block, which the thread's names: NtCurrentTeb of the headers gets a false warning
   from gcc 12. */
static const PEB *find_process_block(void)
{
    const PEB *peb;

#ifdef __x86_64__
    __asm__("movq %%gs:0x60, %0" : "=r"(peb));
#else
    __asm__("movl %%fs:0x30, %0" : "=r"(peb));
#endif
    return peb;
}

bool fs_module_each(bool (*visit)(void *base, const uint16_t *name, size_t length, void *argument),
                    void *argument)
{
    const LIST_ENTRY *head = &find_process_block()->Ldr->InMemoryOrderModuleList;

    for (const LIST_ENTRY *at = head->Flink; at != head; at = at->Flink) {
        const LDR_DATA_TABLE_ENTRY *entry =
            CONTAINING_RECORD(at, LDR_DATA_TABLE_ENTRY, InMemoryOrderLinks);

        if (!visit(entry->DllBase, entry->FullDllName.Buffer,
                   entry->FullDllName.Length / sizeof(WCHAR), argument))
            return false;
    }
    return true;
}

/* What follows the links by which the loader has the modules in the order of their initialisation,
   which no header of mingw-w64 declares. */
struct initialised {
    LIST_ENTRY links;
    const uint8_t *base;
};

bool fs_module_is_older(const uint8_t *base, const uint8_t *other)
{
    const LIST_ENTRY *head = &find_process_block()->Ldr->InMemoryOrderModuleList + 1;

    for (const LIST_ENTRY *at = head->Flink; at != head; at = at->Flink) {
        const struct initialised *entry = CONTAINING_RECORD(at, struct initialised, links);

        if (entry->base == other)
            return false;
        if (entry->base == base)
            return true;
    }
    return false;
}

bool fs_module_is_named(const uint16_t *path, size_t length, const char *name)
{
    size_t named = 0;

    while (name[named])
        named++;
    if (length < named)
        return false;
    path += length - named;
    if (length > named && path[-1] != '\\' && path[-1] != '/')
        return false;
    for (size_t i = 0; i < named; i++) {
        unsigned letter = path[i] >= 'A' && path[i] <= 'Z' ? path[i] + 32u : path[i];

        if (letter != (unsigned char)name[i])
            return false;
    }
    return true;
}
