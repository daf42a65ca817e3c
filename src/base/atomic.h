/* SPDX-License-Identifier: MIT */
/* Atomic words with the memory order in the name of the access.

   The word type is a struct, so that a plain assignment or comparison does not
   compile: whoever reads or writes shared state says in which order. Nothing
   else in the library uses <stdatomic.h>, so the explorer replaces exactly this
   header to see every access. */
#ifndef FS_BASE_ATOMIC_H
#define FS_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* A 32-bit word; its address is what a futex call is given. */
typedef struct {
    _Atomic uint32_t value;
} fs_word;

/* A flag; not a futex word. */
typedef struct {
    _Atomic uint8_t value;
} fs_byte;

/* A pointer that several threads read and write. */
typedef struct {
    _Atomic(void *) value;
} fs_pointer;

/* Two futex words that change as one: a compare-and-swap covers both, a futex call
   is given either. Only whole accesses write it. Aligned for an atomic instruction also where
   other 64-bit numbers are not. */
typedef union {
    _Alignas(8) _Atomic uint64_t value;
    fs_word half[2]; /* futex calls only: use fs_wide_low and fs_wide_high */
} fs_wide;

_Static_assert(sizeof(fs_word) == 4, "a futex word has 32 bits");
_Static_assert(sizeof(fs_wide) == 8 && _Alignof(fs_wide) == 8, "two futex words and nothing else");
#ifndef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_8
#error "this processor has no compare-and-swap of 64 bits: name a newer one to the compiler"
#endif

FS_ALWAYS_INLINE uint32_t fs_load_relaxed(const fs_word *w)
{
    return atomic_load_explicit(&w->value, memory_order_relaxed);
}

FS_ALWAYS_INLINE uint32_t fs_load_acquire(const fs_word *w)
{
    return atomic_load_explicit(&w->value, memory_order_acquire);
}

FS_ALWAYS_INLINE uint32_t fs_load_seq_cst(const fs_word *w)
{
    return atomic_load_explicit(&w->value, memory_order_seq_cst);
}

FS_ALWAYS_INLINE void fs_store_relaxed(fs_word *w, uint32_t new)
{
    atomic_store_explicit(&w->value, new, memory_order_relaxed);
}

FS_ALWAYS_INLINE void fs_store_release(fs_word *w, uint32_t new)
{
    atomic_store_explicit(&w->value, new, memory_order_release);
}

FS_ALWAYS_INLINE uint8_t fs_load_byte_relaxed(const fs_byte *b)
{
    return atomic_load_explicit(&b->value, memory_order_relaxed);
}

FS_ALWAYS_INLINE void fs_store_byte_relaxed(fs_byte *b, uint8_t new)
{
    atomic_store_explicit(&b->value, new, memory_order_relaxed);
}

/* Compare-and-swap: true when *w held old and now holds new. On failure *old is
   what *w held. Never fails spuriously; failure orders nothing. */
FS_ALWAYS_INLINE bool fs_cas_relaxed(fs_word *w, uint32_t *old, uint32_t new)
{
    return atomic_compare_exchange_strong_explicit(&w->value, old, new, memory_order_relaxed,
                                                   memory_order_relaxed);
}

FS_ALWAYS_INLINE bool fs_cas_acquire(fs_word *w, uint32_t *old, uint32_t new)
{
    return atomic_compare_exchange_strong_explicit(&w->value, old, new, memory_order_acquire,
                                                   memory_order_relaxed);
}

FS_ALWAYS_INLINE bool fs_cas_release(fs_word *w, uint32_t *old, uint32_t new)
{
    return atomic_compare_exchange_strong_explicit(&w->value, old, new, memory_order_release,
                                                   memory_order_relaxed);
}

