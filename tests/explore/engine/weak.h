/* SPDX-License-Identifier: MIT */
/* The memory model weaker than x86's: see weak.c. All calls are for a running thread and after its
   point; each may ask the world which of several values a load sees. */
#ifndef FS_EXPLORE_WEAK_H
#define FS_EXPLORE_WEAK_H

#include "world.h"

uint64_t weak_load(const void *at, unsigned size, int order);
void weak_store(void *at, unsigned size, uint64_t value, int order);
bool weak_cas(void *at, unsigned size, uint64_t *old, uint64_t new, int order);
uint64_t weak_rmw(void *at, unsigned size, int operation, uint64_t operand, int order);

/* A sequentially consistent fence. */
void weak_fence(unsigned thread);

/* membarrier: a fence of everybody's. */
void weak_fence_all(void);

/* What the kernel sees when it compares a word on behalf of the thread, which has just fenced. */
uint32_t weak_kernel_load(const fs_word *w);

/* The kernel has changed the word, on behalf of the thread: a full barrier on both sides. */
void weak_kernel_wrote(unsigned thread, const fs_word *w, uint32_t old);

/* The memory is somebody else's from now on; what was written there before is forgotten. */
void weak_forget(const void *from, size_t size);

/* A plain access: fails if it races with another. */
void weak_plain(const void *at, size_t size, bool writes);

/* The part of the state that is here. */
void weak_reset(void);
size_t weak_saved_size(void);
unsigned char *weak_save(unsigned char *to);
const unsigned char *weak_restore(const unsigned char *from);
uint64_t weak_hash(void);

#endif
