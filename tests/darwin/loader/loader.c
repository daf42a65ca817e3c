/* SPDX-License-Identifier: MIT */
/* Runs a Mach-O program on Linux, with libraries inserted as DYLD_INSERT_LIBRARIES does: maps all
   images, binds them to the doubles of libSystem, applies every __interpose tuple to all images but
   the one it is in, runs the initialisers, then the program's main.

   usage: loader [--insert LIBRARY]... [--without NAME]... [--faults SEED] [--limit SECONDS]
                 [--emulator NAME] PROGRAM [ARGUMENT]... */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader.h"
#include "world.h"

#define IMAGES_MAX 8
#define TUPLES_MAX 256
#define STATUS_REFUSED 2

static struct image images[IMAGES_MAX];
static unsigned image_count;

/* The tuples of all images, each with its image. */
static struct {
    struct tuple tuple;
    const struct image *image;
} tuples[TUPLES_MAX];
static unsigned tuple_count;

static struct {
    int count;
    char **arguments;
} program;

void refuse(const char *path, const char *format, ...)
{
    va_list list;

    fprintf(stderr, "loader: %s: ", path);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(STATUS_REFUSED);
}

/* ---- binding -------------------------------------------------------------------- */

static const struct image *find_library(const char *identity)
{
    for (unsigned i = 0; i < image_count; i++)
        if (images[i].identity && strcmp(images[i].identity, identity) == 0)
            return &images[i];
    return NULL;
}

static uintptr_t find_symbol(const struct image *image, const struct bind *bind)
{
    const struct image *library = find_library(bind->library);
    uintptr_t address;

    if (library) {
        address = image_find_export(library, bind->name);
        if (address == 0)
            refuse(image->path, "%s is not in %s", bind->name, library->path);
        return address;
    }
    if (strcmp(bind->library, "/usr/lib/libSystem.B.dylib") != 0 &&
        strcmp(bind->library, "/usr/lib/loader.dylib") != 0)
        refuse(image->path, "%s comes from %s, which is not here", bind->name, bind->library);
    address = host_find(bind->name);
    if (address == 0 && !bind->weak)
        refuse(image->path, "%s is not known here", bind->name);
    return address;
}

/* dyld's rule: the address decides, and an image's own tuples do not apply to it. */
static uintptr_t interposed(const struct image *image, uintptr_t address)
{
    for (unsigned i = 0; i < tuple_count; i++)
        if (tuples[i].image != image && tuples[i].tuple.original == address && address != 0)
            return tuples[i].tuple.replacement;
    return address;
}

static void fill_in(const struct image *image, const struct bind *bind, void *unused)
{
    uintptr_t address = find_symbol(image, bind);
    uintptr_t value = interposed(image, address);

    (void)unused;
    if (address != 0)
        value += (uintptr_t)bind->addend;
    memcpy((void *)bind->place, &value, sizeof value);
}

static bool is_interposing(const struct macho_section *section)
{
    return (section->flags & 0xff) == MACHO_S_INTERPOSING ||
           (strncmp(section->name, "__interpose", 16) == 0 &&
            strncmp(section->segment, "__DATA", 6) == 0);
}

static void collect_tuples(const struct image *image, const struct macho_section *section,
                           void *unused)
{
    const struct tuple *from = image_memory(image, section->address, section->size);

    (void)unused;
    if (!is_interposing(section))
        return;
    if (section->size % sizeof *from != 0)
        refuse(image->path, "half a tuple");
    for (size_t i = 0; i < section->size / sizeof *from; i++) {
        if (tuple_count == TUPLES_MAX)
            refuse(image->path, "too many tuples");
        tuples[tuple_count].tuple = from[i];
        tuples[tuple_count++].image = image;
    }
}

