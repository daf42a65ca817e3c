/* SPDX-License-Identifier: MIT */
/* Every operation of futex(2) and futex_waitv(2) as a typed C call: sleeping and
   waking on a 32-bit word, moving sleepers to another word, and locks with priority
   inheritance. Private or shared between processes, deadlines on either clock.

   Rules for every call:
   - It returns 0 or a positive error number, or a count where it says so; errno is
     never touched. The errors are those of <errno.h>.
   - A word is a naturally aligned uint32_t that other threads change only by atomic
     operations. A call whose word is misaligned, whose scope or clock is not one of
     those named here, or whose nanoseconds lie outside 0 to 999999999 gives EINVAL.
   - A deadline is absolute, on the clock named next to it, CLOCK_REALTIME or
     CLOCK_MONOTONIC. A null pointer means for ever, and the clock is then not looked
     at. Seconds before the clock's beginning mean long past.
   - No call allocates, takes a lock, or is a cancellation point. All are
     async-signal-safe, and all may be used by any number of threads at once.
   - Where a sandbox refuses a call to the kernel, a wait yields the processor and
     gives EAGAIN, or ETIMEDOUT once its deadline has passed, so that a loop around it
     polls. A wake then wakes nobody, a move wakes those it may not move, and the rest
     give ENOSYS.

   Example, a gate that opens once (link with -lfastsync):

       #include <fastsync/futex.h>

       static uint32_t gate; // 0 closed, 1 open

       void open_gate(void)
       {
           __atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
           fastsync_futex_wake(&gate, FASTSYNC_FUTEX_ALL, FASTSYNC_FUTEX_PRIVATE);
       }

       void pass_gate(void)
       {
           while (__atomic_load_n(&gate, __ATOMIC_ACQUIRE) == 0)
               fastsync_futex_wait(&gate, 0, NULL, CLOCK_MONOTONIC, FASTSYNC_FUTEX_PRIVATE);
       } */
#ifndef FASTSYNC_FUTEX_H
#define FASTSYNC_FUTEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fastsync/timespec.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who may sleep on a word: threads of this process, or of every process that maps
   the memory. All calls on one word name the same scope. */
enum fastsync_futex_scope {
    FASTSYNC_FUTEX_PRIVATE = 0,
    FASTSYNC_FUTEX_SHARED = 1,
};

/* As a count: all of them. */
#define FASTSYNC_FUTEX_ALL INT32_MAX

/* As bits: every sleeper, every wake. */
#define FASTSYNC_FUTEX_ANY UINT32_MAX

/* ---- sleeping ------------------------------------------------------------ */

/* Sleeps while *word == expected, until a wake.
   Returns: 0, woken, at times without a reason, so look at *word again; EAGAIN, *word
   differed; EINTR, a signal handler ran (with SA_RESTART only when there is a deadline);
   ETIMEDOUT, the deadline has passed; EFAULT, the word is not mapped; EINVAL.
   Blocks: yes. Async-signal-safe: yes. Source: futex(2), FUTEX_WAIT_BITSET. */
int fastsync_futex_wait(uint32_t *word, uint32_t expected, const struct timespec *deadline,
                        clockid_t clock, enum fastsync_futex_scope scope);

/* As fastsync_futex_wait, but of the wakes that name bits only one that shares a bit
   with these wakes it.
   Requires: bits is not 0. Returns: as fastsync_futex_wait; EINVAL also for no bits.
   Blocks: yes. Async-signal-safe: yes. Source: futex(2), FUTEX_WAIT_BITSET. */
int fastsync_futex_wait_bitset(uint32_t *word, uint32_t expected, uint32_t bits,
                               const struct timespec *deadline, clockid_t clock,
                               enum fastsync_futex_scope scope);

/* As fastsync_futex_wait, with a timeout that counts from now on CLOCK_MONOTONIC; a null
   pointer means for ever.
   Requires: a timeout is not negative. Returns: as fastsync_futex_wait; EINVAL also for a
   negative timeout. Where a sandbox refuses the call, the timeout never passes.
   Blocks: yes. Async-signal-safe: yes. Source: futex(2), FUTEX_WAIT. */
int fastsync_futex_wait_relative(uint32_t *word, uint32_t expected, const struct timespec *timeout,
                                 enum fastsync_futex_scope scope);

/* One word of fastsync_futex_wait_any and what it is expected to hold.
   Example:
       struct fastsync_futex_waiter waiters[] = {
           {&queue_word, queue_seen, FASTSYNC_FUTEX_PRIVATE},
           {&quit_word, 0, FASTSYNC_FUTEX_SHARED},
       };
       err = fastsync_futex_wait_any(waiters, 2, NULL, CLOCK_MONOTONIC, &woken); */
struct fastsync_futex_waiter {
    uint32_t *word;
    uint32_t expected;
    enum fastsync_futex_scope scope;
};

/* The most words that fastsync_futex_wait_any takes. */
#define FASTSYNC_FUTEX_WAIT_ANY_MAX 128

