/* SPDX-License-Identifier: MIT */
/* base/atomic.h as the explorer has it: the same types and names, and every access a call of the
   simulated memory. */
#ifndef FS_SIM_ATOMIC_H
#define FS_SIM_ATOMIC_H

#ifdef FS_BASE_ATOMIC_H
#error "the real base/atomic.h was included before the simulated one"
#endif
#define FS_BASE_ATOMIC_H /* nobody gets the real one behind this */

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

typedef struct {
    uint32_t value;
} fs_word;

typedef struct {
    uint8_t value;
} fs_byte;

typedef struct {
    void *value;
} fs_pointer;

typedef union {
    uint64_t value;
    fs_word half[2];
} fs_wide;

/* The orders and operations are explore.h's; numbers here, so that the locks see no other name. */
#define SIM_RELAXED 0
#define SIM_ACQUIRE 1
#define SIM_RELEASE 2
#define SIM_ACQ_REL 3
#define SIM_SEQ_CST 4
#define SIM_EXCHANGE 0
#define SIM_ADD 1
#define SIM_OR 2
#define SIM_AND 3

uint64_t sim_load(const void *at, unsigned size, int order);
void sim_store(void *at, unsigned size, uint64_t new, int order);
bool sim_cas(void *at, unsigned size, uint64_t *old, uint64_t new, int order);
uint64_t sim_rmw(void *at, unsigned size, int operation, uint64_t operand, int order);
void sim_fence(void);

#define SIM_DEFINE_LOAD(name, type, result, order)                                                 \
    FS_ALWAYS_INLINE result name(const type *at)                                                   \
    {                                                                                              \
        return (result)sim_load(at, sizeof *at, order);                                            \
    }
#define SIM_DEFINE_STORE(name, type, argument, order)                                              \
    FS_ALWAYS_INLINE void name(type *at, argument new)                                             \
    {                                                                                              \
        sim_store(at, sizeof *at, (uint64_t) new, order);                                          \
    }
#define SIM_DEFINE_CAS(name, type, argument, order)                                                \
    FS_ALWAYS_INLINE bool name(type *at, argument *old, argument new)                              \
    {                                                                                              \
        uint64_t expected = (uint64_t)*old;                                                        \
        bool done = sim_cas(at, sizeof *at, &expected, (uint64_t) new, order);                     \
                                                                                                   \
        *old = (argument)expected;                                                                 \
        return done;                                                                               \
    }
#define SIM_DEFINE_RMW(name, operation, order)                                                     \
    FS_ALWAYS_INLINE uint32_t name(fs_word *at, uint32_t operand)                                  \
    {                                                                                              \
        return (uint32_t)sim_rmw(at, sizeof *at, operation, operand, order);                       \
    }

