/* SPDX-License-Identifier: MIT */
/* What the loader reads of the Mach-O format: the fat header, the load commands and the opcodes of
   LC_DYLD_INFO_ONLY, for 64-bit little-endian files. The values are those of the format; the
   names are ours. */
#ifndef FS_TEST_MACHO_H
#define FS_TEST_MACHO_H

#include <stdint.h>

#define MACHO_FAT_MAGIC 0xcafebabeu /* big-endian, as all of the fat header */
#define MACHO_MAGIC_64 0xfeedfacfu
#define MACHO_CPU_X86_64 0x01000007u
#define MACHO_CPU_ARM64 0x0100000cu

enum macho_file_type { MACHO_EXECUTE = 2, MACHO_DYLIB = 6 };

enum macho_header_flag { MACHO_TWO_LEVEL = 0x80, MACHO_PIE = 0x200000 };

/* Load commands. A linker sets MACHO_REQUIRED where the file cannot do without. */
#define MACHO_REQUIRED 0x80000000u
#define MACHO_SEGMENT_64 0x19u
#define MACHO_SYMBOL_TABLE 0x2u
#define MACHO_LOAD_DYLIB 0xcu
#define MACHO_ID_DYLIB 0xdu
#define MACHO_LOAD_WEAK_DYLIB (0x18u | MACHO_REQUIRED)
#define MACHO_RUN_PATH (0x1cu | MACHO_REQUIRED)
#define MACHO_DYLD_INFO 0x22u
#define MACHO_DYLD_INFO_ONLY (0x22u | MACHO_REQUIRED)
#define MACHO_MAIN (0x28u | MACHO_REQUIRED)

struct macho_fat_header {
    uint32_t magic;
    uint32_t count;
};

struct macho_fat_slice {
    uint32_t cpu;
    uint32_t subtype;
    uint32_t offset;
    uint32_t size;
    uint32_t align;
};

struct macho_header {
    uint32_t magic;
    uint32_t cpu;
    uint32_t subtype;
    uint32_t type;
    uint32_t command_count;
    uint32_t commands_size;
    uint32_t flags;
    uint32_t reserved;
};

struct macho_command {
    uint32_t kind;
    uint32_t size;
};

struct macho_segment {
    struct macho_command command;
    char name[16];
    uint64_t address;
    uint64_t size;
    uint64_t file_offset;
    uint64_t file_size;
    uint32_t max_protection;
    uint32_t protection;
    uint32_t section_count;
    uint32_t flags;
};

struct macho_section {
    char name[16];
    char segment[16];
    uint64_t address;
    uint64_t size;
    uint32_t offset;
    uint32_t align;
    uint32_t relocation_offset;
    uint32_t relocation_count;
    uint32_t flags;
    uint32_t reserved[3];
};

struct macho_dyld_info {
    struct macho_command command;
    uint32_t rebase_offset;
    uint32_t rebase_size;
    uint32_t bind_offset;
    uint32_t bind_size;
    uint32_t weak_bind_offset;
    uint32_t weak_bind_size;
    uint32_t lazy_bind_offset;
    uint32_t lazy_bind_size;
    uint32_t export_offset;
    uint32_t export_size;
};

struct macho_symbol_table {
    struct macho_command command;
    uint32_t symbol_offset;
    uint32_t symbol_count;
    uint32_t string_offset;
    uint32_t string_size;
};

struct macho_symbol {
    uint32_t name_offset;
    uint8_t type;
    uint8_t section;
    uint16_t description;
    uint64_t value;
};

#define MACHO_SYMBOL_KIND 0x1f /* of the type: external, and where it is defined */
#define MACHO_SYMBOL_EXPORTED 0x0f

struct macho_main {
    struct macho_command command;
    uint64_t entry_offset;
    uint64_t stack_size;
};

struct macho_dylib {
    struct macho_command command;
    uint32_t name_offset;
    uint32_t timestamp;
    uint32_t version;
    uint32_t compatible_version;
};

/* A section's type is the low byte of its flags. */
enum macho_section_type {
    MACHO_S_INIT_POINTERS = 0x9,
    MACHO_S_TERM_POINTERS = 0xa,
    MACHO_S_INTERPOSING = 0xd,
    MACHO_S_THREAD_LOCAL_FIRST = 0x11,
    MACHO_S_THREAD_LOCAL_LAST = 0x15,
    MACHO_S_INIT_OFFSETS = 0x16,
};

/* An opcode is the high half of its byte, its immediate the low half. */
enum macho_rebase_opcode {
    MACHO_REBASE_DONE = 0x00,
    MACHO_REBASE_SET_TYPE = 0x10,
    MACHO_REBASE_SET_SEGMENT = 0x20,
    MACHO_REBASE_ADD = 0x30,
    MACHO_REBASE_ADD_SCALED = 0x40,
    MACHO_REBASE_TIMES = 0x50,
    MACHO_REBASE_TIMES_ULEB = 0x60,
    MACHO_REBASE_ONCE_ADD = 0x70,
    MACHO_REBASE_TIMES_SKIPPING = 0x80,
};

enum macho_bind_opcode {
    MACHO_BIND_DONE = 0x00,
    MACHO_BIND_SET_LIBRARY = 0x10,
    MACHO_BIND_SET_LIBRARY_ULEB = 0x20,
    MACHO_BIND_SET_SPECIAL_LIBRARY = 0x30,
    MACHO_BIND_SET_NAME = 0x40,
    MACHO_BIND_SET_TYPE = 0x50,
    MACHO_BIND_SET_ADDEND = 0x60,
    MACHO_BIND_SET_SEGMENT = 0x70,
    MACHO_BIND_ADD = 0x80,
    MACHO_BIND_ONCE = 0x90,
    MACHO_BIND_ONCE_ADD = 0xa0,
    MACHO_BIND_ONCE_ADD_SCALED = 0xb0,
    MACHO_BIND_TIMES_SKIPPING = 0xc0,
};

#define MACHO_POINTER_TYPE 1
#define MACHO_BIND_WEAK_IMPORT 1 /* immediate of MACHO_BIND_SET_NAME */

#endif
