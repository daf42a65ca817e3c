/* SPDX-License-Identifier: MIT */
/* The trap flag of x86: while it is set, a SIGTRAP follows every instruction. A handler may also
   set or clear it in the context that it interrupted. */
#ifndef TRAP_FLAG_H
#define TRAP_FLAG_H

#include <ucontext.h>

#define TRAP_FLAG 0x100

#if defined(__x86_64__)

#define TRAP_ADDRESS REG_RIP /* of the next instruction, among the registers of a context */

/* Below the red zone, which the compiler may use. */
static inline void trap_from_here(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orq %0, (%%rsp); popfq; lea 128(%%rsp), %%rsp"
                     :
                     : "i"(TRAP_FLAG)
                     : "memory", "cc");
}

static inline void trap_no_more(void)
{
    __asm__ volatile(
        "lea -128(%%rsp), %%rsp; pushfq; andq %0, (%%rsp); popfq; lea 128(%%rsp), %%rsp"
        :
        : "i"(~TRAP_FLAG)
        : "memory", "cc");
}

#elif defined(__i386__)

#define TRAP_ADDRESS REG_EIP

static inline void trap_from_here(void)
{
    __asm__ volatile("pushfl; orl %0, (%%esp); popfl" : : "i"(TRAP_FLAG) : "memory", "cc");
}

static inline void trap_no_more(void)
{
    __asm__ volatile("pushfl; andl %0, (%%esp); popfl" : : "i"(~TRAP_FLAG) : "memory", "cc");
}

#else
#error "the trap flag is x86's"
#endif

#endif
