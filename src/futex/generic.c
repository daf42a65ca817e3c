/* SPDX-License-Identifier: MIT */
/* The futex contract on a system that has threads and nothing to sleep on a word with: each sleeper
   has a POSIX mutex and condition variable in its own frame, and stands in the bucket of its word's
   address. Decides who is woken, moved and timed out; generic_queue.c keeps the buckets.

   What is less than the contract: the calls take a lock, so a signal handler may not make them; a
   handler does not end a wait (no EINTR); an unmapped word faults (no EFAULT). Wakes do not reach
   another process: a shared wait looks at its word every few milliseconds instead. Where a POSIX
   mutex or condition variable is allocated (the BSDs), so is a wait. Wakes and moves must not be
   cancelled asynchronously. A fork from a handler that interrupts a wait leaves the child's wait
   with nobody who could end it but its deadline. The C library's own mutexes carry all of it, so it
   cannot be what those are replaced with. */
#include "futex/futex.h"

#include <errno.h>
#include <pthread.h>

#include "base/fatal.h"
#include "futex/generic_queue.h"
#include "futex/relative.h"

#define SHARED_LOOK_NSEC 5000000 /* how long a shared wait does not look at its word */

/* Until when to sleep: a shared wait is timed by CLOCK_MONOTONIC, any other by its deadline. */
static struct fs_deadline next_look(const struct fs_deadline *deadline, bool shared)
{
    int64_t pause = SHARED_LOOK_NSEC;

    if (shared) {
        int64_t remaining = deadline ? fs_relative_ns(deadline) : pause;

        return fs_relative_deadline(remaining < pause ? remaining : pause);
    }
    return deadline ? *deadline : fs_relative_deadline(FS_LONG_SLICE_NS);
}

static bool any_is_shared(const struct fs_futex_waiter *waiters, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (waiters[i].scope == FS_SCOPE_SHARED)
            return true;
    return false;
}

/* Whether a shared word of these has changed or its sleeper was moved to another. */
static bool has_changed(const struct fs_futex_waiter *waiters, struct fs_generic_node *nodes,
                        unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (nodes[i].scope == FS_SCOPE_SHARED &&
            (fs_generic_was_moved(&nodes[i], waiters[i].word) ||
             fs_load_acquire(waiters[i].word) != waiters[i].expected))
            return true;
    return false;
}

/* Queues the sleeper at each word, as long as they hold what is expected. Returns how many. */
static unsigned join(struct fs_generic_sleeper *sleeper, struct fs_generic_node *nodes,
                     const struct fs_futex_waiter *waiters, unsigned n, uint32_t bits)
{
    for (unsigned i = 0; i < n; i++) {
        nodes[i] = (struct fs_generic_node){
            .word = waiters[i].word, .scope = waiters[i].scope, .bits = bits, .sleeper = sleeper};
        if (!fs_generic_join(&nodes[i], waiters[i].expected))
            return i;
    }
    return n;
}

static int sleep_until_woken(struct fs_generic_sleeper *sleeper,
                             const struct fs_futex_waiter *waiters, struct fs_generic_node *nodes,
                             unsigned n, const struct fs_deadline *deadline, bool shared)
{
    for (;;) {
        struct fs_deadline until = next_look(deadline, shared);

        if (fs_generic_sleep(sleeper, &until))
            return 0;
        if (fs_system_is_past(deadline))
            return ETIMEDOUT;
        if (shared && has_changed(waiters, nodes, n))
            return EAGAIN;
    }
}

/* Waits on n words with as many nodes. Returns 0 and the index of a woken one, EAGAIN or
   ETIMEDOUT. A wake that comes while the sleeper leaves counts. */
static int wait_on(const struct fs_futex_waiter *waiters, struct fs_generic_node *nodes, unsigned n,
                   uint32_t bits, const struct fs_deadline *deadline, unsigned *woken)
{
    bool shared = any_is_shared(waiters, n);
    struct fs_generic_sleeper sleeper;
    unsigned joined;
    int err = EAGAIN;
    int old;

    /* The C library's waits are cancellation points, ours are not. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    fs_generic_sleeper_init(&sleeper, deadline && !shared ? deadline->clock : FS_CLOCK_MONOTONIC);
    joined = join(&sleeper, nodes, waiters, n, bits);
    if (joined == n)
        err = sleep_until_woken(&sleeper, waiters, nodes, n, deadline, shared);
    for (unsigned i = 0; i < joined; i++)
        fs_generic_leave(&nodes[i]);
    if (sleeper.woken) {
        *woken = (unsigned)(sleeper.woken - nodes);
        err = 0;
    }
    fs_generic_sleeper_destroy(&sleeper);
    pthread_setcancelstate(old, &old); /* null is not portable */
    return err;
}

int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope)
{
    return fs_futex_wait_bitset(w, expected, FS_MATCH_ANY, deadline, scope);
}

