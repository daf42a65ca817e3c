/* SPDX-License-Identifier: MIT */
/* See mixed_processes.h: what a cell that fails or hangs leaves to be read. The words of the object
   are printed as they lie in memory, the members with what they have announced and with what the
   kernel says of them. When a cell hangs is decided in mixed_processes.c. */
#include "mixed_processes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void mixed_note_failure(struct mixed_area *area, const char *format, ...)
{
    va_list args;

    if (atomic_flag_test_and_set(&area->failure.taken))
        return;
    va_start(args, format);
    vsnprintf(area->failure.text, sizeof area->failure.text, format, args);
    va_end(args);
    area->failure.written = true;
}

static void print_words(const char *name, const void *object, size_t size)
{
    const uint32_t *words = object;

    dprintf(STDERR_FILENO, "  %s:", name);
    for (size_t i = 0; i < size / sizeof *words; i++)
        dprintf(STDERR_FILENO, " %08x", words[i]);
    dprintf(STDERR_FILENO, "\n");
}

/* The first line of /proc/PID/FILE, from the last ')' on if it has one. */
static void read_line(pid_t pid, const char *file, char *line, size_t size)
{
    char path[64];
    char text[256];
    char *begin = text;

    *line = '\0';
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *stream = fopen(path, "re");
    if (!stream)
        return;
    if (fgets(text, sizeof text, stream)) {
        begin = strrchr(text, ')') ? strrchr(text, ')') + 2 : text;
        begin[strcspn(begin, "\n")] = '\0';
        snprintf(line, size, "%.90s", begin);
    }
    fclose(stream);
}

static void print_member(const struct mixed_area *area, int seat, unsigned number)
{
    const struct mixed_life *life = &area->lives[number];
    char state[2];
    char call[100];

    read_line(life->pid, "stat", state, sizeof state);
    read_line(life->pid, "syscall", call, sizeof call);
    dprintf(STDERR_FILENO,
            "  seat %d: member %u, process %d, %s the library, %s object %u, %lu rounds, error %d; "
            "state %s, system call %s\n",
            seat, number, (int)life->pid, life->library ? "with" : "without",
            mixed_stage_names[life->stage], life->generation, life->rounds, life->error, state,
            call);
}

static void print_object(const struct mixed_area *area, unsigned number)
{
    const struct mixed_object *object = &area->objects[number];

    dprintf(STDERR_FILENO, "  %s, object %u: holder %u, first %llu, second %llu, readers %d\n",
            mixed_kinds[area->kind].name, number, object->holder, (unsigned long long)object->first,
            (unsigned long long)object->second, object->readers);
    switch (mixed_kinds[area->kind].shape) {
    case MIXED_COND:
        print_words("cond", &object->cond, sizeof object->cond); /* fall through */
    case MIXED_MUTEX:
        print_words("mutex", &object->mutex, sizeof object->mutex);
        break;
    case MIXED_RWLOCK:
        print_words("rwlock", &object->rwlock, sizeof object->rwlock);
        break;
    }
}

void mixed_report(const struct mixed_area *area, const unsigned *seats)
{
    unsigned generation = area->generation;

    if (generation > 0)
        print_object(area, generation - 1);
    print_object(area, generation);
    for (int seat = 0; seat < MIXED_SEATS; seat++)
        print_member(area, seat, seats[seat]);
}
