/* SPDX-License-Identifier: MIT */
/*
 * What delays.c knows of a processor: the instructions around the place where a signal arrived, and
 * the trap flag of x86-64. On the others nothing is known, and no thread can stop itself.
 */
#ifndef DEMONSTRATIONS_DELAYS_PROCESSOR_H
#define DEMONSTRATIONS_DELAYS_PROCESSOR_H

#include <stdbool.h>
#include <ucontext.h>

#if defined(__x86_64__)

#define HAS_TRAP_FLAG 1

enum { TRAP_FLAG = 0x100, LOCK_PREFIX = 0xf0 };

static inline const unsigned char *next_instruction(const ucontext_t *context)
{
    return (const unsigned char *)context->uc_mcontext.gregs[REG_RIP];
}

static inline bool is_after_system_call(const ucontext_t *context)
{
    const unsigned char *next = next_instruction(context);
    return next[-2] == 0x0f && next[-1] == 0x05;
}

static inline bool is_before_atomic(const ucontext_t *context)
{
    return *next_instruction(context) == LOCK_PREFIX;
}

static inline void return_without_trap_flag(ucontext_t *context)
{
    context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

/* The red zone below the stack pointer is the compiler's. */
static inline void set_trap_flag(void)
{
    __asm__ volatile("sub $128, %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp"
                     :
                     :
                     : "memory", "cc");
}

static inline void clear_trap_flag(void)
{
    __asm__ volatile("sub $128, %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp"
                     :
                     :
                     : "memory", "cc");
}

#else

#define HAS_TRAP_FLAG 0

static inline bool is_after_system_call(const ucontext_t *context)
{
    return false;
}

static inline bool is_before_atomic(const ucontext_t *context)
{
    return false;
}

static inline void return_without_trap_flag(ucontext_t *context)
{
}

static inline void set_trap_flag(void)
{
}

static inline void clear_trap_flag(void)
{
}

#endif

#endif
