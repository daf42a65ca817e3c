/* SPDX-License-Identifier: MIT */
/* A schedule for people to read: one line per event, with the names that the scenario has given to
   its objects, and the source line, which addr2line finds. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock/waiter_group.h"
#include "trace.h"
#include "world.h"

#define NAMES_MAX 64u
#define LINES_MAX 4000u

struct name {
    uintptr_t from, to;
    const char *text;
};

/* Names are given anew by every start; they are not part of the state. */
static struct name names[NAMES_MAX];
static unsigned name_count;

struct line {
    unsigned thread;
    const void *where;
    char text[120];
};

static struct line *lines;
static unsigned line_count;

void trace_forget_names(void)
{
    name_count = 0;
}

void explore_name(const void *memory, size_t size, const char *name)
{
    if (name_count < NAMES_MAX)
        names[name_count++] = (struct name){(uintptr_t)memory, (uintptr_t)memory + size, name};
}

struct field {
    size_t offset;
    const char *name;
};

static const struct field group_fields[] = {
    {offsetof(struct fs_group, word), "word"},     {offsetof(struct fs_group, used), "used"},
    {offsetof(struct fs_group, moved), "moved"},   {offsetof(struct fs_group, pending), "pending"},
    {offsetof(struct fs_group, awake), "awake"},   {offsetof(struct fs_group, crowded), "crowded"},
    {offsetof(struct fs_group, closed), "closed"}, {offsetof(struct fs_group, move), "move"},
    {offsetof(struct fs_group, first), "first"},   {offsetof(struct fs_group, last), "last"},
};

static const struct field slot_fields[] = {
    {offsetof(struct fs_slot, state), "state"},
    {offsetof(struct fs_slot, pi_word), "pi_word"},
    {offsetof(struct fs_slot, thread), "thread"},
    {offsetof(struct fs_slot, next), "next"},
    {offsetof(struct fs_slot, previous), "previous"},
    {offsetof(struct fs_slot, carrier), "carrier"},
};

static const struct field bucket_fields[] = {
    {offsetof(struct fs_bucket, lock), "lock"},
    {offsetof(struct fs_bucket, luck), "luck"},
    {offsetof(struct fs_bucket, groups), "groups"},
};

static const char *field_name(const struct field *fields, size_t count, size_t offset)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].offset == offset)
            return fields[i].name;
    return "?";
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void name_in_group(size_t offset, char *buffer, size_t size)
{
    size_t group = offset / sizeof(struct fs_group);

    offset %= sizeof(struct fs_group);
    if (offset < offsetof(struct fs_group, slots)) {
        snprintf(buffer, size, "group%zu.%s", group,
                 field_name(group_fields, COUNT(group_fields), offset));
        return;
    }
    offset -= offsetof(struct fs_group, slots);
    snprintf(buffer, size, "group%zu.slot%zu.%s", group, offset / sizeof(struct fs_slot),
             field_name(slot_fields, COUNT(slot_fields), offset % sizeof(struct fs_slot)));
}

/* The piece of mapped memory that the address is in; null. */
static const struct dead_range *find_piece(uintptr_t at)
{
    for (unsigned i = 0; i < WIPED_MAX; i++)
        if (at >= world.wiped[i].from && at < world.wiped[i].to)
            return &world.wiped[i];
    return NULL;
}

/* What lies in the pieces that waiter_group.c maps, both with a cache line of their own first. */
static bool name_in_tables(uintptr_t at, char *buffer, size_t size)
{
    const struct dead_range *range = find_piece(at);
    size_t offset;

    if (!range)
        return false;
    offset = at - range->from;
    if (offset < FS_CACHE_LINE) {
        snprintf(buffer, size, "table+%zu", offset);
        return true;
    }
    offset -= FS_CACHE_LINE;
    /* The tables hold buckets, two of a number that is a power of two; the rest is groups. */
    if ((range->to - range->from - FS_CACHE_LINE) % sizeof(struct fs_group) == 0)
        name_in_group(offset, buffer, size);
    else
        snprintf(
            buffer, size, "bucket%zu.%s", offset / sizeof(struct fs_bucket),
            field_name(bucket_fields, COUNT(bucket_fields), offset % sizeof(struct fs_bucket)));
    return true;
}

bool trace_is_named(const void *at)
{
    uintptr_t address = (uintptr_t)at;

    for (unsigned i = 0; i < name_count; i++)
        if (address >= names[i].from && address < names[i].to)
            return true;
    return false;
}

bool trace_has_name(const void *at)
{
    uintptr_t address = (uintptr_t)at;

    if (trace_is_named(at))
        return true;
    return find_piece(address) != NULL;
}

const char *trace_name(const void *at, char *buffer, size_t size)
{
    uintptr_t address = (uintptr_t)at;

    for (unsigned i = name_count; i > 0; i--) {
        const struct name *name = &names[i - 1];

        if (address < name->from || address >= name->to)
            continue;
        if (address == name->from)
            snprintf(buffer, size, "%s", name->text);
        else
            snprintf(buffer, size, "%s+%zu", name->text, (size_t)(address - name->from));
        return buffer;
    }
    if (!name_in_tables(address, buffer, size))
        snprintf(buffer, size, "%p", at);
    return buffer;
}

