/* SPDX-License-Identifier: MIT */
/* A Mach-O file in memory: the slice for this processor, its load commands, its segments. Every
   command must be one that is understood or that nothing depends on; all else is refused, so that
   a file never runs half loaded. The pointers inside are left to loader_fixups.c. */
#define _GNU_SOURCE
#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"

#if defined(__x86_64__)
#define OUR_CPU MACHO_CPU_X86_64
#elif defined(__aarch64__)
#define OUR_CPU MACHO_CPU_ARM64
#else
#error "macOS has no such processor"
#endif

#define PAGE 0x4000u /* of arm64; a multiple of x86-64's */

static const uint8_t *read_file(const char *path, size_t *size)
{
    struct stat status;
    void *file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0)
        refuse(path, "cannot be read");
    *size = (size_t)status.st_size;
    if (*size < sizeof(struct macho_header))
        refuse(path, "too short for a Mach-O file");
    file = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED)
        refuse(path, "cannot be mapped");
    close(fd);
    return file;
}

static void find_slice(struct image *image, const uint8_t *file, size_t size)
{
    const struct macho_fat_header *fat = (const void *)file;
    const struct macho_fat_slice *slices = (const void *)(fat + 1);
    uint32_t count = be32toh(fat->count);

    image->slice = file;
    image->slice_size = size;
    if (be32toh(fat->magic) != MACHO_FAT_MAGIC)
        return;
    if (count > 16 || sizeof *fat + count * sizeof *slices > size)
        refuse(image->path, "a fat file with %u slices", count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = be32toh(slices[i].offset);

        if (be32toh(slices[i].cpu) != OUR_CPU)
            continue;
        image->slice = file + offset;
        image->slice_size = be32toh(slices[i].size);
        if (offset + image->slice_size > size)
            refuse(image->path, "a slice beyond the end of the file");
        return;
    }
    refuse(image->path, "no slice for this processor");
}

static void add_segment(struct image *image, const struct macho_segment *segment)
{
    uint64_t end = segment->address + segment->size;

    if (segment->command.size !=
        sizeof *segment + segment->section_count * sizeof(struct macho_section))
        refuse(image->path, "segment %.16s: wrong size of its command", segment->name);
    if (segment->file_offset + segment->file_size > image->slice_size ||
        segment->file_size > segment->size)
        refuse(image->path, "segment %.16s: not within the file", segment->name);
    if (image->segment_count == SEGMENTS_MAX)
        refuse(image->path, "too many segments");
    image->segments[image->segment_count++] = segment;
    if (segment->protection == 0)
        return; /* the page of address zero */
    if (image->extent == 0)
        image->lowest = segment->address;
    if (segment->address < image->lowest)
        refuse(image->path, "segments are not in order");
    if (end - image->lowest > image->extent)
        image->extent = end - image->lowest;
}

static void add_library(struct image *image, const struct macho_dylib *library)
{
    if (image->library_count == LIBRARIES_MAX)
        refuse(image->path, "too many libraries");
    image->libraries[image->library_count++] = (const char *)library + library->name_offset;
}

/* Commands that need nothing done here. */
static bool is_without_effect(uint32_t kind)
{
    static const uint32_t kinds[] = {
        0xb,  /* dynamic symbol table */
        0xe,  /* name of dyld */
        0x1b, /* UUID */
        0x1d, /* signature */
        0x24, /* oldest macOS */
        0x26, /* function starts */
        0x29, /* data in code */
        0x2a, /* source version */
        0x32, /* platform and version */
        MACHO_RUN_PATH,
    };

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i] == kind)
            return true;
    return false;
}

static void add_command(struct image *image, const struct macho_command *command)
{
    switch (command->kind) {
    case MACHO_SEGMENT_64:
        add_segment(image, (const void *)command);
        break;
    case MACHO_LOAD_DYLIB:
    case MACHO_LOAD_WEAK_DYLIB:
        add_library(image, (const void *)command);
        break;
    case MACHO_ID_DYLIB:
        image->identity = (const char *)command +
                          ((const struct macho_dylib *)(const void *)command)->name_offset;
        break;
    case MACHO_DYLD_INFO:
    case MACHO_DYLD_INFO_ONLY:
        image->fixups = (const void *)command;
        break;
    case MACHO_SYMBOL_TABLE:
        image->symbols = (const void *)command;
        break;
    case MACHO_MAIN:
        image->entry = (const void *)command;
        break;
    default:
        if (!is_without_effect(command->kind))
            refuse(image->path, "load command 0x%x is not known here", command->kind);
    }
}

