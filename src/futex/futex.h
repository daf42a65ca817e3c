/* SPDX-License-Identifier: MIT */
/* The contract between the locks and a kernel: sleeping and waking on a word,
   moving sleepers, priority inheritance, and the few other things a lock asks of
   a system. One file per system implements it (linux.c, ...).

   Rules for every call:
   - It returns what happened and never touches errno.
   - It returns only the values its comment names. Anything else the kernel says
     is a bug in this library: the call reports it and aborts.
   - EPERM and ENOSYS from a sandbox are the environment, not bugs. A wait then
     yields the processor and returns EAGAIN, or ETIMEDOUT once its deadline has
     passed: the caller's loop turns into polling. A wake then wakes nobody, a move
     wakes those it may not move, and priority inheritance is ENOSYS.
   - A deadline is absolute; a null pointer means for ever. It is valid
     (fs_deadline_is_valid) or the call must not be made. A deadline before the
     clock's beginning or after its end is allowed and means long past or for ever.
   - No call allocates, takes a lock, or is a cancellation point. All are
     async-signal-safe. */
#ifndef FS_FUTEX_FUTEX_H
#define FS_FUTEX_FUTEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/deadline.h"

/* Who may sleep on the word: threads of this process, or of any process that
   maps the memory. Both sides of one word use the same scope, always. */
enum fs_scope {
    FS_SCOPE_PRIVATE = 0,
    FS_SCOPE_SHARED = 1,
};

#define FS_WAKE_ALL INT32_MAX
#define FS_MATCH_ANY UINT32_MAX

/* ---- sleeping ---------------------------------------------------------- */

/* Sleeps while *w == expected. A sleeper is woken by every wake.
   Returns 0 (woken, also spuriously; on some systems also when *w differed), EAGAIN (*w
   differed), EINTR (a signal handler ran; SA_RESTART hides it from a wait without a deadline),
   ETIMEDOUT (only with a deadline), EFAULT (w is not mapped: the caller's next look at *w faults).
   FUTEX_WAIT_BITSET, so that the deadline is absolute. */
int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope);

/* As fs_futex_wait, woken only by a wake whose bits meet these (not 0), and by
   those that name no bits. */
int fs_futex_wait_bitset(fs_word *w, uint32_t expected, uint32_t bits,
                         const struct fs_deadline *deadline, enum fs_scope scope);

/* The plain FUTEX_WAIT, whose time-out (nanoseconds, < 0 = for ever) is relative
   to CLOCK_MONOTONIC. Returns as fs_futex_wait; one that a sandbox refuses never
   times out, since it does not know when the caller began. */
int fs_futex_wait_relative(fs_word *w, uint32_t expected, int64_t timeout_ns, enum fs_scope scope);

/* One word of fs_futex_wait_any. */
struct fs_futex_waiter {
    fs_word *word;
    uint32_t expected;
    enum fs_scope scope;
};

#define FS_FUTEX_WAIT_ANY_MAX 128

/* futex_waitv(2): sleeps while every word holds what is expected of it.
   Requires 1 <= n <= FS_FUTEX_WAIT_ANY_MAX. Returns 0 and the index of a woken
   word in *woken, or EAGAIN, EINTR, ETIMEDOUT, EFAULT, ENOSYS (kernel before 5.16, or
   refused), EINVAL (n out of range). */
int fs_futex_wait_any(const struct fs_futex_waiter *waiters, unsigned n,
                      const struct fs_deadline *deadline, unsigned *woken);

/* ---- waking ------------------------------------------------------------ */

/* Wakes up to count sleepers, none when count < 1. Uses only the address: the memory
   may be gone. Returns how many were woken (of all, on a system that does not count them, 1); 0
   also when the address is no longer mapped or sleepers with priority inheritance use it by now. */
int fs_futex_wake(fs_word *w, int count, enum fs_scope scope);