/* Sleeps while each of n words holds what is expected of it, until a wake on any.
   Requires: 1 <= n <= FASTSYNC_FUTEX_WAIT_ANY_MAX; woken is not null.
   Returns: 0, and the index of a woken word in *woken; EAGAIN, some word differed; EINTR;
   ETIMEDOUT; EFAULT; EINVAL, also for n out of range; ENOSYS, Linux before 5.16, or refused.
   Blocks: yes. Async-signal-safe: yes. Source: futex_waitv(2). */
int fastsync_futex_wait_any(const struct fastsync_futex_waiter *waiters, unsigned n,
                            const struct timespec *deadline, clockid_t clock, unsigned *woken);

/* ---- waking -------------------------------------------------------------- */

/* Wakes up to count sleepers of the word.
   Requires: nothing of the memory, which may be gone; only the address is used.
   Returns: how many were woken. 0 also for an address that nobody can sleep on: not mapped,
   misaligned, or with sleepers of priority inheritance.
   Blocks: no. Async-signal-safe: yes. Source: futex(2), FUTEX_WAKE. */
int fastsync_futex_wake(uint32_t *word, int count, enum fastsync_futex_scope scope);

/* As fastsync_futex_wake, only sleepers that share a bit with these, and those that named
   no bits.
   Returns: how many were woken; no bits wake nobody.
   Blocks: no. Async-signal-safe: yes. Source: futex(2), FUTEX_WAKE_BITSET. */
int fastsync_futex_wake_bitset(uint32_t *word, int count, uint32_t bits,
                               enum fastsync_futex_scope scope);

/* ---- moving -------------------------------------------------------------- */

/* Wakes up to `wake` sleepers of `from` and moves up to `move` others to `to`, where they
   sleep on.
   Requires: neither count is negative. fastsync_futex_cmp_requeue is the one without a race.
   Returns: 0, and the number woken or moved in *affected, which may be null; EFAULT; EINVAL,
   also for a sleeper of `from` with priority inheritance.
   Blocks: no. Async-signal-safe: yes. Source: futex(2), FUTEX_REQUEUE; the count is what
   Linux returns, which is not what that page says. */
int fastsync_futex_requeue(uint32_t *from, uint32_t *to, int wake, int move,
                           enum fastsync_futex_scope scope, int *affected);

/* As fastsync_futex_requeue, only if *from == expected, in one step with respect to
   sleepers that come.
   Returns: as fastsync_futex_requeue; EAGAIN, *from differed and nothing happened.
   Blocks: no. Async-signal-safe: yes. Source: futex(2), FUTEX_CMP_REQUEUE. */
int fastsync_futex_cmp_requeue(uint32_t *from, uint32_t *to, uint32_t expected, int wake, int move,
                               enum fastsync_futex_scope scope, int *affected);

/* What fastsync_futex_wake_op makes of the second word. */
enum fastsync_futex_op {
    FASTSYNC_FUTEX_SET,  /* argument */
    FASTSYNC_FUTEX_ADD,  /* old + argument */
    FASTSYNC_FUTEX_OR,   /* old | argument */
    FASTSYNC_FUTEX_ANDN, /* old & ~argument */
    FASTSYNC_FUTEX_XOR,  /* old ^ argument */
};

/* How it compares what the second word held, as a signed number, with its argument. */
enum fastsync_futex_cmp {
    FASTSYNC_FUTEX_EQ,
    FASTSYNC_FUTEX_NE,
    FASTSYNC_FUTEX_LT,
    FASTSYNC_FUTEX_LE,
    FASTSYNC_FUTEX_GT,
    FASTSYNC_FUTEX_GE,
};

/* The operation and the comparison.
   Example, release a lock and wake its waiters if it said that there are any:
       struct fastsync_futex_wake_op release = {
           FASTSYNC_FUTEX_SET, false, 0, FASTSYNC_FUTEX_GT, 1,
       }; */
struct fastsync_futex_wake_op {
    enum fastsync_futex_op op;
    bool shift;     /* the argument is 1 << op_arg */
    int32_t op_arg; /* -2048 to 2047; 0 to 31 with shift */
    enum fastsync_futex_cmp cmp;
    int32_t cmp_arg; /* -2048 to 2047 */
};

/* Changes *second atomically, wakes up to count sleepers of first, and, if the comparison
   holds for what *second was, up to second_count sleepers of second.
   Requires: both counts are at least 1 (the kernel wakes one when asked for none).
   Returns: 0, and the number woken in *woken, which may be null; EINVAL, an argument is out of
   range and nothing happened, or a sleeper has priority inheritance; EFAULT; ENOSYS, refused.
   Blocks: no. Async-signal-safe: yes. Source: futex(2), FUTEX_WAKE_OP. */
int fastsync_futex_wake_op(uint32_t *first, uint32_t *second, int count, int second_count,
                           const struct fastsync_futex_wake_op *op, enum fastsync_futex_scope scope,
                           int *woken);