/* ---- the lines --------------------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
add_line(unsigned thread, const void *where, const char *format, ...)
{
    va_list arguments;
    struct line *line;

    if (line_count == LINES_MAX)
        return;
    line = &lines[line_count++];
    line->thread = thread;
    line->where = where;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
}

void trace_begin(void)
{
    if (!lines)
        lines = calloc(LINES_MAX, sizeof *lines);
    if (!lines)
        exit(2);
    line_count = 0;
}

void trace_note(unsigned thread, const char *what)
{
    add_line(thread, NULL, "%s", what);
}

static const char *reason(uint64_t err)
{
    switch (err) {
    case 0:
        return "is awake";
    case ETIMEDOUT:
        return "times out";
    case EINTR:
        return "is interrupted";
    case EAGAIN:
        return "begins its call anew and does not sleep";
    default:
        return "is awake, with an error";
    }
}

void trace_event(const struct explore_event *event)
{
    char word[96], other[96];
    const char *name = trace_name(event->word, word, sizeof word);
    unsigned thread = event->thread;
    const void *where = session.where;

    switch (event->kind) {
    case EVENT_LOAD:
        add_line(thread, where, "%s is %#llx", name, (unsigned long long)event->new);
        break;
    case EVENT_WRITE:
        add_line(thread, where, "%s: %#llx -> %#llx", name, (unsigned long long)event->old,
                 (unsigned long long)event->new);
        break;
    case EVENT_FAILED:
        add_line(thread, where, "%s is %#llx: not changed to %#llx", name,
                 (unsigned long long)event->old, (unsigned long long)event->new);
        break;
    case EVENT_SLEEP:
        add_line(thread, NULL, "falls asleep on %s, bits %#llx", name,
                 (unsigned long long)event->new);
        break;
    case EVENT_AWAKE:
        add_line(thread, NULL, "%s (it slept on %s)", reason(event->old), name);
        break;
    case EVENT_WAKE:
        if ((int32_t)event->new == FS_WAKE_ALL)
            add_line(thread, where, "wakes all on %s", name);
        else
            add_line(thread, where, "wakes %d on %s", (int32_t)event->new, name);
        break;
    case EVENT_MOVE:
        add_line(thread, NULL, "is moved from %s to %s, asleep", name,
                 trace_name(event->other, other, sizeof other));
        break;
    case EVENT_DEATH:
        add_line(thread, NULL, "dies");
        break;
    }
    session.where = NULL;
}

/* ---- source lines -----------------------------------------------------------------------------
 */

static const char *module_path;
static uintptr_t module_base;

void trace_set_module(const char *path, uintptr_t base)
{
    module_path = path;
    module_base = base;
}

static bool is_of_interest(const char *frame)
{
    return !strstr(frame, "atomic.h") && !strstr(frame, "??");
}

/* "/some/where/word_lock.c:172 (discriminator 3)" -> "word_lock.c:172" */
static void shorten(char *frame)
{
    char *slash = strrchr(frame, '/');
    char *end;

    if (slash)
        memmove(frame, slash + 1, strlen(slash));
    end = strpbrk(frame, " \n");
    if (end)
        *end = '\0';
}

/* The innermost line of each place that is not the simulated atomic.h's. */
static void find_source_lines(char (*sources)[64])
{
    size_t size = strlen(module_path) + 64 + (size_t)line_count * 20;
    char *command = malloc(size);
    char frame[512];
    size_t used;
    FILE *pipe;
    unsigned n = 0;
    bool found = true;

    if (!command)
        return;
    used = (size_t)snprintf(command, size, "addr2line -a -i -e '%s'", module_path);
    for (unsigned i = 0; i < line_count; i++)
        if (lines[i].where)
            used += (size_t)snprintf(command + used, size - used, " %#lx",
                                     (unsigned long)((uintptr_t)lines[i].where - module_base - 1));
    snprintf(command + used, size - used, " 2>/dev/null");
    pipe = popen(command, "r");
    while (pipe && fgets(frame, sizeof frame, pipe)) {
        if (frame[0] == '0' && frame[1] == 'x') {
            found = false;
            while (n < line_count && !lines[n].where)
                n++;
            n++;
        } else if (!found && is_of_interest(frame) && n > 0 && n <= line_count) {
            shorten(frame);
            snprintf(sources[n - 1], sizeof sources[0], "%.63s", frame);
            found = true;
        }
    }
    if (pipe)
        pclose(pipe);
    free(command);
}

void trace_state(void)
{
    char(*sources)[64] = calloc(line_count + 1, sizeof *sources);

    if (!sources)
        return;
    if (module_path)
        find_source_lines(sources);
    for (unsigned i = 0; i < line_count; i++) {
        const struct line *line = &lines[i];

        if (line->thread == EXPLORE_NOBODY)
            printf("  %4u  world     %-60s %s\n", i + 1, line->text, sources[i]);
        else
            printf("  %4u  thread %u  %*s%-60s %s\n", i + 1, line->thread, (int)line->thread * 2,
                   "", line->text, sources[i]);
    }
    free(sources);
    if (session.failed)
        printf("  %s\n", session.failure);
}