/* As fs_futex_wake, only those whose bits meet these (not 0). Where sleepers have no bits (there is
   no FS_FEATURE_WAIT_BITSET) all are woken, and the answer is 0: perhaps none of those meant. */
int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope);

/* ---- moving ------------------------------------------------------------ */

/* FUTEX_REQUEUE: wakes up to wake sleepers of `from`, moves up to move others to
   `to`. Returns 0 and the number woken or moved in *affected (which may be null; the
   kernel counts both, whatever futex(2) says), EFAULT, or EINVAL (a negative count, or a
   sleeper of `from` has priority inheritance; sleepers before it have been treated). */
int fs_futex_requeue(fs_word *from, fs_word *to, int wake, int move, enum fs_scope scope,
                     int *affected);

/* FUTEX_CMP_REQUEUE: as above, only if *from == expected. Returns 0 and the number
   woken or moved in *affected (which may be null), EAGAIN (*from differed), EFAULT,
   EINVAL. */
int fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                         enum fs_scope scope, int *affected);

/* The operation of fs_futex_wake_op on the second word, and the comparison of
   what it held before. Arguments have 12 bits, signed. */
enum fs_futex_op { FS_OP_SET, FS_OP_ADD, FS_OP_OR, FS_OP_ANDN, FS_OP_XOR };
enum fs_futex_cmp { FS_CMP_EQ, FS_CMP_NE, FS_CMP_LT, FS_CMP_LE, FS_CMP_GT, FS_CMP_GE };

struct fs_futex_wake_op {
    enum fs_futex_op op;
    bool shift;     /* use 1 << op_arg in place of op_arg */
    int32_t op_arg; /* -2048 to 2047; 0 to 31 with shift */
    enum fs_futex_cmp cmp;
    int32_t cmp_arg; /* -2048 to 2047 */
};

/* FUTEX_WAKE_OP: old = *second; *second = op(old, op_arg), atomically; wakes up to
   `count` sleepers of first, and up to `second_count` of second if
   cmp(old, cmp_arg) holds, comparing with sign. Requires both counts to be at least 1: the
   kernel wakes one when asked for none. Returns 0 and the number woken in *woken (which
   may be null), EINVAL (an argument out of range: nothing has happened; or a sleeper has
   priority inheritance: *second has changed), EFAULT, or ENOSYS. */
int fs_futex_wake_op(fs_word *first, fs_word *second, int count, int second_count,
                     const struct fs_futex_wake_op *op, enum fs_scope scope, int *woken);

/* ---- priority inheritance ---------------------------------------------- */
/* The word holds the owner's thread id, FS_PI_WAITERS and FS_PI_OWNER_DIED. */

#define FS_PI_WAITERS 0x80000000u
#define FS_PI_OWNER_DIED 0x40000000u
#define FS_PI_TID_MASK 0x3fffffffu

/* Locks through the kernel: FUTEX_LOCK_PI for CLOCK_REALTIME, FUTEX_LOCK_PI2 for
   CLOCK_MONOTONIC; where the kernel has no LOCK_PI2, the deadline is carried over to
   CLOCK_REALTIME. Returns 0 (held), ETIMEDOUT, EAGAIN (the owner is exiting: try
   again), EINTR (no kernel so far: it restarts), EDEADLK (held by the caller, or a cycle), ESRCH
   (the owner does not exist), EPERM (the owner's word may not be attached to), EINVAL (word and
   kernel state disagree), ENOMEM, ENOSYS (no priority inheritance), EFAULT. */
int fs_futex_lock_pi(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope);

/* FUTEX_LOCK_PI2 itself, on either clock; ENOSYS before Linux 5.14. */
int fs_futex_lock_pi2(fs_word *w, const struct fs_deadline *deadline, enum fs_scope scope);

/* FUTEX_TRYLOCK_PI: the kernel's try, which also takes over from a dead owner.
   Returns 0, EAGAIN (held by another, or its owner is exiting), EDEADLK, ESRCH, EPERM,
   EINVAL, ENOMEM, ENOSYS, EFAULT. */