/* ---- priority inheritance ------------------------------------------------ */
/* The word holds 0 or the owner's thread id, and two bits that the kernel sets. Without
   contention it is locked and unlocked by compare-and-swap between 0 and the thread id;
   when that fails, these calls do it. Example:

       uint32_t free = 0;
       if (!__atomic_compare_exchange_n(&word, &free, me, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
           err = fastsync_futex_lock_pi(&word, NULL, CLOCK_MONOTONIC, FASTSYNC_FUTEX_PRIVATE);

   where me is fastsync_futex_thread_id(). */

#define FASTSYNC_FUTEX_PI_WAITERS 0x80000000u
#define FASTSYNC_FUTEX_PI_OWNER_DIED 0x40000000u
#define FASTSYNC_FUTEX_PI_TID_MASK 0x3fffffffu

/* The id of the calling thread, for the word of such a lock. Asks the kernel each time.
   Returns: the id, never 0. Blocks: no. Async-signal-safe: yes. Source: gettid(2). */
uint32_t fastsync_futex_thread_id(void);

/* Locks; the owner runs at the priority of its most urgent waiter meanwhile.
   Returns: 0, held, also after the death of an owner that had waiters (PI_OWNER_DIED is
   then set); ETIMEDOUT; EAGAIN, the owner is exiting, try again; EINTR, try again; EDEADLK,
   held by the caller, or a cycle of waiting owners; ESRCH, no such owner; EPERM, the owner
   cannot be waited for; EINVAL, also when a plain sleeper uses the word; ENOMEM; ENOSYS, no
   priority inheritance here; EFAULT.
   Blocks: yes. Async-signal-safe: yes. Source: futex(2), FUTEX_LOCK_PI for CLOCK_REALTIME
   and FUTEX_LOCK_PI2 for CLOCK_MONOTONIC; where the kernel lacks the latter, the moment is
   carried over to CLOCK_REALTIME. */
int fastsync_futex_lock_pi(uint32_t *word, const struct timespec *deadline, clockid_t clock,
                           enum fastsync_futex_scope scope);

/* As fastsync_futex_lock_pi, by FUTEX_LOCK_PI2 on either clock.
   Returns: as fastsync_futex_lock_pi; ENOSYS, Linux before 5.14, or refused.
   Blocks: yes. Async-signal-safe: yes. Source: futex(2), FUTEX_LOCK_PI2. */
int fastsync_futex_lock_pi2(uint32_t *word, const struct timespec *deadline, clockid_t clock,
                            enum fastsync_futex_scope scope);

/* Locks if that needs no wait; also takes over from an owner marked dead.
   Returns: 0, held; EAGAIN, held by another, or its owner is exiting; EDEADLK; ESRCH; EPERM;
   EINVAL; ENOMEM; ENOSYS; EFAULT, as fastsync_futex_lock_pi.
   Blocks: no. Async-signal-safe: yes. Source: futex(2), FUTEX_TRYLOCK_PI. */
int fastsync_futex_trylock_pi(uint32_t *word, enum fastsync_futex_scope scope);

/* Unlocks, handing the word to the most urgent waiter.
   Returns: 0; EPERM, the caller is not the owner; EAGAIN, try again; EINVAL; ENOSYS; EFAULT.
   Blocks: no. Async-signal-safe: yes. Source: futex(2), FUTEX_UNLOCK_PI. */
int fastsync_futex_unlock_pi(uint32_t *word, enum fastsync_futex_scope scope);

/* Sleeps while *from == expected, until fastsync_futex_cmp_requeue_pi moves the caller to
   pi and it becomes the owner of pi.
   Requires: all sleepers of one word name the same pi.
   Returns: 0, pi is held. With any other, pi is not held: EAGAIN, *from differed, or a signal
   handler ran after the move; EINTR, try again; ETIMEDOUT; EDEADLK; EPERM; ESRCH; EINVAL, also
   when the words are one; ENOMEM; ENOSYS; EFAULT.
   Blocks: yes. Async-signal-safe: yes. Source: futex(2), FUTEX_WAIT_REQUEUE_PI. */
int fastsync_futex_wait_requeue_pi(uint32_t *from, uint32_t expected, uint32_t *pi,
                                   const struct timespec *deadline, clockid_t clock,
                                   enum fastsync_futex_scope scope);

/* If *from == expected, gives a free pi to the first sleeper of `from` or moves it there, and
   moves up to `move` others.
   Requires: move is not negative.
   Returns: 0, and the number woken or moved in *affected, which may be null; EAGAIN, *from
   differed or pi changed, look again; EDEADLK, a sleeper owns pi; ESRCH; EPERM; EINVAL, also for
   sleepers that named another pi or none; ENOMEM; ENOSYS; EFAULT.
   Blocks: no. Async-signal-safe: yes. Source: futex(2), FUTEX_CMP_REQUEUE_PI. */
int fastsync_futex_cmp_requeue_pi(uint32_t *from, uint32_t *pi, uint32_t expected, int move,
                                  enum fastsync_futex_scope scope, int *affected);

#ifdef __cplusplus
}
#endif

#endif
