/* SPDX-License-Identifier: MIT */
/* The memory of the world: the module's variables, an arena for what locks map, the stacks. Saved,
   restored and hashed as bytes. Also the hooks that the compiler puts at every plain access
   (-fsanitize=thread, without that sanitizer's library): they find accesses to dead memory, say
   which lines of the arena are in use, and are the moments at which a mortal thread may die. */
#include "weak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE 64u
#define LINES (ARENA_SIZE / LINE)

static unsigned char *module_bytes;
static size_t module_size;
static unsigned char *module_locals;
static size_t locals_size;

/* Lines of the arena that were ever written to. */
static uint16_t touched[LINES];
static uint32_t touched_count;
static uint8_t is_touched[LINES];

void memory_prepare(void)
{
    void *at = mmap((void *)ARENA_BASE, ARENA_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (at != (void *)ARENA_BASE) {
        fprintf(stderr, "explorer: no memory for the arena\n");
        _exit(2);
    }
}

static unsigned char *module_image; /* as loaded: the initial values */

void memory_set_module(void *from, size_t size, void *locals, size_t size_of_locals)
{
    module_bytes = from;
    module_size = size & ~(size_t)7;
    module_locals = locals;
    locals_size = size_of_locals;
    if (locals_size > LOCALS_MAX) {
        fprintf(stderr, "explorer: more thread-local variables than LOCALS_MAX\n");
        _exit(2);
    }
    free(module_image);
    module_image = malloc(module_size);
    memcpy(module_image, module_bytes, module_size);
}

void memory_reset(void)
{
    memcpy(module_bytes, module_image, module_size);
    for (uint32_t i = 0; i < touched_count; i++) {
        is_touched[touched[i]] = 0;
        memset((void *)(ARENA_BASE + (uintptr_t)touched[i] * LINE), 0, LINE);
    }
    touched_count = 0;
    weak_reset();
}

void *memory_allocate(size_t size, size_t alignment)
{
    uintptr_t from = (ARENA_BASE + world.arena_used + alignment - 1) & ~(alignment - 1);

    if (from + size > ARENA_BASE + ARENA_SIZE)
        return NULL;
    world.arena_used = (uint32_t)(from + size - ARENA_BASE);
    return (void *)from;
}

void memory_load_locals(struct thread *thread)
{
    memcpy(module_locals, thread->locals, locals_size);
}

void memory_copy_locals(struct thread *thread)
{
    memcpy(thread->locals, module_locals, locals_size);
}

void memory_store_locals(struct thread *thread)
{
    memory_copy_locals(thread);
    memset(module_locals, 0, locals_size);
}

bool memory_is_dead(const void *at, size_t size)
{
    uintptr_t from = (uintptr_t)at;

    for (uint32_t i = 0; i < world.dead_count; i++)
        if (from < world.dead[i].to && from + size > world.dead[i].from)
            return true;
    return false;
}

void memory_check(const void *at, size_t size, const char *how)
{
    char name[96];

    if (FS_UNLIKELY(world.dead_count != 0) && memory_is_dead(at, size))
        explore_fail("dead memory: a %s of %s", how, trace_name(at, name, sizeof name));
}

void memory_touch(const void *at, size_t size)
{
    uintptr_t offset = (uintptr_t)at - ARENA_BASE;

    if (offset >= ARENA_SIZE)
        return;
    for (uintptr_t line = offset / LINE; line <= (offset + size - 1) / LINE; line++)
        if (!is_touched[line]) {
            is_touched[line] = 1;
            touched[touched_count++] = (uint16_t)line;
        }
}

void explore_kill_memory(void *memory, size_t size)
{
    if (world.dead_count == DEAD_MAX)
        explore_fail("the scenario kills more than %u ranges", DEAD_MAX);
    world.dead[world.dead_count++] =
        (struct dead_range){(uintptr_t)memory, (uintptr_t)memory + size};
}

void explore_reuse_memory(void *memory, size_t size, uint8_t fill)
{
    for (uint32_t i = 0; i < world.dead_count; i++)
        if (world.dead[i].from == (uintptr_t)memory) {
            world.dead[i] = world.dead[--world.dead_count];
            memset(&world.dead[world.dead_count], 0, sizeof world.dead[0]);
        }
    memory_touch(memory, size);
    memset(memory, fill, size);
    weak_forget(memory, size);
}

/* ---- saving ---------------------------------------------------------------------------- */

static size_t world_size(void)
{
    return offsetof(struct world, threads) + world.count * sizeof(struct thread);
}

static uintptr_t stack_from(unsigned thread)
{
    return world.threads[thread].sp & ~(uintptr_t)7;
}

static uintptr_t stack_to(unsigned thread)
{
    return STACKS_BASE + (uintptr_t)(thread + 1) * STACK_SIZE;
}

static unsigned char *put(unsigned char *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

static const unsigned char *get(void *to, const unsigned char *from, size_t size)
{
    memcpy(to, from, size);
    return from + size;
}

static bool has_stack(unsigned thread)
{
    return world.threads[thread].state != THREAD_DONE;
}

void memory_save(struct snapshot *snapshot)
{
    size_t size = world_size() + module_size + (size_t)touched_count * LINE;
    unsigned char *to;

    for (unsigned i = 0; i < world.count; i++)
        if (has_stack(i))
            size += stack_to(i) - stack_from(i);
    if (session.mode == MODE_WEAK)
        size += weak_saved_size();
    if (snapshot->capacity < size) {
        free(snapshot->bytes);
        snapshot->capacity = size + size / 4;
        snapshot->bytes = malloc(snapshot->capacity);
        if (!snapshot->bytes) {
            fprintf(stderr, "explorer: out of memory\n");
            _exit(2);
        }
    }
    snapshot->lines = touched_count;
    to = put(snapshot->bytes, &world, world_size());
    to = put(to, module_bytes, module_size);
    for (uint32_t i = 0; i < touched_count; i++)
        to = put(to, (void *)(ARENA_BASE + (uintptr_t)touched[i] * LINE), LINE);
    for (unsigned i = 0; i < world.count; i++)
        if (has_stack(i))
            to = put(to, (void *)stack_from(i), stack_to(i) - stack_from(i));
    if (session.mode == MODE_WEAK)
        weak_save(to);
}

void memory_restore(const struct snapshot *snapshot)
{
    const unsigned char *from = get(&world, snapshot->bytes, world_size());

    from = get(module_bytes, from, module_size);
    for (uint32_t i = 0; i < touched_count; i++) {
        void *line = (void *)(ARENA_BASE + (uintptr_t)touched[i] * LINE);

        if (i < snapshot->lines)
            from = get(line, from, LINE);
        else
            memset(line, 0, LINE);
    }
    for (unsigned i = 0; i < world.count; i++)
        if (has_stack(i))
            from = get((void *)stack_from(i), from, stack_to(i) - stack_from(i));
    if (session.mode == MODE_WEAK)
        weak_restore(from);
}

/* ---- hashing ---------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ (hash >> 29);
}

static uint64_t word_at(const unsigned char *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

__extension__ typedef unsigned __int128 wide_product;

static uint64_t fold(uint64_t a, uint64_t b)
{
    wide_product product = (wide_product)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two chains of folded products (as wyhash has them): this is where most of the time goes. */
uint64_t memory_hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t other;

    /* A chain that begins with a small number would meet its like in the memory, and a product
       with zero forgets the other factor. */
    hash = mix(hash, UINT64_C(0x589965cc75374cc3));
    other = mix(hash, UINT64_C(0xe7037ed1a0b428db));
    for (; size >= 32; at += 32, size -= 32) {
        hash = fold(word_at(at) ^ UINT64_C(0xa0761d6478bd642f), word_at(at + 8) ^ hash);
        other = fold(word_at(at + 16) ^ UINT64_C(0x8ebc6af09c88c6e3), word_at(at + 24) ^ other);
    }
    hash = mix(hash, other);
    for (; size >= 8; at += 8, size -= 8)
        hash = mix(hash, word_at(at));
    for (; size > 0; at++, size--)
        hash = mix(hash, *at);
    return hash;
}

/* All zero counts as nothing, so that it does not matter which lines were ever written to. */
static uint64_t hash_line(uint32_t line)
{
    const uint64_t *at = (const uint64_t *)(ARENA_BASE + (uintptr_t)line * LINE);
    uint64_t any = 0;

    for (unsigned i = 0; i < LINE / 8; i++)
        any |= at[i];
    return any == 0 ? 0 : memory_hash_bytes(line + 1, at, LINE);
}

/* Of a thread that is done only what may still matter. */
static uint64_t hash_thread(uint64_t hash, unsigned i)
{
    const struct thread *thread = &world.threads[i];

    if (thread->state == THREAD_DONE) {
        hash = mix(hash, thread->dead + 2u * thread->exiting);
        return memory_hash_bytes(hash, thread->buffer, thread->buffered * sizeof thread->buffer[0]);
    }
    /* Of the context the saved registers; what follows is a signal mask that is not in use. */
    hash = memory_hash_bytes(hash, thread->context, sizeof thread->context[0].__jmpbuf);
    hash = memory_hash_bytes(hash, &thread->sp,
                             offsetof(struct thread, buffer) - offsetof(struct thread, sp));
    hash = memory_hash_bytes(hash, thread->buffer, thread->buffered * sizeof thread->buffer[0]);
    hash =
        memory_hash_bytes(hash, thread->locals, sizeof *thread - offsetof(struct thread, locals));
    return memory_hash_bytes(hash, (const void *)stack_from(i), stack_to(i) - stack_from(i));
}

uint64_t memory_hash(void)
{
    uint64_t hash = memory_hash_bytes(1, &world, offsetof(struct world, threads));
    uint64_t lines = 0;

    hash = memory_hash_bytes(hash, module_bytes, module_size);
    for (uint32_t i = 0; i < touched_count; i++)
        lines += hash_line(touched[i]);
    hash = mix(hash, lines);
    for (unsigned i = 0; i < world.count; i++)
        hash = hash_thread(hash, i);
    if (session.mode == MODE_WEAK)
        hash = mix(hash, weak_hash());
    return hash ^ (hash >> 32);
}

/* ---- the hooks ---------------------------------------------------------------------------- */

static bool is_on_a_stack(const void *at)
{
    return (uintptr_t)at - STACKS_BASE < (uintptr_t)STACK_SIZE * EXPLORE_THREADS;
}

/* A plain access is a point where a mortal thread may die; and so is the first one to an object
   behind an atomic access, which may have been the one that let others free the object. */
static void stop_at_plain(struct thread *me, const void *at, bool writes)
{
    if (!((writes && me->mortal && world.left.deaths != 0) ||
          (me->after_atomic && trace_is_named(at))))
        return;
    world_point(false);
    me->after_atomic = false;
}

static void on_plain(const void *at, size_t size, bool writes)
{
    struct thread *me = world_self();

    if (is_on_a_stack(at))
        return;
    if (me)
        stop_at_plain(me, at, writes);
    memory_check(at, size, writes ? "write" : "read");
    if (session.mode == MODE_WEAK && me)
        weak_plain(at, size, writes);
    if (writes)
        memory_touch(at, size);
}

#define DEFINE_HOOKS(size)                                                                         \
    void __tsan_read##size(void *at);                                                              \
    void __tsan_read##size(void *at)                                                               \
    {                                                                                              \
        on_plain(at, size, false);                                                                 \
    }                                                                                              \
    void __tsan_write##size(void *at);                                                             \
    void __tsan_write##size(void *at)                                                              \
    {                                                                                              \
        on_plain(at, size, true);                                                                  \
    }                                                                                              \
    void __tsan_unaligned_read##size(void *at);                                                    \
    void __tsan_unaligned_read##size(void *at)                                                     \
    {                                                                                              \
        on_plain(at, size, false);                                                                 \
    }                                                                                              \
    void __tsan_unaligned_write##size(void *at);                                                   \
    void __tsan_unaligned_write##size(void *at)                                                    \
    {                                                                                              \
        on_plain(at, size, true);                                                                  \
    }

/* NOLINTBEGIN: names of the compiler's */
DEFINE_HOOKS(1)
DEFINE_HOOKS(2)
DEFINE_HOOKS(4)
DEFINE_HOOKS(8)
DEFINE_HOOKS(16)

void __tsan_read_range(void *at, size_t size);
void __tsan_read_range(void *at, size_t size)
{
    on_plain(at, size, false);
}

void __tsan_write_range(void *at, size_t size);
void __tsan_write_range(void *at, size_t size)
{
    on_plain(at, size, true);
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

void __tsan_init(void);
void __tsan_init(void)
{
}
/* NOLINTEND */
