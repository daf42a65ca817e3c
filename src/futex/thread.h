/* SPDX-License-Identifier: MIT */
/* Who the calling thread is, at the price of a load: its kernel id, and whether
   it is the only thread. Both are read from where the C library keeps them, when
   whoever knows the loader has found the place; until then the id is asked of the
   kernel and nobody is taken to be alone. */
#ifndef FS_FUTEX_THREAD_H
#define FS_FUTEX_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "futex/futex.h"

/* What the processor addresses a thread's own variables by; another for each thread. Where it
   lies in the C library's descriptor of the thread, or beside it, differs. */
FS_ALWAYS_INLINE const char *fs_thread_pointer(void)
{
    const char *pointer;

#if defined(__x86_64__)
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
#elif defined(__i386__)
    __asm__("movl %%gs:0, %0" : "=r"(pointer));
#elif defined(__powerpc64__) /* not every compiler has the word below for it */
    __asm__("mr %0, 13" : "=r"(pointer));
#else
    pointer = __builtin_thread_pointer();
#endif
    return pointer;
}

/* Where the id lies, in bytes from the thread pointer, perhaps before it; 0 = not known. The C
   library renews that field in a fork child, and leaves it alone in a vfork child. */
extern FS_HIDDEN uintptr_t fs_thread_id_offset;

/* Points at the C library's "only one thread" flag, or at a zero of ours. */
extern FS_HIDDEN const char *fs_single_threaded_flag;

/* 0 once that flag was seen to be 0: two loads, one for the address of the other, would be felt
   between two atomic operations. A fork child sets it to 1 again. */
extern FS_HIDDEN fs_byte fs_may_be_alone;

#ifdef __APPLE__
/* Looks for that place. Returns whether it was found. */
bool fs_thread_find_id(void);
#endif

#if defined(__APPLE__) && defined(__aarch64__)
/* The address of the words that libpthread keeps for the calling thread; the low bits are the
   processor's number. */
FS_ALWAYS_INLINE uintptr_t fs_thread_words(void)
{
    uintptr_t words;

    __asm__ volatile("mrs %0, tpidrro_el0" : "=r"(words));
    return words & ~(uintptr_t)7;
}
#endif

/* What lies so far from the thread pointer. */
FS_ALWAYS_INLINE uint32_t fs_thread_id_at(uintptr_t offset)
{
    uint32_t id;

#if (defined(__APPLE__) || defined(_WIN32)) && defined(__x86_64__)
    __asm__ volatile("movl %%gs:(%1), %0" : "=r"(id) : "r"(offset));
#elif defined(_WIN32) && defined(__i386__)
    __asm__ volatile("movl %%fs:(%1), %0" : "=r"(id) : "r"(offset));
#elif defined(__APPLE__)
    id = *(volatile uint32_t *)(fs_thread_words() + offset);
#elif defined(__x86_64__)
    /* volatile: where the caller wrote it, which may be ahead of an atomic operation. */
    __asm__ volatile("movl %%fs:(%1), %0" : "=r"(id) : "r"(offset));
#elif defined(__i386__)
    __asm__ volatile("movl %%gs:(%1), %0" : "=r"(id) : "r"(offset));
#else
    id = *(const volatile uint32_t *)(fs_thread_pointer() + offset);
#endif
    return id;
}

/* Requires that the place is known. */
FS_ALWAYS_INLINE uint32_t fs_thread_id_known(void)
{
    return fs_thread_id_at(fs_thread_id_offset);
}

FS_ALWAYS_INLINE uint32_t fs_thread_id(void)
{
    return FS_LIKELY(fs_thread_id_offset != 0) ? fs_thread_id_known() : fs_system_thread_id();
}

/* A full barrier in every other thread of the process: what the caller stored before is seen by
   whatever they load afterwards. Returns false if the system cannot. */
bool fs_system_order_threads(void);

/* The head of the calling thread's robust list (get_robust_list(2)), kept once it is known. */
extern FS_HIDDEN FS_THREAD_LOCAL void *fs_robust_list_head;

/* Where the C library keeps it, in bytes from the thread pointer; 0 = not known. A sandbox may
   refuse get_robust_list(2), and the C library uses the list even if the kernel has none: both must
   find on it what the other has put there. */
extern FS_HIDDEN uintptr_t fs_robust_list_offset;

/* Asks the kernel for it; null where there is none. */
void *fs_system_find_robust_list(void);

FS_ALWAYS_INLINE void *fs_system_robust_list(void)
{
    void *head = fs_robust_list_head;

    return FS_LIKELY(head != NULL) ? head : fs_system_find_robust_list();
}

/* True only while no other thread of this process exists. Laid out for that case: a branch costs
   something there, and nothing beside an atomic operation. */
FS_ALWAYS_INLINE bool fs_is_single_threaded(void)
{
    if (FS_UNLIKELY(!fs_load_byte_relaxed(&fs_may_be_alone)))
        return false;
    if (FS_LIKELY(*(const volatile char *)fs_single_threaded_flag != 0))
        return true;
    fs_store_byte_relaxed(&fs_may_be_alone, 0);
    return false;
}

#endif
