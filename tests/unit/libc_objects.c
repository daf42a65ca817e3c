/* SPDX-License-Identifier: MIT */
/*
 * Objects that the C library itself has made and uses, seen through our views of them: kinds by
 * attribute, static initialisers, clocks, and the fields of an object in use. Every disagreement is
 * one line, and the status is 1. It runs without the library; test_objects.py builds it, with our
 * headers as they are and with mistakes in them.
 */
#include "interpose/view.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int disagreements;

#define AGREE(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            disagreements++;                                                                       \
            printf("%s: ", #condition);                                                            \
            printf(__VA_ARGS__);                                                                   \
            putchar('\n');                                                                         \
        }                                                                                          \
    } while (0)

/* The kind is taken out first. */
static bool is_zero(const void *object, size_t size)
{
    static const char zero[256];

    return memcmp(object, zero, size) == 0;
}

/* ---- mutexes ---- */

struct wish {
    int type, protocol, robust, pshared;
};

static bool is_private(const struct wish *w)
{
    return w->robust == PTHREAD_MUTEX_STALLED && w->pshared == PTHREAD_PROCESS_PRIVATE;
}

static uint32_t our_type(int type)
{
    return type == PTHREAD_MUTEX_RECURSIVE    ? FS_KIND_RECURSIVE
           : type == PTHREAD_MUTEX_ERRORCHECK ? FS_KIND_ERRORCHECK
                                              : FS_KIND_NORMAL;
}

#ifdef FS_LIBC_MUSL

/* Ours are the private ones that are not robust, and pthread_mutex_init makes them with our bits.
 */
static void see_kind(const struct wish *w, uint32_t kind)
{
    uint32_t ours = FS_KIND_TYPE_MASK | FS_KIND_PI | FS_KIND_MADE_PI | FS_KIND_TURNED_OVER;

    AGREE(((kind & FS_KIND_LIBCS) != 0) == !is_private(w), "kind %#x", kind);
    AGREE((ours & FS_KIND_LIBCS) == 0, "%#x", FS_KIND_LIBCS);
    AGREE((FS_KIND_SHARED & kind) == 0, "kind %#x", kind);
    AGREE(fs_kind_is_handed_over(FS_KIND_ROBUST) && fs_kind_is_handed_over(FS_KIND_SHARED) &&
              !fs_kind_is_handed_over(FS_KIND_PI),
          "kind %#x", kind);
}

/* musl's own affair. */
static void see_held(struct fs_mutex *m, const struct wish *w)
{
    (void)m;
    (void)w;
}

#else

static void see_kind(const struct wish *w, uint32_t kind)
{
    bool protects = w->protocol == PTHREAD_PRIO_PROTECT;

    AGREE(((kind & FS_KIND_SHARED) != 0) == !is_private(w), "kind %#x", kind);
    AGREE(((kind & FS_KIND_ROBUST) != 0) == (w->robust == PTHREAD_MUTEX_ROBUST), "kind %#x", kind);
    AGREE(((kind & FS_KIND_PI) != 0) == (w->protocol == PTHREAD_PRIO_INHERIT), "kind %#x", kind);
    AGREE(((kind & FS_KIND_LIBCS) != 0) == protects, "kind %#x", kind);
    AGREE(fs_kind_is_handed_over(kind) == protects, "kind %#x", kind);
}

/* Held once by this thread. */
static void see_held(struct fs_mutex *m, const struct wish *w)
{
    uint32_t me = (uint32_t)syscall(SYS_gettid);
    bool names_holder = w->robust == PTHREAD_MUTEX_ROBUST || w->protocol == PTHREAD_PRIO_INHERIT;

    AGREE(fs_load_relaxed(&m->word) == (names_holder ? me : 1), "word %#x",
          fs_load_relaxed(&m->word));
    AGREE(fs_load_relaxed(&m->owner) == me, "owner %u, not %u", fs_load_relaxed(&m->owner), me);
    AGREE(m->nusers == 1, "%u users", m->nusers);
    AGREE(m->count == (names_holder || w->type == PTHREAD_MUTEX_RECURSIVE), "count %u", m->count);
    if (w->robust == PTHREAD_MUTEX_ROBUST) {
        uintptr_t *head = NULL;
        size_t size = 0;
        if (syscall(SYS_get_robust_list, 0, &head, &size) == 0 && head) {
            uintptr_t first = (uintptr_t)&m->link.next;
            AGREE((head[0] & ~(uintptr_t)1) == first, "%#lx", (unsigned long)head[0]);
        }
    }
}