int fs_futex_wait_bitset(fs_word *w, uint32_t expected, uint32_t bits,
                         const struct fs_deadline *deadline, enum fs_scope scope)
{
    struct fs_futex_waiter waiter = {w, expected, scope};
    struct fs_generic_node node;
    unsigned woken;

    if (bits == 0)
        fs_fatal("futex wait without bits", EINVAL);
    return wait_on(&waiter, &node, 1, bits, deadline, &woken);
}

int fs_futex_wait_any(const struct fs_futex_waiter *waiters, unsigned n,
                      const struct fs_deadline *deadline, unsigned *woken)
{
    struct fs_generic_node nodes[FS_FUTEX_WAIT_ANY_MAX];

    if (n < 1 || n > FS_FUTEX_WAIT_ANY_MAX)
        return EINVAL;
    return wait_on(waiters, nodes, n, FS_MATCH_ANY, deadline, woken);
}

int fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    return fs_futex_wake_bitset(w, count, FS_MATCH_ANY, scope);
}

int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    struct fs_generic_bucket *bucket = fs_generic_bucket_of(w);
    int woken;

    if (count < 1)
        return 0;
    fs_generic_lock(bucket, bucket);
    woken = fs_generic_wake(bucket, w, count, bits, scope);
    fs_generic_unlock(bucket, bucket);
    return woken;
}

static int wake_and_move(fs_word *from, fs_word *to, int wake, int move, enum fs_scope scope,
                         const uint32_t *expected, int *affected)
{
    struct fs_generic_bucket *first = fs_generic_bucket_of(from);
    struct fs_generic_bucket *second = fs_generic_bucket_of(to);
    int err = 0;
    int done;

    if (wake < 0 || move < 0)
        return EINVAL;
    fs_generic_lock(first, second);
    if (expected && fs_load_seq_cst(from) != *expected) {
        err = EAGAIN;
    } else {
        done = fs_generic_wake(first, from, wake, FS_MATCH_ANY, scope);
        done += fs_generic_move(first, from, second, to, move, scope);
        if (affected)
            *affected = done;
    }
    fs_generic_unlock(first, second);
    return err;
}

int fs_futex_requeue(fs_word *from, fs_word *to, int wake, int move, enum fs_scope scope,
                     int *affected)
{
    return wake_and_move(from, to, wake, move, scope, NULL, affected);
}

int fs_futex_cmp_requeue(fs_word *from, fs_word *to, uint32_t expected, int wake, int move,
                         enum fs_scope scope, int *affected)
{
    return wake_and_move(from, to, wake, move, scope, &expected, affected);
}

static bool is_twelve_bits(int32_t value)
{
    return value >= -2048 && value <= 2047;
}

static bool is_wake_op_valid(const struct fs_futex_wake_op *op)
{
    if ((unsigned)op->op > FS_OP_XOR || (unsigned)op->cmp > FS_CMP_GE)
        return false;
    if (op->shift && (op->op_arg < 0 || op->op_arg > 31))
        return false;
    return is_twelve_bits(op->op_arg) && is_twelve_bits(op->cmp_arg);
}

static uint32_t apply(const struct fs_futex_wake_op *op, uint32_t old)
{
    uint32_t arg = op->shift ? UINT32_C(1) << op->op_arg : (uint32_t)op->op_arg;

    switch (op->op) {
    case FS_OP_SET:
        return arg;
    case FS_OP_ADD:
        return old + arg;
    case FS_OP_OR:
        return old | arg;
    case FS_OP_ANDN:
        return old & ~arg;
    case FS_OP_XOR:
        return old ^ arg;
    }
    return old;
}

static bool compares(const struct fs_futex_wake_op *op, int32_t old)
{
    switch (op->cmp) {
    case FS_CMP_EQ:
        return old == op->cmp_arg;
    case FS_CMP_NE:
        return old != op->cmp_arg;
    case FS_CMP_LT:
        return old < op->cmp_arg;
    case FS_CMP_LE:
        return old <= op->cmp_arg;
    case FS_CMP_GT:
        return old > op->cmp_arg;
    case FS_CMP_GE:
        return old >= op->cmp_arg;
    }
    return false;
}

int fs_futex_wake_op(fs_word *first, fs_word *second, int count, int second_count,
                     const struct fs_futex_wake_op *op, enum fs_scope scope, int *woken)
{
    struct fs_generic_bucket *one = fs_generic_bucket_of(first);
    struct fs_generic_bucket *other = fs_generic_bucket_of(second);
    uint32_t old;
    int done;

    if (count < 1 || second_count < 1 || !is_wake_op_valid(op))
        return EINVAL;
    fs_generic_lock(one, other);
    old = fs_load_relaxed(second);
    while (!fs_cas_seq_cst(second, &old, apply(op, old)))
        ;
    done = fs_generic_wake(one, first, count, FS_MATCH_ANY, scope);
    if (compares(op, (int32_t)old))
        done += fs_generic_wake(other, second, second_count, FS_MATCH_ANY, scope);
    fs_generic_unlock(one, other);
    if (woken)
        *woken = done;
    return 0;
}
