/* SPDX-License-Identifier: MIT */
/* Doubles of the thread calls: creation, end, join, cancellation with its cleanup handlers, and
   fork. A thread is one of Linux's with an area of its own that has Darwin's layout where programs
   read it: the cleanup stack, and slots for the thread itself and its port. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "loader.h"
#include "world.h"

/* As the macro pthread_cleanup_push of Darwin fills it in. */
struct cleanup {
    void (*run)(void *);
    void *argument;
    struct cleanup *next;
};

#define SLOT_SELF 0
#define SLOT_PORT 3
#define SLOTS 32

enum cancel_setting { CANCEL_DISABLE = 0, CANCEL_ENABLE = 1, CANCEL_DEFERRED = 2 };

#define CANCELLED_RESULT ((void *)1)

struct thread {
    int64_t signature;
    struct cleanup *cleanups; /* Darwin's programs push and pop here themselves */
    pthread_t native;
    void *(*start)(void *);
    void *argument;
    void *result;
    jmp_buf end;
    struct sleeper *sleeper;
    int cancel_state;
    int cancel_type;
    bool cancelled;
    bool acting; /* on the cancellation, or ended */
    bool ended;
    bool joined; /* somebody waits for its end */
    uintptr_t slots[SLOTS];
};

#define SIGNATURE 0x54485244 /* 'THRD' */

static __thread struct thread *current;
static unsigned next_port = 9;

/* On arm64 the low bits of the register are a processor's number, and no part of the address. */
static void enter(struct thread *thread)
{
    current = thread;
#if defined(__aarch64__)
    thread_register_set((char *)thread->slots + 5);
#else
    thread_register_set(thread->slots);
#endif
}

/* Ports are handed out as a kernel does: never in a row, and anew in a fork child. */
static void name_thread(struct thread *thread)
{
    unsigned number = __atomic_fetch_add(&next_port, 1, __ATOMIC_RELAXED);

    thread->slots[SLOT_SELF] = (uintptr_t)thread;
    thread->slots[SLOT_PORT] = number << 8 | 3;
    thread->sleeper = world_allocate(sizeof *thread->sleeper);
    thread->sleeper->thread = thread;
}

static struct thread *make_thread(void)
{
    struct thread *thread =
        mmap(NULL, sizeof *thread, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (thread == MAP_FAILED)
        refuse("mmap", "no memory for a thread");
    thread->signature = SIGNATURE;
    thread->cancel_state = CANCEL_ENABLE;
    thread->cancel_type = CANCEL_DEFERRED;
    name_thread(thread);
    return thread;
}

void thread_begin_main(void)
{
    struct thread *thread = make_thread();

    thread->native = pthread_self();
    enter(thread);
}

struct sleeper *thread_sleeper(void)
{
    return current->sleeper;
}

uint32_t thread_port(void)
{
    return (uint32_t)current->slots[SLOT_PORT];
}

/* ---- begin and end --------------------------------------------------------------- */

static void *run_thread(void *argument)
{
    struct thread *thread = argument;

    enter(thread);
    if (setjmp(thread->end) == 0)
        thread->result = thread->start(thread->argument);
    thread->acting = true;
    world_lock();
    thread->ended = true;
    if (thread->joined)
        census_gets_loose();
    census_thread_ends();
    world_unlock();
    return thread->result;
}

/* What a thread is created with; programs see only its size. */
struct attributes {
    int64_t signature;
    int64_t stack_size;
    int32_t detached;
};

#define CREATE_DETACHED 2

static int attr_init(struct attributes *attributes)
{
    memset(attributes, 0, sizeof *attributes);
    return 0;
}

static int attr_destroy(struct attributes *attributes)
{
    (void)attributes;
    return 0;
}

static int attr_setdetachstate(struct attributes *attributes, int state)
{
    attributes->detached = state == CREATE_DETACHED;
    return 0;
}

static int create(struct thread **made, const struct attributes *attributes, void *(*start)(void *),
                  void *argument)
{
    struct thread *thread = make_thread();
    pthread_attr_t native;
    int err;

    thread->start = start;
    thread->argument = argument;
    *made = thread;
    pthread_attr_init(&native);
    pthread_attr_setstacksize(&native, (size_t)512 << 10);
    if (attributes && attributes->detached)
        pthread_attr_setdetachstate(&native, PTHREAD_CREATE_DETACHED);
    world_lock();
    census_thread_begins();
    world_unlock();
    err = pthread_create(&thread->native, &native, run_thread, thread);
    pthread_attr_destroy(&native);
    if (err)
        refuse("pthread_create", "no thread (%d)", err);
    return 0;
}

static int join(struct thread *thread, void **result)
{
    world_lock();
    thread->joined = true;
    if (!thread->ended)
        census_gets_stuck();
    world_unlock();
    if (pthread_join(thread->native, NULL) != 0)
        return DARWIN_ESRCH;
    if (result)
        *result = thread->result;
    munmap(thread, sizeof *thread);
    return 0;
}

static int detach(struct thread *thread)
{
    return pthread_detach(thread->native) ? DARWIN_EINVAL : 0;
}

static _Noreturn void end_thread(void *result)
{
    struct thread *thread = current;

    thread->acting = true;
    while (thread->cleanups) {
        struct cleanup *cleanup = thread->cleanups;

        thread->cleanups = cleanup->next;
        cleanup->run(cleanup->argument);
    }
    if (!thread->start)
        refuse("pthread_exit", "the main thread must return");
    thread->result = result;
    longjmp(thread->end, 1);
}

static struct thread *self(void)
{
    return current;
}

static int equal(const struct thread *one, const struct thread *other)
{
    return one == other;
}

static uint32_t port_of(const struct thread *thread)
{
    return (uint32_t)thread->slots[SLOT_PORT];
}

static int is_main(void)
{
    return current->start == NULL;
}

/* ---- cancellation ------------------------------------------------------------------ */

bool thread_is_cancelled(void)
{
    return __atomic_load_n(&current->cancelled, __ATOMIC_ACQUIRE) &&
           current->cancel_state == CANCEL_ENABLE && !current->acting;
}

void thread_cancellation_point(void)
{
    if (thread_is_cancelled())
        end_thread(CANCELLED_RESULT);
}

/* Ends the target's sleep in a call that is a cancellation point; the target does the rest. */
static int cancel(struct thread *thread)
{
    host_count("pthread_cancel");
    world_lock();
    __atomic_store_n(&thread->cancelled, true, __ATOMIC_RELEASE);
    if (thread->cancel_state == CANCEL_ENABLE && !thread->acting)
        sleeper_cancel(thread->sleeper);
    world_unlock();
    return 0;
}

static int setcancelstate(int state, int *old)
{
    if (state != CANCEL_ENABLE && state != CANCEL_DISABLE)
        return DARWIN_EINVAL;
    if (old)
        *old = current->cancel_state;
    current->cancel_state = state;
    return 0;
}

/* Nothing here ends a thread at any instruction: a type is remembered and no more. */
static int setcanceltype(int type, int *old)
{
    if (type != CANCEL_DEFERRED && type != 0)
        return DARWIN_EINVAL;
    if (old)
        *old = current->cancel_type;
    current->cancel_type = type;
    return 0;
}

/* ---- values per thread ----------------------------------------------------------- */

static int key_create(uint64_t *key, void (*destroy)(void *))
{
    pthread_key_t native;

    if (pthread_key_create(&native, destroy) != 0)
        return DARWIN_EAGAIN;
    *key = native;
    return 0;
}

static void *key_get(uint64_t key)
{
    return pthread_getspecific((pthread_key_t)key);
}

static int key_set(uint64_t key, const void *value)
{
    return pthread_setspecific((pthread_key_t)key, value) ? DARWIN_EINVAL : 0;
}

/* ---- fork ----------------------------------------------------------------------------- */

#define HANDLERS_MAX 16

static struct handlers {
    void (*prepare)(void);
    void (*parent)(void);
    void (*child)(void);
} handlers[HANDLERS_MAX];
static unsigned handler_count;

static int atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    if (handler_count == HANDLERS_MAX)
        return DARWIN_ENOMEM;
    handlers[handler_count++] = (struct handlers){prepare, parent, child};
    return 0;
}

