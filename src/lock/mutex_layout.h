/* SPDX-License-Identifier: MIT */
/* Where the fields of a mutex lie: one order per C library and word size, the one that the C
   library has, since a mutex may be shared with a process without this library, or handed to it.
   And which bits of a kind are the C library's own affair. What the fields mean is in mutex.h; that
   the C library agrees is checked in interpose/view_*.h. */
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

/* Bits of a kind: shared; those of mutexes that are the C library's own; those of no kind; those of
   the kinds whose trylock gives EDEADLK to the owner, where others give EBUSY. */
#ifdef FS_LIBC_MUSL
/* musl's bits: 7 shared, 2 robust, 3 priority inheritance. It refuses none. */
#define FS_KIND_SHARED 0x400u /* ours; interposition never sets it */
#define FS_KIND_LIBCS 0x84u
#define FS_KIND_UNKNOWN 0u
#define FS_KIND_TRY_EDEADLK 0u
#else
#define FS_KIND_SHARED 0x80u
#define FS_KIND_LIBCS 0x40u /* priority ceiling */
#define FS_KIND_UNKNOWN 0xcu
#define FS_KIND_TRY_EDEADLK (FS_KIND_ROBUST | FS_KIND_PI)
#endif

#if __SIZEOF_POINTER__ == 8

/* 64 bits. The list is linked both ways, and there is room for a debt. */
#define FS_MUTEX_HAS_PREV 1
#define FS_MUTEX_HAS_DEBT 1

/* An entry of the kernel's robust list. `next` comes second: the list links these
   members, and the C library finds `prev` right before. */
struct fs_robust_link {
    void *prev;
    void *next;
};

#ifdef FS_LIBC_MUSL

/* Only the kind has to be where musl has it. */
struct fs_mutex {
    fs_word kind;
    fs_word word;
    fs_word owner;
    uint32_t count;
    uint32_t nusers;
    uint32_t spare;
    union {
        struct fs_robust_link link;
        struct fs_debt debt;
    };
};

#else

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

#endif

#else

/* glibc, 32 bits: 24 bytes. The list is linked one way only, and a debt has no room. */
#define FS_MUTEX_HAS_PREV 0
#define FS_MUTEX_HAS_DEBT 0

#ifdef FS_LIBC_MUSL
#error "there is no layout for musl with 32 bits"
#endif

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