static void read_commands(struct image *image)
{
    const struct macho_header *header = (const void *)image->slice;
    const uint8_t *at = image->slice + sizeof *header;
    const uint8_t *end = at + header->commands_size;

    if (header->magic != MACHO_MAGIC_64 || header->cpu != OUR_CPU)
        refuse(image->path, "not a 64-bit Mach-O file for this processor");
    if (header->type != MACHO_EXECUTE && header->type != MACHO_DYLIB)
        refuse(image->path, "neither a program nor a library (type %u)", header->type);
    if (!(header->flags & MACHO_TWO_LEVEL))
        refuse(image->path, "flat namespace");
    if (header->type == MACHO_EXECUTE && !(header->flags & MACHO_PIE))
        refuse(image->path, "not position independent");
    if (end > image->slice + image->slice_size)
        refuse(image->path, "load commands beyond the end of the file");
    image->type = header->type;
    for (uint32_t i = 0; i < header->command_count; i++) {
        const struct macho_command *command = (const void *)at;

        if (at + sizeof *command > end || command->size < sizeof *command ||
            command->size > (size_t)(end - at))
            refuse(image->path, "load command %u is damaged", i);
        add_command(image, command);
        at += command->size;
    }
}

void *image_memory(const struct image *image, uint64_t address, uint64_t size)
{
    if (address < image->lowest || size > image->extent ||
        address - image->lowest > image->extent - size)
        refuse(image->path, "address 0x%llx is outside", (unsigned long long)address);
    return (void *)(address + image->slide);
}

uintptr_t image_find_export(const struct image *image, const char *name)
{
    const struct macho_symbol_table *table = image->symbols;
    const struct macho_symbol *symbols;

    if (!table)
        return 0;
    symbols = (const void *)(image->slice + table->symbol_offset);
    for (uint32_t i = 0; i < table->symbol_count; i++) {
        const char *found =
            (const char *)image->slice + table->string_offset + symbols[i].name_offset;

        if ((symbols[i].type & MACHO_SYMBOL_KIND) == MACHO_SYMBOL_EXPORTED &&
            strcmp(found, name) == 0)
            return (uintptr_t)image_memory(image, symbols[i].value, 1);
    }
    return 0;
}

static void check_symbols(const struct image *image)
{
    const struct macho_symbol_table *table = image->symbols;
    uint64_t end = image->slice_size;

    if (!table)
        return;
    if (table->symbol_offset + table->symbol_count * (uint64_t)sizeof(struct macho_symbol) > end ||
        (uint64_t)table->string_offset + table->string_size > end || table->string_size == 0 ||
        image->slice[table->string_offset + table->string_size - 1] != 0)
        refuse(image->path, "symbols beyond the end of the file");
}

static void map_segments(struct image *image)
{
    size_t size = (image->extent + PAGE - 1) / PAGE * PAGE;
    char *memory = mmap(NULL, size + IMAGE_ROOM, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        refuse(image->path, "no memory for %zu bytes", size);
    image->slide = (uintptr_t)memory - image->lowest;
    image->room = memory + size;
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct macho_segment *segment = image->segments[i];

        if (segment->protection != 0)
            memcpy(image_memory(image, segment->address, segment->size),
                   image->slice + segment->file_offset, segment->file_size);
    }
}

static void check_section(const struct image *image, const struct macho_section *section,
                          void *unused)
{
    uint32_t type = section->flags & 0xff;

    (void)unused;
    if (type >= MACHO_S_THREAD_LOCAL_FIRST && type <= MACHO_S_THREAD_LOCAL_LAST)
        refuse(image->path, "section %.16s: thread-local variables are not known here",
               section->name);
    if (section->size != 0)
        image_memory(image, section->address, section->size);
}

void image_visit_sections(const struct image *image,
                          void (*visit)(const struct image *, const struct macho_section *, void *),
                          void *argument)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct macho_section *sections = (const void *)(image->segments[i] + 1);

        for (uint32_t s = 0; s < image->segments[i]->section_count; s++)
            visit(image, &sections[s], argument);
    }
}

void image_map(struct image *image, const char *path)
{
    size_t size;
    const uint8_t *file = read_file(path, &size);

    memset(image, 0, sizeof *image);
    image->path = path;
    find_slice(image, file, size);
    read_commands(image);
    if (image->extent == 0 || image->extent > UINT32_MAX)
        refuse(path, "no segments that fit in memory");
    map_segments(image);
    check_symbols(image);
    image_visit_sections(image, check_section, NULL);
}

void image_protect(const struct image *image)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct macho_segment *segment = image->segments[i];
        char *memory = (char *)(segment->address + image->slide);
        size_t size = (segment->size + 0xfff) & ~(size_t)0xfff;
        int protection = 0;

        if (segment->protection == 0 || size == 0)
            continue;
        protection |= segment->protection & 1 ? PROT_READ : 0;
        protection |= segment->protection & 2 ? PROT_WRITE : 0;
        protection |= segment->protection & 4 ? PROT_EXEC : 0;
        __builtin___clear_cache(memory, memory + size);
        if (mprotect(memory, size, protection) != 0)
            refuse(image->path, "segment %.16s cannot be protected", segment->name);
    }
}
