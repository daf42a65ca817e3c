/* SPDX-License-Identifier: MIT */
/* Where a thread of macOS finds its own area: the base of %gs on x86-64, which Linux leaves to the
   program, and TPIDRRO_EL0 on arm64, which a program of Linux cannot set. So on arm64 each
   instruction that reads that register becomes a jump to three instructions that read a variable of
   the loader's instead; nothing else of the image's code is touched. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loader.h"

#if defined(__x86_64__)

#define SET_GS_BASE 0x1001

void image_patch_thread_register(struct image *image)
{
    (void)image;
}

void thread_register_set(void *area)
{
    if (syscall(SYS_arch_prctl, SET_GS_BASE, area) != 0)
        refuse("arch_prctl", "cannot set %%gs");
}

#else

#define READ_REGISTER 0xd53bd060u    /* mrs x0, tpidrro_el0; the low five bits are the register */
#define READ_OWN_POINTER 0xd53bd040u /* mrs x0, tpidr_el0 */
#define LOAD_SCALED 0xf9400000u      /* ldr x0, [x0, #0] */
#define JUMP 0x14000000u

static __thread void *area_of_thread;

void thread_register_set(void *area)
{
    area_of_thread = area;
}

static uint32_t jump(const uint32_t *from, const uint32_t *to)
{
    return JUMP | ((uint32_t)(to - from) & 0x03ffffffu);
}

struct room {
    uint32_t *next;
    uint32_t *end;
};

static void patch_section(const struct image *image, const struct macho_section *section,
                          void *argument)
{
    struct room *room = argument;
    uint32_t *code = image_memory(image, section->address, section->size);
    long offset = (char *)&area_of_thread - (char *)__builtin_thread_pointer();

    if (!(section->flags & 0x80000000u)) /* not pure instructions */
        return;
    for (size_t i = 0; i < section->size / sizeof *code; i++) {
        uint32_t x = code[i] & 0x1f;

        if ((code[i] & ~0x1fu) != READ_REGISTER)
            continue;
        if (room->next + 3 > room->end || offset < 0 || offset / 8 >= 4096)
            refuse(image->path, "the thread register is read too often");
        room->next[0] = READ_OWN_POINTER | x;
        room->next[1] = LOAD_SCALED | (uint32_t)(offset / 8) << 10 | x << 5 | x;
        room->next[2] = jump(room->next + 2, code + i + 1);
        code[i] = jump(code + i, room->next);
        room->next += 3;
    }
}

void image_patch_thread_register(struct image *image)
{
    uint32_t *begin = image->room;
    struct room room = {begin, begin + IMAGE_ROOM / sizeof *begin};

    image_visit_sections(image, patch_section, &room);
    __builtin___clear_cache((char *)begin, (char *)room.next);
    if (mprotect(begin, IMAGE_ROOM, PROT_READ | PROT_EXEC) != 0)
        refuse(image->path, "the room behind the code cannot be protected");
}

#endif