/* The first round of binds gives the tuples their originals, the second applies them. */
static void bind_all(void)
{
    for (unsigned i = 0; i < image_count; i++) {
        image_visit_binds(&images[i], fill_in, NULL);
        if (images[i].type == MACHO_DYLIB)
            image_visit_sections(&images[i], collect_tuples, NULL);
    }
    for (unsigned i = 0; i < image_count && tuple_count > 0; i++)
        image_visit_binds(&images[i], fill_in, NULL);
}

/* ---- running --------------------------------------------------------------------- */

static char *apple[] = {NULL};

typedef void initialiser(int, char **, char **, char **);

static void run_initialisers(const struct image *image, const struct macho_section *section,
                             void *unused)
{
    uint32_t type = section->flags & 0xff;
    const char *memory = image_memory(image, section->address, section->size);

    (void)unused;
    for (size_t at = 0; type == MACHO_S_INIT_POINTERS && at < section->size; at += 8) {
        initialiser *run;

        memcpy(&run, memory + at, sizeof run);
        run(program.count, program.arguments, environ, apple);
    }
    for (size_t at = 0; type == MACHO_S_INIT_OFFSETS && at < section->size; at += 4) {
        uint32_t offset;

        memcpy(&offset, memory + at, sizeof offset);
        ((initialiser *)(uintptr_t)image_memory(image, image->lowest + offset, 4))(
            program.count, program.arguments, environ, apple);
    }
}

static void run_terminators(const struct image *image, const struct macho_section *section,
                            void *unused)
{
    const char *memory = image_memory(image, section->address, section->size);

    (void)unused;
    if ((section->flags & 0xff) != MACHO_S_TERM_POINTERS)
        return;
    for (size_t at = section->size; at >= 8; at -= 8) {
        void (*run)(void);

        memcpy(&run, memory + at - 8, sizeof run);
        run();
    }
}

static void run_all_terminators(void)
{
    for (unsigned i = image_count; i-- > 0;)
        image_visit_sections(&images[i], run_terminators, NULL);
}

static void say_time_is_up(int signal)
{
    static const char text[] = "\nloader: the time is up\n";

    (void)signal;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(STATUS_REFUSED);
    _exit(124);
}

static void load(const char *path)
{
    if (image_count == IMAGES_MAX)
        refuse(path, "too many images");
    image_map(&images[image_count], path);
    image_rebase(&images[image_count]);
    image_patch_thread_register(&images[image_count]);
    image_count++;
}

static void take_option(const char *name, const char *value)
{
    if (!value)
        refuse(name, "needs a value");
    if (strcmp(name, "--insert") == 0)
        load(value);
    else if (strcmp(name, "--without") == 0)
        host_remove(value);
    else if (strcmp(name, "--faults") == 0)
        faults_begin(strtoull(value, NULL, 10));
    else if (strcmp(name, "--emulator") == 0)
        host_set_emulator(value);
    else if (strcmp(name, "--limit") == 0)
        alarm((unsigned)strtoul(value, NULL, 10));
    else
        refuse(name, "no such option");
}

int main(int argc, char **argv)
{
    const struct image *image;
    int (*entry)(int, char **, char **, char **);
    int at = 1;

    signal(SIGALRM, say_time_is_up);
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at += 2)
        take_option(argv[at], argv[at + 1]);
    if (at >= argc)
        refuse("usage", "loader [--insert LIBRARY]... PROGRAM [ARGUMENT]...");
    load(argv[at]);
    image = &images[image_count - 1];
    if (image->type != MACHO_EXECUTE || !image->entry)
        refuse(image->path, "not a program");
    program.count = argc - at;
    program.arguments = argv + at;
    world_begin();
    waits_begin();
    thread_begin_main();
    bind_all();
    for (unsigned i = 0; i < image_count; i++)
        image_protect(&images[i]);
    atexit(run_all_terminators);
    for (unsigned i = 0; i < image_count; i++)
        image_visit_sections(&images[i], run_initialisers, NULL);
    entry = (int (*)(int, char **, char **, char **))(uintptr_t)image_memory(
        image, image->lowest + image->entry->entry_offset, 4);
    exit(entry(program.count, program.arguments, environ, apple));
}
