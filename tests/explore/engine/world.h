/* SPDX-License-Identifier: MIT */
/* The modelled world: threads as coroutines, what each sleeps on, store buffers, the clock, and
   what the world may still do. Everything that a state consists of is in `world`, in the module's
   writable memory, in the arena and on the coroutines' stacks: see memory.c. */
#ifndef FS_EXPLORE_WORLD_H
#define FS_EXPLORE_WORLD_H

#include <setjmp.h>
#include <stdint.h>

#include "explore.h"

#define STACK_SIZE 65536u
#define BUFFER_MAX 6u
#define DEAD_MAX 8u
#define WIPED_MAX 5u
#define LOCALS_MAX 64u

#define CLOCK_JUMP_MS 20    /* more than a waiter is patient: FS_HUNGER_NS of word_lock.c */
#define CLOCK_END_MS 1000   /* the clock does not run on by itself beyond this */
#define DEADLINE_MS 1000000 /* what explore_deadline returns */

enum thread_state {
    THREAD_NONE = 0,
    THREAD_READY,
    THREAD_ASLEEP,
    THREAD_QUIET,    /* waits until nobody is ready */
    THREAD_AWAITING, /* waits until another is asleep */
    THREAD_DONE,
};

/* How a thread sleeps. */
enum sleep_kind {
    SLEEP_PLAIN = 0,
    SLEEP_REQUEUE_PI, /* in FUTEX_WAIT_REQUEUE_PI, not moved yet */
    SLEEP_PI,         /* queued for a PI word */
    SLEEP_PI_MOVED,   /* likewise, from FUTEX_WAIT_REQUEUE_PI */
};

struct sleep {
    fs_word *word;
    fs_word *origin; /* where a restarted call begins anew */
    fs_word *pi;
    uint32_t expected;
    uint32_t bits;
    uint8_t kind;
    uint8_t scope;
    bool timed;
};

struct buffered_store {
    void *at;
    uint64_t value;
    uint64_t size;
};

struct thread {
    jmp_buf context;
    uintptr_t sp;
    struct sleep sleep;
    struct buffered_store buffer[BUFFER_MAX];
    uint8_t locals[LOCALS_MAX];
    void *robust_head;
    uint32_t buffered;
    uint32_t id;
    uint32_t priority;
    int32_t result; /* of the sleep */
    uint32_t asks;  /* alternatives that it wants one of; 0 = it stands at a point */
    uint32_t answer;
    uint32_t awaits; /* THREAD_AWAITING: whom */
    uint8_t state;
    bool yields; /* the point is one where the processor is given up */
    bool idle;   /* has given it up since its last change of the world */
    bool
        after_atomic; /* no plain access to what the scenario has named since its last atomic one */
    bool mortal;
    bool dead;
    bool exiting; /* dead, and those queued behind it are still to be told */
    bool late;    /* its deadline has come */
    bool never_late;
    bool in_sequence;
    bool aborted;
};

struct dead_range {
    uintptr_t from, to;
};

struct world {
    struct explore_world left;
    uint32_t count;  /* threads */
    uint32_t asking; /* the thread that asks for an alternative, or EXPLORE_NOBODY */
    uint32_t last;   /* who ran last; kept only with a bound */
    uint32_t preemptions;
    uint32_t arena_used;
    uint32_t dead_count;
    int64_t clock_ms;
    struct dead_range dead[DEAD_MAX];
    struct dead_range wiped[WIPED_MAX]; /* what a fork child finds zeroed */
    struct thread threads[EXPLORE_THREADS];
};

extern struct world world;

/* Not part of the state. */
struct session {
    const struct explore_scenario *scenario;
    enum explore_mode mode;
    bool without_wake_bits; /* of struct explore_module */
    unsigned current;       /* the running thread; EXPLORE_NOBODY outside */
    bool outside;           /* in start, check, observe or finish */
    bool tracing;
    bool failed;
    const void *where; /* tracing: the caller of the access under way */
    char failure[512];
};

extern struct session session;

/* ---- world.c ---------------------------------------------------------------------- */

/* Makes the stacks. Once. */
void world_prepare(void);

/* A world where the scenario's start has run and no thread has. False: start has failed. */
bool world_begin(const struct explore_scenario *scenario, enum explore_mode mode);

/* Runs the thread up to its next point, question, sleep or end. */
void world_resume(unsigned thread);

/* Calls a function of the scenario's outside of the world; null is fine. */
void world_call(void (*function)(void));