static void run_handler(void (*handler)(void))
{
    if (handler)
        handler();
}

/* The world's lock is shared with the child, and given back by the parent alone. */
static int double_fork(void)
{
    pid_t child;

    for (unsigned i = handler_count; i-- > 0;)
        run_handler(handlers[i].prepare);
    world_lock();
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing is left running when the time is up */
        census_begin_child();
        name_thread(current);
    } else {
        world_unlock();
    }
    for (unsigned i = 0; i < handler_count; i++)
        run_handler(child == 0 ? handlers[i].child : handlers[i].parent);
    return child;
}

static int double_waitpid(int pid, int *status, int options)
{
    pid_t found;

    do
        found = waitpid(pid, status, options);
    while (found < 0);
    return found;
}

const struct host_entry host_threads[] = {
    HOST_FUNCTION("pthread_attr_init", attr_init),
    HOST_FUNCTION("pthread_attr_destroy", attr_destroy),
    HOST_FUNCTION("pthread_attr_setdetachstate", attr_setdetachstate),
    HOST_FUNCTION("pthread_create", create),
    HOST_FUNCTION("pthread_join", join),
    HOST_FUNCTION("pthread_detach", detach),
    HOST_FUNCTION("pthread_exit", end_thread),
    HOST_FUNCTION("pthread_self", self),
    HOST_FUNCTION("pthread_equal", equal),
    HOST_FUNCTION("pthread_main_np", is_main),
    HOST_FUNCTION("pthread_mach_thread_np", port_of),
    HOST_FUNCTION("pthread_cancel", cancel),
    HOST_FUNCTION("pthread_testcancel", thread_cancellation_point),
    HOST_FUNCTION("pthread_setcancelstate", setcancelstate),
    HOST_FUNCTION("pthread_setcanceltype", setcanceltype),
    HOST_FUNCTION("pthread_atfork", atfork),
    HOST_FUNCTION("pthread_key_create", key_create),
    HOST_FUNCTION("pthread_getspecific", key_get),
    HOST_FUNCTION("pthread_setspecific", key_set),
    HOST_FUNCTION("fork", double_fork),
    HOST_FUNCTION("waitpid", double_waitpid),
    HOST_END,
};
