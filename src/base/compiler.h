/* SPDX-License-Identifier: MIT */
/* Compiler words used everywhere: branch hints, inlining and cold paths.
   gcc and clang only; another compiler gets its own branch here and nowhere else. */
#ifndef FS_BASE_COMPILER_H
#define FS_BASE_COMPILER_H

#define FS_LIKELY(x) __builtin_expect(!!(x), 1)
#define FS_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define FS_ALWAYS_INLINE static inline __attribute__((always_inline))
#define FS_COLD __attribute__((cold, noinline))
#define FS_NOINLINE __attribute__((noinline))
#ifdef _WIN32 /* where nothing is visible unless it is exported */
#define FS_HIDDEN
#define FS_EXPORT __declspec(dllexport)
#else
#define FS_HIDDEN __attribute__((visibility("hidden")))
#define FS_EXPORT __attribute__((visibility("default")))
#endif
#define FS_UNUSED __attribute__((unused))
#define FS_ALIGNED(n) __attribute__((aligned(n)))

/* Of the static block: reached without a call, also before the loader is done. What is kept there
   belongs to priorities, their inheritance and robust lists. macOS, OpenBSD and Windows have no
   such block, and of those three nothing: all threads find the same value, so they share one
   variable. */
#if defined(__APPLE__) || defined(__OpenBSD__) || defined(_WIN32)
#define FS_THREAD_LOCAL
#else
#define FS_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#endif

/* The constant in a register of its own: a compiler that has just compared a loaded value with it
   would otherwise use that one, and the next instruction would have to wait for the load. */
#if defined(__x86_64__) || defined(__i386__)
#define FS_INDEPENDENT(type, constant)                                                             \
    (__extension__({                                                                               \
        type fs_value;                                                                             \
        __asm__("mov %1, %0" : "=r"(fs_value) : "i"(constant));                                    \
        fs_value;                                                                                  \
    }))
#else
#define FS_INDEPENDENT(type, constant) ((type)(constant))
#endif

#define FS_CACHE_LINE 64

#endif
