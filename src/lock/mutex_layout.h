/* SPDX-License-Identifier: MIT */
/* Where the fields of a mutex lie: one order per C library and word size, the one that the C
   library has, since a mutex may be shared with a process without this library, or handed to it.
   What the fields mean is in mutex.h; that the C library agrees is checked in interpose/view.h. */
#ifndef FS_LOCK_MUTEX_LAYOUT_H
#define FS_LOCK_MUTEX_LAYOUT_H

#include <stdint.h>

#include "base/atomic.h"

/* What the holder of a private mutex owes: to wake waiters that it has signalled, asleep on a word
   of the condition variable's, when it gives up the mutex which they need to go on. */
struct fs_debt {
    fs_word *word; /* null: nothing */
    uint32_t bits;
    uint16_t count;
    uint16_t passed; /* payments in a row after which no locker of the mutex was woken */
};

#if __SIZEOF_POINTER__ == 8

/* glibc, 64 bits. The list is linked both ways, and there is room for a debt. */
#define FS_MUTEX_HAS_PREV 1
#define FS_MUTEX_HAS_DEBT 1

/* An entry of the kernel's robust list. `next` comes second: the list links these
   members, and the C library finds `prev` right before. */
struct fs_robust_link {
    void *prev;
    void *next;
};

struct fs_mutex {
    fs_word word;
    uint32_t count;
    fs_word owner;
    uint32_t nusers;
    fs_word kind;
    uint32_t spare; /* the C library: spins and elision */
    union {
        struct fs_robust_link link; /* robust kinds */
        struct fs_debt debt;        /* private ones; the holder's */
    };
};

#else

/* glibc, 32 bits: 24 bytes. The list is linked one way only, and a debt has no room. */
#define FS_MUTEX_HAS_PREV 0
#define FS_MUTEX_HAS_DEBT 0

struct fs_robust_link {
    void *next;
};

struct fs_mutex {
    fs_word word;
    uint32_t count;
    fs_word owner;
    fs_word kind;
    uint32_t nusers;
    struct fs_robust_link link; /* robust kinds; the C library: others' spins and elision */
};

#endif

#endif
