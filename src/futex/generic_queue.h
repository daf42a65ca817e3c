/* SPDX-License-Identifier: MIT */
/* The queues behind generic.c: buckets chosen by a word's address, and in them one node for each
   word that a thread sleeps on. Nodes and sleepers lie in the frame of the thread that sleeps; a
   wake needs nothing but the address.

   Rules: a node's links, word and bucket change only under the lock of the bucket that it is in.
   A waker touches a node for the last time when it clears `bucket`, still under that lock; so a
   sleeper that sees it null, or takes the lock, has nobody behind it in its frame. */
#ifndef FS_FUTEX_GENERIC_QUEUE_H
#define FS_FUTEX_GENERIC_QUEUE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/atomic.h"
#include "futex/futex.h"

struct fs_generic_node;

/* A thread that sleeps. */
struct fs_generic_sleeper {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    pthread_t thread;
    struct fs_generic_node *woken; /* the first of its nodes that a wake chose; null: none */
};

/* Its place in the queue of one word. */
struct fs_generic_node {
    struct fs_generic_node *next;
    struct fs_generic_node *prev;
    fs_word *word;
    enum fs_scope scope;
    uint32_t bits;
    struct fs_generic_sleeper *sleeper;
    unsigned forks;    /* when it was queued */
    fs_pointer bucket; /* null: not queued, or not any more */
};

struct fs_generic_bucket;

struct fs_generic_bucket *fs_generic_bucket_of(const fs_word *w);

/* Locks both, which may be the same one. */
void fs_generic_lock(struct fs_generic_bucket *a, struct fs_generic_bucket *b);
void fs_generic_unlock(struct fs_generic_bucket *a, struct fs_generic_bucket *b);

/* Both require the bucket's lock, fs_generic_move that of both, and return how many. */
int fs_generic_wake(struct fs_generic_bucket *bucket, const fs_word *w, int count, uint32_t bits,
                    enum fs_scope scope);
int fs_generic_move(struct fs_generic_bucket *from_bucket, const fs_word *from,
                    struct fs_generic_bucket *to_bucket, fs_word *to, int count,
                    enum fs_scope scope);

/* Queues the node at the end if its word holds what is expected. */
bool fs_generic_join(struct fs_generic_node *node, uint32_t expected);

/* Takes the node out of its queue if it is in one. From here on nobody else touches it. */
void fs_generic_leave(struct fs_generic_node *node);

/* Whether a queued node stands at another word by now. */
bool fs_generic_was_moved(struct fs_generic_node *node, const fs_word *from);

/* The word that the thread sleeps on, or null; for tests and debuggers. */
const fs_word *fs_generic_word_of(pthread_t thread);

void fs_generic_sleeper_init(struct fs_generic_sleeper *sleeper, enum fs_clock clock);
void fs_generic_sleeper_destroy(struct fs_generic_sleeper *sleeper);

/* Sleeps until the moment or until woken. Returns whether it was woken; at times false before the
   moment has come. */
bool fs_generic_sleep(struct fs_generic_sleeper *sleeper, const struct fs_deadline *until);

#endif