SIM_DEFINE_LOAD(fs_load_relaxed, fs_word, uint32_t, SIM_RELAXED)
SIM_DEFINE_LOAD(fs_load_acquire, fs_word, uint32_t, SIM_ACQUIRE)
SIM_DEFINE_LOAD(fs_load_seq_cst, fs_word, uint32_t, SIM_SEQ_CST)
SIM_DEFINE_LOAD(fs_load_byte_relaxed, fs_byte, uint8_t, SIM_RELAXED)
SIM_DEFINE_LOAD(fs_wide_load_relaxed, fs_wide, uint64_t, SIM_RELAXED)
SIM_DEFINE_STORE(fs_store_relaxed, fs_word, uint32_t, SIM_RELAXED)
SIM_DEFINE_STORE(fs_store_release, fs_word, uint32_t, SIM_RELEASE)
SIM_DEFINE_STORE(fs_store_byte_relaxed, fs_byte, uint8_t, SIM_RELAXED)
SIM_DEFINE_STORE(fs_wide_store_relaxed, fs_wide, uint64_t, SIM_RELAXED)
SIM_DEFINE_CAS(fs_cas_relaxed, fs_word, uint32_t, SIM_RELAXED)
SIM_DEFINE_CAS(fs_cas_acquire, fs_word, uint32_t, SIM_ACQUIRE)
SIM_DEFINE_CAS(fs_cas_release, fs_word, uint32_t, SIM_RELEASE)
SIM_DEFINE_CAS(fs_cas_seq_cst, fs_word, uint32_t, SIM_SEQ_CST)
SIM_DEFINE_CAS(fs_wide_cas_relaxed, fs_wide, uint64_t, SIM_RELAXED)
SIM_DEFINE_CAS(fs_wide_cas_acquire, fs_wide, uint64_t, SIM_ACQUIRE)
SIM_DEFINE_CAS(fs_wide_cas_release, fs_wide, uint64_t, SIM_RELEASE)
SIM_DEFINE_RMW(fs_exchange_acquire, SIM_EXCHANGE, SIM_ACQUIRE)
SIM_DEFINE_RMW(fs_exchange_release, SIM_EXCHANGE, SIM_RELEASE)
SIM_DEFINE_RMW(fs_exchange_acq_rel, SIM_EXCHANGE, SIM_ACQ_REL)
SIM_DEFINE_RMW(fs_add_seq_cst, SIM_ADD, SIM_SEQ_CST)
SIM_DEFINE_RMW(fs_add_release, SIM_ADD, SIM_RELEASE)
SIM_DEFINE_RMW(fs_or_relaxed, SIM_OR, SIM_RELAXED)
SIM_DEFINE_RMW(fs_or_release, SIM_OR, SIM_RELEASE)
SIM_DEFINE_RMW(fs_and_release, SIM_AND, SIM_RELEASE)

/* Used by mutants and models, which weaken or strengthen an order. */
SIM_DEFINE_CAS(fs_cas_acq_rel, fs_word, uint32_t, SIM_ACQ_REL)
SIM_DEFINE_RMW(fs_exchange_relaxed, SIM_EXCHANGE, SIM_RELAXED)
SIM_DEFINE_RMW(fs_exchange_seq_cst, SIM_EXCHANGE, SIM_SEQ_CST)
SIM_DEFINE_RMW(fs_add_relaxed, SIM_ADD, SIM_RELAXED)
SIM_DEFINE_RMW(fs_and_relaxed, SIM_AND, SIM_RELAXED)

FS_ALWAYS_INLINE void *fs_load_pointer_relaxed(const fs_pointer *p)
{
    return (void *)(uintptr_t)sim_load(p, sizeof *p, SIM_RELAXED);
}

FS_ALWAYS_INLINE void *fs_load_pointer_acquire(const fs_pointer *p)
{
    return (void *)(uintptr_t)sim_load(p, sizeof *p, SIM_ACQUIRE);
}

FS_ALWAYS_INLINE void fs_store_pointer_relaxed(fs_pointer *p, void *new)
{
    sim_store(p, sizeof *p, (uintptr_t) new, SIM_RELAXED);
}

FS_ALWAYS_INLINE void fs_store_pointer_release(fs_pointer *p, void *new)
{
    sim_store(p, sizeof *p, (uintptr_t) new, SIM_RELEASE);
}

FS_ALWAYS_INLINE bool fs_cas_pointer_acq_rel(fs_pointer *p, void **old, void *new)
{
    uint64_t expected = (uintptr_t)*old;
    bool done = sim_cas(p, sizeof *p, &expected, (uintptr_t) new, SIM_ACQ_REL);

    *old = (void *)(uintptr_t)expected;
    return done;
}

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
    sim_fence();
}

/* Used by models alone. */
SIM_DEFINE_RMW(fs_add_acquire, SIM_ADD, SIM_ACQUIRE)

#define SIM_DEFINE_WIDE_ADD(name, order)                                                           \
    FS_ALWAYS_INLINE uint64_t name(fs_wide *at, uint64_t operand)                                  \
    {                                                                                              \
        return sim_rmw(at, sizeof *at, SIM_ADD, operand, order);                                   \
    }

SIM_DEFINE_WIDE_ADD(fs_wide_add_relaxed, SIM_RELAXED)
SIM_DEFINE_WIDE_ADD(fs_wide_add_acquire, SIM_ACQUIRE)
SIM_DEFINE_WIDE_ADD(fs_wide_add_release, SIM_RELEASE)

#endif
