/* SPDX-License-Identifier: MIT */
/* A malloc to be preloaded, with mutexes inside: it calls pthread_mutex_lock
   before any constructor has run, from within the loader's and libc's own work.
   It hands out memory in a row and takes none back. With MALLOC_INITIALISES its
   first call also initialises the mutexes, with attributes. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef __GLIBC__
#include "musl.h"
#endif

enum {
    ALIGNMENT = 16,
};

/* Not in a header of libc. */
void *memalign(size_t alignment, size_t size);
void *pvalloc(size_t size);
size_t malloc_usable_size(void *block);
unsigned long interposed_malloc_calls(void);

static char arena[256 << 20] __attribute__((aligned(4096)));
static size_t used;
static unsigned long calls;
static pthread_mutex_t arena_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t count_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

#ifdef MALLOC_INITIALISES
static void initialise(pthread_mutex_t *m, int type)
{
    pthread_mutexattr_t attr;

    if (pthread_mutexattr_init(&attr) != 0 || pthread_mutexattr_settype(&attr, type) != 0 ||
        pthread_mutex_init(m, &attr) != 0 || pthread_mutexattr_destroy(&attr) != 0)
        abort();
}

/* The first call comes while there is one thread. An allocation that came out of the initialisation
   itself would begin it anew, without end. */
static void prepare(void)
{
    static bool done;

    if (done)
        return;
    initialise(&arena_lock, PTHREAD_MUTEX_ADAPTIVE_NP);
    initialise(&count_lock, PTHREAD_MUTEX_RECURSIVE);
    done = true;
}
#else
static void prepare(void)
{
}
#endif

static void count_call(void)
{
    prepare();
    pthread_mutex_lock(&count_lock);
    pthread_mutex_lock(&count_lock);
    calls++;
    pthread_mutex_unlock(&count_lock);
    pthread_mutex_unlock(&count_lock);
}

/* The size of a block stands in the word before it. */
static void *take(size_t alignment, size_t size)
{
    if (alignment < ALIGNMENT)
        alignment = ALIGNMENT;
    count_call();
    pthread_mutex_lock(&arena_lock);
    size_t start = (used + sizeof size + alignment - 1) & ~(alignment - 1);
    if (size > sizeof arena || start > sizeof arena - size) {
        pthread_mutex_unlock(&arena_lock);
        errno = ENOMEM;
        return NULL;
    }
    used = start + size;
    memcpy(&arena[start - sizeof size], &size, sizeof size);
    pthread_mutex_unlock(&arena_lock);
    return &arena[start];
}

unsigned long interposed_malloc_calls(void)
{
    return calls;
}

void *malloc(size_t size)
{
    return take(ALIGNMENT, size);
}

void free(void *block)
{
    if (block)
        count_call();
}

void *calloc(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(ALIGNMENT, total);
}

void *realloc(void *old, size_t size)
{
    void *block = take(ALIGNMENT, size);
    size_t old_size;

    if (block && old) {
        memcpy(&old_size, (char *)old - sizeof old_size, sizeof old_size);
        memcpy(block, old, old_size < size ? old_size : size);
    }
    return block;
}

void *memalign(size_t alignment, size_t size)
{
    return take(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return take(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    *block = take(alignment, size);
    return *block ? 0 : ENOMEM;
}

void *valloc(size_t size)
{
    return take(4096, size);
}

void *pvalloc(size_t size)
{
    return take(4096, (size + 4095) & ~(size_t)4095);
}

size_t malloc_usable_size(void *block)
{
    size_t size = 0;

    if (block)
        memcpy(&size, (char *)block - sizeof size, sizeof size);
    return size;
}