#endif

static void see_mutex(const struct wish *w)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex;
    struct fs_mutex *m = fs_view_mutex(&mutex);
    uint32_t kind;

    memset(&mutex, 0xa5, sizeof mutex);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, w->type);
    pthread_mutexattr_setrobust(&attr, w->robust);
    pthread_mutexattr_setpshared(&attr, w->pshared);
    if (pthread_mutexattr_setprotocol(&attr, w->protocol) != 0 ||
        pthread_mutex_init(&mutex, &attr) != 0)
        return; /* robust with a ceiling; musl: a ceiling */
    kind = fs_mutex_kind(m);
    AGREE((kind & FS_KIND_TYPE_MASK) == our_type(w->type), "kind %#x", kind);
    AGREE(fs_kind_is_known(kind) || w->protocol != PTHREAD_PRIO_NONE, "kind %#x", kind);
    see_kind(w, kind);
    if (w->protocol != PTHREAD_PRIO_PROTECT) {
        pthread_mutex_lock(&mutex);
        see_held(m, w);
        pthread_mutex_unlock(&mutex);
        pthread_mutex_destroy(&mutex);
        pthread_mutex_init(&mutex, &attr);
        fs_store_relaxed(&m->kind, 0);
        AGREE(is_zero(&mutex, sizeof mutex), "kind %#x", kind);
    }
}

static void see_mutexes(void)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                PTHREAD_MUTEX_ERRORCHECK};
    static const int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT, PTHREAD_PRIO_PROTECT};

    for (int i = 0; i < 36; i++) {
        struct wish w = {types[i % 3], protocols[i / 3 % 3],
                         i / 9 % 2 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED,
                         i / 18 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE};
        see_mutex(&w);
    }
}

static void see_initialisers(void)
{
    pthread_mutex_t normal = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

    AGREE(fs_mutex_kind(fs_view_mutex(&normal)) == FS_KIND_NORMAL, "PTHREAD_MUTEX_INITIALIZER");
    AGREE(is_zero(&normal, sizeof normal), "PTHREAD_MUTEX_INITIALIZER");
    AGREE(is_zero(&cond, sizeof cond), "PTHREAD_COND_INITIALIZER");
    AGREE(is_zero(&lock, sizeof lock), "PTHREAD_RWLOCK_INITIALIZER");
#ifndef FS_LIBC_MUSL
    pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    pthread_mutex_t errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    pthread_mutex_t adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
    pthread_rwlock_t writers = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    AGREE(fs_mutex_kind(fs_view_mutex(&recursive)) == FS_KIND_RECURSIVE, "recursive");
    AGREE(fs_mutex_kind(fs_view_mutex(&errorcheck)) == FS_KIND_ERRORCHECK, "errorcheck");
    AGREE(fs_mutex_kind(fs_view_mutex(&adaptive)) == FS_KIND_ADAPTIVE, "adaptive");
    AGREE(fs_rwlock_preference(&writers) == FS_RW_PREFER_WRITERS, "writers");
#endif
}

/* ---- condition variables ---- */

#ifdef FS_LIBC_MUSL

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t shared_cond;
static bool is_waiting, is_over;

static void *wait_until_it_is_over(void *unused)
{
    pthread_mutex_lock(&mutex);
    is_waiting = true;
    while (!is_over)
        pthread_cond_wait(&shared_cond, &mutex);
    pthread_mutex_unlock(&mutex);
    return unused;
}

/* Returns with the mutex, which the waiter has given up in its wait. */
static void lock_when_it_waits(void)
{
    for (;;) {
        pthread_mutex_lock(&mutex);
        if (is_waiting)
            return;
        pthread_mutex_unlock(&mutex);
        sched_yield();
    }
}

/* A waiter of musl's is counted, and a signal changes the sequence. */
static void see_waiter(void)
{
    struct fs_cond_view *view = fs_view_cond(&shared_cond);
    uint32_t before = fs_load_relaxed(&view->sequence);
    uint32_t none = fs_load_relaxed(&view->waiters);
    pthread_t thread;

    is_waiting = is_over = false;
    if (pthread_create(&thread, NULL, wait_until_it_is_over, NULL) != 0)
        abort();
    lock_when_it_waits();
    AGREE(fs_load_relaxed(&view->waiters) == none + 1, "the waiter is not counted");
    AGREE(fs_load_relaxed(&view->sequence) == before, "the waiter changes the sequence");
    is_over = true;
    pthread_cond_signal(&shared_cond);
    AGREE(fs_load_relaxed(&view->sequence) != before, "the signal leaves the sequence");
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    AGREE(fs_load_relaxed(&view->waiters) == none, "the waiter stays counted");
}

static void see_condition(int pshared, clockid_t clock)
{
    pthread_condattr_t attr;
    bool is_shared = pshared == PTHREAD_PROCESS_SHARED;

    pthread_condattr_init(&attr);
    pthread_condattr_setpshared(&attr, pshared);
    pthread_condattr_setclock(&attr, clock);
    memset(&shared_cond, 0xa5, sizeof shared_cond);
    pthread_cond_init(&shared_cond, &attr);
    AGREE(fs_cond_is_shared(&shared_cond) == is_shared, "pshared %d", pshared);
    AGREE(fs_cond_clock(&shared_cond) == clock, "clock %d", (int)clock);
    if (is_shared)
        see_waiter();
}

#else

/* The C library's flags lie behind our private one. Where a shared one is marked is found out at
   run time. */
static void see_condition(int pshared, clockid_t clock)
{
    pthread_condattr_t attr;
    pthread_cond_t cond;

    pthread_condattr_init(&attr);
    pthread_condattr_setpshared(&attr, pshared);
    pthread_condattr_setclock(&attr, clock);
    memset(&cond, 0xa5, sizeof cond);
    pthread_cond_init(&cond, &attr);
    AGREE(is_zero(&cond, sizeof(struct fs_cond_view)), "pshared %d, clock %d", pshared, (int)clock);
}

#endif

/* ---- reader-writer locks ---- */

static void see_lock(int pshared, int preference)
{
    pthread_rwlockattr_t attr;
    pthread_rwlock_t lock;
    bool is_shared = pshared == PTHREAD_PROCESS_SHARED;

    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setpshared(&attr, pshared);
#ifndef FS_LIBC_MUSL
    bool prefers_writers = preference == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
    pthread_rwlockattr_setkind_np(&attr, preference);
#endif
    memset(&lock, 0xa5, sizeof lock);
    pthread_rwlock_init(&lock, &attr);
    AGREE(fs_rwlock_is_shared(&lock) == is_shared, "pshared %d", pshared);
    pthread_rwlock_wrlock(&lock);
    AGREE(fs_rwlock_is_shared(&lock) == is_shared, "pshared %d, held", pshared);
#ifndef FS_LIBC_MUSL
    AGREE((fs_rwlock_preference(&lock) == FS_RW_PREFER_WRITERS) == prefers_writers, "%d",
          preference);
    AGREE(fs_load_relaxed(&fs_view_rwlock(&lock)->writer) == (uint32_t)syscall(SYS_gettid),
          "writer %u", fs_load_relaxed(&fs_view_rwlock(&lock)->writer));
#endif
    pthread_rwlock_unlock(&lock);
}

int main(void)
{
    see_mutexes();
    see_initialisers();
    for (int i = 0; i < 4; i++)
        see_condition(i % 2 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE,
                      i / 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME);
    for (int i = 0; i < 6; i++)
        see_lock(i % 2 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE, i / 2);
    return disagreements != 0;
}