int fs_futex_trylock_pi(fs_word *w, enum fs_scope scope);

/* FUTEX_UNLOCK_PI: hands the word to the waiter of highest priority.
   Returns 0, EPERM (not the owner), EAGAIN (changed meanwhile: try again), EINVAL, ENOSYS,
   EFAULT. */
int fs_futex_unlock_pi(fs_word *w, enum fs_scope scope);

/* FUTEX_WAIT_REQUEUE_PI: sleeps while *from == expected, until
   fs_futex_cmp_requeue_pi moves the sleeper to pi. Returns 0 (pi is held by the
   caller), EAGAIN (*from differed, or a signal came after the move: pi is not held),
   EINTR (no kernel so far: a signal before the move restarts), ETIMEDOUT, EDEADLK, EPERM, ESRCH,
   EINVAL, ENOMEM, ENOSYS, EFAULT: pi is not held. */
int fs_futex_wait_requeue_pi(fs_word *from, uint32_t expected, fs_word *pi,
                             const struct fs_deadline *deadline, enum fs_scope scope);

/* FUTEX_CMP_REQUEUE_PI: if *from == expected, gives pi to the first sleeper of
   `from` when it is free, and moves up to `move` more onto it. Returns 0 and the number
   woken or moved in *affected (which may be null), EAGAIN (*from differed or pi changed
   meanwhile), EDEADLK, ESRCH, EPERM, EINVAL, ENOMEM, ENOSYS, EFAULT. */
int fs_futex_cmp_requeue_pi(fs_word *from, fs_word *pi, uint32_t expected, int move,
                            enum fs_scope scope, int *affected);

/* ---- the calling thread, the clock, memory -------------------------------- */

/* The kernel's id of the calling thread, asked of the kernel. */
uint32_t fs_system_thread_id(void);

/* The calling thread's real-time priority: 0 for a thread of an ordinary policy,
   1 to 99 for SCHED_FIFO and SCHED_RR, 100 for SCHED_DEADLINE. */
unsigned fs_system_thread_priority(void);

/* Whether this process has a thread with this kernel id. */
bool fs_system_thread_exists(uint32_t id);

/* Gives the processor to another runnable thread. */
void fs_system_yield(void);

/* How many processors the calling thread may run on; at least 1. */
unsigned fs_system_processor_count(void);

/* The moment now on the clock. */
struct fs_deadline fs_system_now(enum fs_clock clock);

/* Whether the moment has come; false for a null pointer. */
static inline bool fs_system_is_past(const struct fs_deadline *deadline)
{
    struct fs_deadline now;

    if (!deadline)
        return false;
    now = fs_system_now(deadline->clock);
    return now.sec > deadline->sec || (now.sec == deadline->sec && now.nsec >= deadline->nsec);
}

/* Fresh zeroed memory, page aligned, that a fork child finds zeroed again
   (MADV_WIPEONFORK; *wiped tells whether the system keeps that promise). Null when
   there is none. It is never given back. */
void *fs_system_map_wiped(size_t size, bool *wiped);

/* ---- what the system has ------------------------------------------------- */

enum fs_futex_feature {
    FS_FEATURE_WAIT_BITSET,
    FS_FEATURE_REQUEUE,
    FS_FEATURE_WAKE_OP,
    FS_FEATURE_PI,
    FS_FEATURE_LOCK_PI2,
    FS_FEATURE_REQUEUE_PI,
    FS_FEATURE_WAIT_ANY,
    FS_FEATURE_MEMBARRIER, /* private expedited */
    FS_FEATURE_RSEQ,       /* membarrier's rseq command */
    FS_FEATURE_COUNT,
};

/* Asks the kernel, without side effects; what a sandbox refuses is missing. */
bool fs_system_has(enum fs_futex_feature feature);

/* The name users know it by, such as "FUTEX_LOCK_PI2". */
const char *fs_system_feature_name(enum fs_futex_feature feature);

#endif