/* Calls a function that may fail, of the world's own doing: nobody runs. */
void world_do(void (*function)(unsigned argument), unsigned argument);

/* The calling thread stands at a point; others may go on. Outside of the world: nothing. */
void world_point(bool yields);

/* The calling thread sleeps as said in its `sleep`; returns the result. */
int world_sleep(void);

/* Takes a thread out of its sleep. */
void world_wake(unsigned thread, int result);

bool world_is_asleep(unsigned thread);

/* Tells the scenario and the trace. */
void world_event(enum explore_event_kind kind, unsigned thread, const void *word, const void *other,
                 uint64_t old, uint64_t new);

static inline struct thread *world_self(void)
{
    return session.outside || session.current == EXPLORE_NOBODY ? NULL
                                                                : &world.threads[session.current];
}

/* ---- memory.c ------------------------------------------------------------------------ */

#define ARENA_BASE UINT64_C(0x600000000000)
#define ARENA_SIZE 524288u
#define STACKS_BASE UINT64_C(0x610000000000)

void memory_prepare(void);

/* The module's writable memory, and its thread-local section. */
void memory_set_module(void *from, size_t size, void *locals, size_t locals_size);

/* All zero, as before anything ran. */
void memory_reset(void);

void *memory_allocate(size_t size, size_t alignment);

/* The running thread's thread-local variables go where the module has them, and back. */
void memory_load_locals(struct thread *thread);
void memory_store_locals(struct thread *thread);
void memory_copy_locals(struct thread *thread);

/* Fails if the memory is dead; notes that the arena is used there. */
void memory_check(const void *at, size_t size, const char *how);
void memory_touch(const void *at, size_t size);
bool memory_is_dead(const void *at, size_t size);

struct snapshot {
    unsigned char *bytes;
    size_t capacity;
    uint32_t lines;
};

void memory_save(struct snapshot *snapshot);
void memory_restore(const struct snapshot *snapshot);
uint64_t memory_hash(void);
uint64_t memory_hash_bytes(uint64_t hash, const void *bytes, size_t size);

/* ---- order.c ---------------------------------------------------------------------------- */

/* A buffered store becomes visible; the oldest, or all. */
void order_drain_one(unsigned thread);
void order_drain(unsigned thread);

/* What memory holds, and a change of it, by the kernel or by nobody. */
/* What a read-modify-write makes of a value. */
uint64_t order_apply(int operation, uint64_t old, uint64_t operand, unsigned size);

uint64_t order_peek(const void *at, unsigned size);
void order_poke(void *at, unsigned size, uint64_t value);

/* A system call of the running thread, or its return from one: all it has stored is visible. */
void order_system_call(void);

/* What the kernel finds in a word that it compares for the running thread. */
uint32_t order_kernel_load(const fs_word *w);

/* A change of memory by a thread, visible at once; by the kernel on its behalf. */
void order_write(unsigned thread, void *at, unsigned size, uint64_t value);
void order_write_by_kernel(unsigned thread, fs_word *at, uint32_t value);

/* ---- futex.c, futex_pi.c ---------------------------------------------------------------- */

/* The kernel's part in the death of a thread: its robust list, its PI words. */
void futex_make_robust_head(unsigned thread);
void futex_bury(unsigned thread);
bool futex_has_heirs(unsigned thread);
void futex_bury_pi(unsigned thread);
int futex_wake_matching(fs_word *w, int count, uint32_t bits, unsigned scope);

/* What every call of the kernel begins with: a point, and the caller's stores become visible. */
void futex_enter(void);

/* The living thread with this id; EXPLORE_NOBODY. */
unsigned futex_thread_of(uint32_t id);

/* Among sleepers of this kind on the word: those of the highest priority, as bits. */
uint32_t futex_best(const fs_word *w, unsigned kinds, uint32_t bits, unsigned scope);
/* One of those bits; a question to the world if there are several. */
unsigned futex_pick(uint32_t candidates);

/* ---- trace.c ------------------------------------------------------------------------------ */

void trace_begin(void);
void trace_event(const struct explore_event *event);
void trace_note(unsigned thread, const char *what);
void trace_state(void);
void trace_forget_names(void);
/* Whether the memory was named by the scenario, or is the locks' own. */
bool trace_has_name(const void *at);
bool trace_is_named(const void *at);
const char *trace_name(const void *at, char *buffer, size_t size);

#endif
