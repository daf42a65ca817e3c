/* SPDX-License-Identifier: MIT */
/* The pointers inside an image: the opcodes of LC_DYLD_INFO_ONLY are read here, once as rebases,
   which are carried out, and once as binds (eager and lazy alike), which are handed to the caller,
   who knows what a name stands for. */
#include <string.h>

#include "loader.h"

/* A stream of opcodes. */
struct stream {
    const struct image *image;
    const uint8_t *at;
    const uint8_t *end;
};

static struct stream open_stream(const struct image *image, uint32_t offset, uint32_t size)
{
    if ((uint64_t)offset + size > image->slice_size)
        refuse(image->path, "fixups beyond the end of the file");
    return (struct stream){image, image->slice + offset, image->slice + offset + size};
}

static uint8_t read_byte(struct stream *stream)
{
    if (stream->at == stream->end)
        refuse(stream->image->path, "fixups end in the middle");
    return *stream->at++;
}

static uint64_t read_uleb(struct stream *stream)
{
    uint64_t value = 0;
    uint8_t byte;

    for (unsigned shift = 0;; shift += 7) {
        byte = read_byte(stream);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
}

static int64_t read_sleb(struct stream *stream)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = read_byte(stream);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (byte & 0x40 && shift < 64)
        value |= ~(uint64_t)0 << shift;
    return (int64_t)value;
}

static const char *read_name(struct stream *stream)
{
    const char *name = (const char *)stream->at;

    while (read_byte(stream) != 0)
        continue;
    return name;
}

static uint64_t segment_address(const struct stream *stream, unsigned index)
{
    if (index >= stream->image->segment_count)
        refuse(stream->image->path, "fixup in segment %u", index);
    return stream->image->segments[index]->address;
}

static void rebase_times(const struct image *image, uint64_t *address, uint64_t times,
                         uint64_t skip)
{
    for (; times > 0; times--) {
        void *place = image_memory(image, *address, sizeof(uint64_t));
        uint64_t value;

        memcpy(&value, place, sizeof value);
        image_memory(image, value, 0);
        value += image->slide;
        memcpy(place, &value, sizeof value);
        *address += sizeof value + skip;
    }
}

/* One opcode; false at the end. */
static bool rebase_step(struct stream *stream, uint64_t *address)
{
    uint8_t byte = read_byte(stream);
    unsigned immediate = byte & 0x0f;
    uint64_t times;

    switch (byte & 0xf0) {
    case MACHO_REBASE_DONE:
        return false;
    case MACHO_REBASE_SET_TYPE:
        if (immediate != MACHO_POINTER_TYPE)
            refuse(stream->image->path, "rebase of type %u", immediate);
        break;
    case MACHO_REBASE_SET_SEGMENT:
        *address = segment_address(stream, immediate) + read_uleb(stream);
        break;
    case MACHO_REBASE_ADD:
        *address += read_uleb(stream);
        break;
    case MACHO_REBASE_ADD_SCALED:
        *address += immediate * sizeof(uint64_t);
        break;
    case MACHO_REBASE_TIMES:
        rebase_times(stream->image, address, immediate, 0);
        break;
    case MACHO_REBASE_TIMES_ULEB:
        rebase_times(stream->image, address, read_uleb(stream), 0);
        break;
    case MACHO_REBASE_ONCE_ADD:
        rebase_times(stream->image, address, 1, read_uleb(stream));
        break;
    case MACHO_REBASE_TIMES_SKIPPING:
        times = read_uleb(stream);
        rebase_times(stream->image, address, times, read_uleb(stream));
        break;
    default:
        refuse(stream->image->path, "rebase opcode 0x%02x", byte);
    }
    return true;
}

void image_rebase(const struct image *image)
{
    struct stream stream;
    uint64_t address = 0;

    if (!image->fixups)
        return;
    stream = open_stream(image, image->fixups->rebase_offset, image->fixups->rebase_size);
    while (stream.at < stream.end && rebase_step(&stream, &address))
        continue;
}

/* ---- binds ---------------------------------------------------------------- */

struct binder {
    struct stream stream;
    struct bind bind;
    uint64_t address;
    void (*visit)(const struct image *, const struct bind *, void *);
    void *argument;
};