FS_ALWAYS_INLINE bool fs_cas_seq_cst(fs_word *w, uint32_t *old, uint32_t new)
{
    return atomic_compare_exchange_strong_explicit(&w->value, old, new, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

FS_ALWAYS_INLINE uint32_t fs_exchange_acquire(fs_word *w, uint32_t new)
{
    return atomic_exchange_explicit(&w->value, new, memory_order_acquire);
}

FS_ALWAYS_INLINE uint32_t fs_exchange_release(fs_word *w, uint32_t new)
{
    return atomic_exchange_explicit(&w->value, new, memory_order_release);
}

FS_ALWAYS_INLINE uint32_t fs_exchange_acq_rel(fs_word *w, uint32_t new)
{
    return atomic_exchange_explicit(&w->value, new, memory_order_acq_rel);
}

FS_ALWAYS_INLINE uint32_t fs_add_seq_cst(fs_word *w, uint32_t n)
{
    return atomic_fetch_add_explicit(&w->value, n, memory_order_seq_cst);
}

FS_ALWAYS_INLINE uint32_t fs_add_release(fs_word *w, uint32_t n)
{
    return atomic_fetch_add_explicit(&w->value, n, memory_order_release);
}

FS_ALWAYS_INLINE uint32_t fs_or_relaxed(fs_word *w, uint32_t bits)
{
    return atomic_fetch_or_explicit(&w->value, bits, memory_order_relaxed);
}

FS_ALWAYS_INLINE uint32_t fs_or_release(fs_word *w, uint32_t bits)
{
    return atomic_fetch_or_explicit(&w->value, bits, memory_order_release);
}

FS_ALWAYS_INLINE uint32_t fs_and_release(fs_word *w, uint32_t bits)
{
    return atomic_fetch_and_explicit(&w->value, bits, memory_order_release);
}

FS_ALWAYS_INLINE void *fs_load_pointer_relaxed(const fs_pointer *p)
{
    return atomic_load_explicit(&p->value, memory_order_relaxed);
}

FS_ALWAYS_INLINE void *fs_load_pointer_acquire(const fs_pointer *p)
{
    return atomic_load_explicit(&p->value, memory_order_acquire);
}

FS_ALWAYS_INLINE void fs_store_pointer_relaxed(fs_pointer *p, void *new)
{
    atomic_store_explicit(&p->value, new, memory_order_relaxed);
}

FS_ALWAYS_INLINE void fs_store_pointer_release(fs_pointer *p, void *new)
{
    atomic_store_explicit(&p->value, new, memory_order_release);
}

/* As fs_cas_*, for a pointer. */
FS_ALWAYS_INLINE bool fs_cas_pointer_acq_rel(fs_pointer *p, void **old, void *new)
{
    return atomic_compare_exchange_strong_explicit(&p->value, old, new, memory_order_acq_rel,
                                                   memory_order_acquire);
}

FS_ALWAYS_INLINE uint64_t fs_wide_load_relaxed(const fs_wide *w)
{
    return atomic_load_explicit(&w->value, memory_order_relaxed);
}

FS_ALWAYS_INLINE void fs_wide_store_relaxed(fs_wide *w, uint64_t new)
{
    atomic_store_explicit(&w->value, new, memory_order_relaxed);
}

FS_ALWAYS_INLINE bool fs_wide_cas_relaxed(fs_wide *w, uint64_t *old, uint64_t new)
{
    return atomic_compare_exchange_strong_explicit(&w->value, old, new, memory_order_relaxed,
                                                   memory_order_relaxed);
}

FS_ALWAYS_INLINE bool fs_wide_cas_acquire(fs_wide *w, uint64_t *old, uint64_t new)
{
    return atomic_compare_exchange_strong_explicit(&w->value, old, new, memory_order_acquire,
                                                   memory_order_relaxed);
}

FS_ALWAYS_INLINE bool fs_wide_cas_release(fs_wide *w, uint64_t *old, uint64_t new)
{
    return atomic_compare_exchange_strong_explicit(&w->value, old, new, memory_order_release,
                                                   memory_order_relaxed);
}

/* The halves as futex words, bits 0 to 31 and 32 to 63 on either byte order. */
FS_ALWAYS_INLINE fs_word *fs_wide_low(fs_wide *w)
{
    return &w->half[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__];
}

FS_ALWAYS_INLINE fs_word *fs_wide_high(fs_wide *w)
{
    return &w->half[__BYTE_ORDER__ != __ORDER_BIG_ENDIAN__];
}

FS_ALWAYS_INLINE void fs_fence_seq_cst(void)
{
#ifdef __SANITIZE_THREAD__ /* which knows no fences */
    fs_word nobody = {0};

    atomic_fetch_add_explicit(&nobody.value, 0, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif
