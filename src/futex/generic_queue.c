/* SPDX-License-Identifier: MIT */
/* The buckets of generic_queue.h, over POSIX threads. A fork child finds all queues empty: who
   stood in them are threads that it does not have. */
#include "futex/generic_queue.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "base/fatal.h"

#define BUCKET_BITS 6
#define BUCKETS (1u << BUCKET_BITS)

/* What a time of the system can hold in any case. */
#define LAST_SECOND (sizeof(time_t) < 8 ? (int64_t)INT32_MAX : INT64_MAX / FS_NSEC_PER_SEC - 1)

struct fs_generic_bucket {
    pthread_mutex_t lock;
    struct fs_generic_node *first;
    struct fs_generic_node *last;
} FS_ALIGNED(FS_CACHE_LINE);

/* clang-format off */
#define ONE {.lock = PTHREAD_MUTEX_INITIALIZER}
#define FOUR ONE, ONE, ONE, ONE
#define SIXTEEN FOUR, FOUR, FOUR, FOUR
/* clang-format on */

static struct fs_generic_bucket buckets[] = {SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN};

/* How many forks lie between this process and the first: the links of a node that was queued before
   one of them lead to threads that are gone. Changed by a process with one thread. */
static unsigned forks;

_Static_assert(sizeof buckets / sizeof *buckets == BUCKETS, "the hash has another range");

/* POSIX's calls answer here what they must, or a lock of ours is broken. */
static void check(const char *what, int err)
{
    if (FS_UNLIKELY(err != 0))
        fs_fatal(what, err);
}

struct fs_generic_bucket *fs_generic_bucket_of(const fs_word *w)
{
    uint64_t hash = ((uintptr_t)w >> 2) * UINT64_C(0x9e3779b97f4a7c15);

    return &buckets[hash >> (64 - BUCKET_BITS)];
}

void fs_generic_lock(struct fs_generic_bucket *a, struct fs_generic_bucket *b)
{
    check("bucket lock", pthread_mutex_lock(a < b ? &a->lock : &b->lock));
    if (a != b)
        check("bucket lock", pthread_mutex_lock(a < b ? &b->lock : &a->lock));
}

void fs_generic_unlock(struct fs_generic_bucket *a, struct fs_generic_bucket *b)
{
    check("bucket unlock", pthread_mutex_unlock(&a->lock));
    if (a != b)
        check("bucket unlock", pthread_mutex_unlock(&b->lock));
}

static void append(struct fs_generic_bucket *bucket, struct fs_generic_node *node)
{
    node->forks = forks;
    node->next = NULL;
    node->prev = bucket->last;
    *(bucket->last ? &bucket->last->next : &bucket->first) = node;
    bucket->last = node;
    fs_store_pointer_release(&node->bucket, bucket);
}

static void unlink_node(struct fs_generic_bucket *bucket, struct fs_generic_node *node)
{
    *(node->prev ? &node->prev->next : &bucket->first) = node->next;
    *(node->next ? &node->next->prev : &bucket->last) = node->prev;
}

/* The sleeper goes on as soon as `bucket` is cleared, which therefore comes last. */
static void wake_node(struct fs_generic_bucket *bucket, struct fs_generic_node *node)
{
    struct fs_generic_sleeper *sleeper = node->sleeper;

    unlink_node(bucket, node);
    check("sleeper lock", pthread_mutex_lock(&sleeper->lock));
    if (!sleeper->woken)
        sleeper->woken = node;
    check("sleeper signal", pthread_cond_signal(&sleeper->cond));
    check("sleeper unlock", pthread_mutex_unlock(&sleeper->lock));
    fs_store_pointer_release(&node->bucket, NULL);
}

static bool sleeps_on(const struct fs_generic_node *node, const fs_word *w, enum fs_scope scope)
{
    return node->word == w && node->scope == scope;
}

int fs_generic_wake(struct fs_generic_bucket *bucket, const fs_word *w, int count, uint32_t bits,
                    enum fs_scope scope)
{
    struct fs_generic_node *next;
    int woken = 0;

    for (struct fs_generic_node *node = bucket->first; node && woken < count; node = next) {
        next = node->next;
        if (!sleeps_on(node, w, scope) || !(node->bits & bits))
            continue;
        wake_node(bucket, node);
        woken++;
    }
    return woken;
}

int fs_generic_move(struct fs_generic_bucket *from_bucket, const fs_word *from,
                    struct fs_generic_bucket *to_bucket, fs_word *to, int count,
                    enum fs_scope scope)
{
    struct fs_generic_node *next;
    int moved = 0;