static void bind_times(struct binder *binder, uint64_t times, uint64_t skip)
{
    const struct image *image = binder->stream.image;

    for (; times > 0; times--) {
        if (!binder->bind.name || !binder->bind.library)
            refuse(image->path, "bind without a name or a library");
        binder->bind.place = (uintptr_t)image_memory(image, binder->address, sizeof(uint64_t));
        binder->visit(image, &binder->bind, binder->argument);
        binder->address += sizeof(uint64_t) + skip;
    }
}

static void set_library(struct binder *binder, uint64_t ordinal)
{
    const struct image *image = binder->stream.image;

    if (ordinal < 1 || ordinal > image->library_count)
        refuse(image->path, "bind to library number %llu", (unsigned long long)ordinal);
    binder->bind.library = image->libraries[ordinal - 1];
}

/* The opcodes that say what is bound. Returns false for any other. */
static bool describe(struct binder *binder, uint8_t byte)
{
    struct stream *stream = &binder->stream;
    unsigned immediate = byte & 0x0f;

    switch (byte & 0xf0) {
    case MACHO_BIND_SET_LIBRARY:
        set_library(binder, immediate);
        return true;
    case MACHO_BIND_SET_LIBRARY_ULEB:
        set_library(binder, read_uleb(stream));
        return true;
    case MACHO_BIND_SET_SPECIAL_LIBRARY:
        refuse(stream->image->path, "bind without two levels (%d)", (int)(immediate | ~0xfu));
    case MACHO_BIND_SET_NAME:
        if (immediate & ~(unsigned)MACHO_BIND_WEAK_IMPORT)
            refuse(stream->image->path, "bind with flags 0x%x", immediate);
        binder->bind.weak = immediate & MACHO_BIND_WEAK_IMPORT;
        binder->bind.name = read_name(stream);
        return true;
    case MACHO_BIND_SET_TYPE:
        if (immediate != MACHO_POINTER_TYPE)
            refuse(stream->image->path, "bind of type %u", immediate);
        return true;
    case MACHO_BIND_SET_ADDEND:
        binder->bind.addend = read_sleb(stream);
        return true;
    default:
        return false;
    }
}

/* The opcodes that move on and bind. */
static void carry_out(struct binder *binder, uint8_t byte)
{
    struct stream *stream = &binder->stream;
    unsigned immediate = byte & 0x0f;
    uint64_t times;

    switch (byte & 0xf0) {
    case MACHO_BIND_SET_SEGMENT:
        binder->address = segment_address(stream, immediate) + read_uleb(stream);
        break;
    case MACHO_BIND_ADD:
        binder->address += read_uleb(stream);
        break;
    case MACHO_BIND_ONCE:
        bind_times(binder, 1, 0);
        break;
    case MACHO_BIND_ONCE_ADD:
        bind_times(binder, 1, read_uleb(stream));
        break;
    case MACHO_BIND_ONCE_ADD_SCALED:
        bind_times(binder, 1, immediate * sizeof(uint64_t));
        break;
    case MACHO_BIND_TIMES_SKIPPING:
        times = read_uleb(stream);
        bind_times(binder, times, read_uleb(stream));
        break;
    default:
        refuse(stream->image->path, "bind opcode 0x%02x", byte);
    }
}

static void visit_stream(struct binder *binder, bool lazy)
{
    while (binder->stream.at < binder->stream.end) {
        uint8_t byte = read_byte(&binder->stream);

        /* A lazy entry ends with this, and another may follow. */
        if (byte == MACHO_BIND_DONE && lazy)
            continue;
        if (byte == MACHO_BIND_DONE)
            return;
        if (!describe(binder, byte))
            carry_out(binder, byte);
    }
}

void image_visit_binds(const struct image *image,
                       void (*visit)(const struct image *, const struct bind *, void *),
                       void *argument)
{
    const struct macho_dyld_info *fixups = image->fixups;
    struct binder binder = {.visit = visit, .argument = argument};

    if (!fixups)
        return;
    if (fixups->weak_bind_size != 0)
        refuse(image->path, "weak definitions are not known here");
    binder.stream = open_stream(image, fixups->bind_offset, fixups->bind_size);
    visit_stream(&binder, false);
    memset(&binder.bind, 0, sizeof binder.bind);
    binder.stream = open_stream(image, fixups->lazy_bind_offset, fixups->lazy_bind_size);
    visit_stream(&binder, true);
}