    for (struct fs_generic_node *node = from_bucket->first; node && moved < count; node = next) {
        next = node->next;
        if (!sleeps_on(node, from, scope))
            continue;
        moved++;
        if (from == to)
            continue;
        unlink_node(from_bucket, node);
        node->word = to;
        append(to_bucket, node);
    }
    return moved;
}

bool fs_generic_join(struct fs_generic_node *node, uint32_t expected)
{
    struct fs_generic_bucket *bucket = fs_generic_bucket_of(node->word);
    bool holds;

    fs_generic_lock(bucket, bucket);
    /* Whoever changes the word wakes after that, and takes this lock for it. */
    holds = fs_load_seq_cst(node->word) == expected;
    if (holds)
        append(bucket, node);
    fs_generic_unlock(bucket, bucket);
    return holds;
}

void fs_generic_leave(struct fs_generic_node *node)
{
    struct fs_generic_bucket *bucket;

    while ((bucket = fs_load_pointer_acquire(&node->bucket)) != NULL) {
        fs_generic_lock(bucket, bucket);
        /* Relaxed: under the lock that it changes under, if it is still this one. */
        if (fs_load_pointer_relaxed(&node->bucket) == bucket) {
            if (node->forks == forks)
                unlink_node(bucket, node);
            fs_store_pointer_relaxed(&node->bucket, NULL);
        }
        fs_generic_unlock(bucket, bucket);
    }
}

bool fs_generic_was_moved(struct fs_generic_node *node, const fs_word *from)
{
    struct fs_generic_bucket *bucket = fs_load_pointer_acquire(&node->bucket);
    bool moved;

    if (!bucket)
        return false;
    fs_generic_lock(bucket, bucket);
    moved = fs_load_pointer_relaxed(&node->bucket) != bucket || node->word != from;
    fs_generic_unlock(bucket, bucket);
    return moved;
}

const fs_word *fs_generic_word_of(pthread_t thread)
{
    const fs_word *word = NULL;

    for (unsigned i = 0; i < BUCKETS && !word; i++) {
        fs_generic_lock(&buckets[i], &buckets[i]);
        for (struct fs_generic_node *node = buckets[i].first; node && !word; node = node->next)
            if (pthread_equal(node->sleeper->thread, thread))
                word = node->word;
        fs_generic_unlock(&buckets[i], &buckets[i]);
    }
    return word;
}

void fs_generic_sleeper_init(struct fs_generic_sleeper *sleeper, enum fs_clock clock)
{
    pthread_condattr_t attr;

    sleeper->thread = pthread_self();
    sleeper->woken = NULL;
    check("sleeper init", pthread_mutex_init(&sleeper->lock, NULL));
    check("sleeper init", pthread_condattr_init(&attr));
    if (clock == FS_CLOCK_MONOTONIC)
        check("sleeper clock", pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    check("sleeper init", pthread_cond_init(&sleeper->cond, &attr));
    check("sleeper init", pthread_condattr_destroy(&attr));
}

void fs_generic_sleeper_destroy(struct fs_generic_sleeper *sleeper)
{
    check("sleeper destroy", pthread_cond_destroy(&sleeper->cond));
    check("sleeper destroy", pthread_mutex_destroy(&sleeper->lock));
}

bool fs_generic_sleep(struct fs_generic_sleeper *sleeper, const struct fs_deadline *until)
{
    struct timespec at = {0, 0};
    bool woken;
    int err = 0;

    if (until->sec > LAST_SECOND)
        at.tv_sec = (time_t)LAST_SECOND;
    else if (until->sec >= 0)
        at = (struct timespec){(time_t)until->sec, (long)until->nsec};
    check("sleeper lock", pthread_mutex_lock(&sleeper->lock));
    while (!sleeper->woken && err == 0)
        err = pthread_cond_timedwait(&sleeper->cond, &sleeper->lock, &at);
    woken = sleeper->woken != NULL;
    check("sleeper unlock", pthread_mutex_unlock(&sleeper->lock));
    if (err != 0 && err != ETIMEDOUT)
        fs_fatal("sleeper wait", err);
    return woken;
}

/* The locks as well: their holders may be gone, and the child may come from a signal handler that
   has interrupted one of them, for which it could not wait. */
static void in_fork_child(void)
{
    forks++;
    for (unsigned i = 0; i < BUCKETS; i++) {
        check("bucket init", pthread_mutex_init(&buckets[i].lock, NULL));
        buckets[i].first = buckets[i].last = NULL;
    }
}

__attribute__((constructor)) static void start(void)
{
    pthread_atfork(NULL, NULL, in_fork_child);
}
