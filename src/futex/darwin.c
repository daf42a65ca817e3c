/* SPDX-License-Identifier: MIT */
/* The futex contract on macOS: sleeping and waking. By os_sync_wait_on_address and its like where
   the system has all of them (macOS 14.4), else by the calls below those, __ulock_wait2 and
   __ulock_wake (macOS 11). Both kinds meet in the same queues, so a change of mind would do no
   harm.

   Neither wakes by bits or moves sleepers: see without_move.c. Who the calling thread is and what
   the system lacks is in darwin_system.c. */
#include <errno.h>
#include <stddef.h>

#include "base/fatal.h"
#include "futex/futex.h"
#include "futex/poll.h"
#include "futex/relative.h"

#define UL_COMPARE_AND_WAIT 1u
#define UL_COMPARE_AND_WAIT_SHARED 3u
#define ULF_WAKE_ALL 0x100u
#define ULF_NO_ERRNO 0x1000000u

/* Returns at least 0 when woken and when *address differs from `value`, else -errno; a time-out of
   0 ns is none. */
int __ulock_wait2(uint32_t operation, void *address, uint64_t value, uint64_t timeout_ns,
                  uint64_t value2);
int __ulock_wake(uint32_t operation, void *address, uint64_t value);

#define OS_SYNC_SHARED 1u
#define OS_CLOCK_MACH_ABSOLUTE_TIME 32u

/* As above, with -1 and errno for an error; a time-out of 0 ns is an error. */
int os_sync_wait_on_address(void *address, uint64_t value, size_t size, uint32_t flags)
    __attribute__((weak_import));
int os_sync_wait_on_address_with_timeout(void *address, uint64_t value, size_t size, uint32_t flags,
                                         uint32_t clock, uint64_t timeout_ns)
    __attribute__((weak_import));
int os_sync_wake_by_address_any(void *address, size_t size, uint32_t flags)
    __attribute__((weak_import));
int os_sync_wake_by_address_all(void *address, size_t size, uint32_t flags)
    __attribute__((weak_import));

/* A page that is being read in, or memory that is gone: so often a call is repeated. */
#define FAULTS_MAX 1000

static bool has_public_calls(void)
{
    return os_sync_wait_on_address != NULL && os_sync_wait_on_address_with_timeout != NULL &&
           os_sync_wake_by_address_any != NULL && os_sync_wake_by_address_all != NULL;
}

static uint32_t operation_of(enum fs_scope scope)
{
    return ULF_NO_ERRNO |
           (scope == FS_SCOPE_SHARED ? UL_COMPARE_AND_WAIT_SHARED : UL_COMPARE_AND_WAIT);
}

static uint32_t public_flags_of(enum fs_scope scope)
{
    return scope == FS_SCOPE_SHARED ? OS_SYNC_SHARED : 0;
}

/* 0 or an error number, from a call that reports by errno; `saved` is what errno was. */
static int error_of(int result, int saved)
{
    int err = result < 0 ? errno : 0;

    errno = saved;
    return err;
}

/* One sleep; timeout_ns 0 = for ever. */
static int sleep_once(fs_word *w, uint32_t expected, uint64_t timeout_ns, enum fs_scope scope)
{
    int saved = errno;
    int result;

    if (!has_public_calls()) {
        result = __ulock_wait2(operation_of(scope), w, expected, timeout_ns, 0);
        return result < 0 ? -result : 0;
    }
    if (timeout_ns == 0)
        result = os_sync_wait_on_address(w, expected, sizeof *w, public_flags_of(scope));
    else
        result =
            os_sync_wait_on_address_with_timeout(w, expected, sizeof *w, public_flags_of(scope),
                                                 OS_CLOCK_MACH_ABSOLUTE_TIME, timeout_ns);
    return error_of(result, saved);
}

static int wake_once(fs_word *w, bool all, enum fs_scope scope)
{
    int saved = errno;
    int result;

    if (!has_public_calls()) {
        result = __ulock_wake(operation_of(scope) | (all ? ULF_WAKE_ALL : 0), w, 0);
        return result < 0 ? -result : 0;
    }
    if (all)
        result = os_sync_wake_by_address_all(w, sizeof *w, public_flags_of(scope));
    else
        result = os_sync_wake_by_address_any(w, sizeof *w, public_flags_of(scope));
    return error_of(result, saved);
}

int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope)
{
    uint64_t timeout = 0;
    bool whole = true;
    int err;

    do {
        /* Relaxed: only the answer depends on it; the system compares again. This look also brings
           in a page that it could not read, and faults where there is none. */
        if (fs_load_relaxed(w) != expected)
            return EAGAIN;
        if (deadline) {
            int64_t remaining = fs_relative_ns(deadline);

            if (remaining == 0)
                return ETIMEDOUT;
            timeout = (uint64_t)fs_relative_slice(deadline, remaining, &whole);
        }
        err = sleep_once(w, expected, timeout, scope);
    } while (err == EFAULT);
    switch (err) {
    case 0:
    case EINTR:
        return err;
    case ETIMEDOUT:
        /* The system measures by a clock of its own: the deadline's decides. */
        return whole && fs_system_is_past(deadline) ? ETIMEDOUT : 0;
    case EINVAL:
        if (scope == FS_SCOPE_PRIVATE && (uintptr_t)w % sizeof *w == 0)
            fs_fatal("macOS wait on address", err);
        return fs_futex_poll(w, expected, deadline); /* crooked, or memory that none can share */
    case ENOMEM:
    case EPERM:
    case ENOSYS:
        return fs_futex_poll(w, expected, deadline);
    default:
        fs_fatal("macOS wait on address", err);
    }
}

/* Returns whether somebody was woken. */
static bool wake(fs_word *w, bool all, enum fs_scope scope)
{
    int faults = 0;
    int err;

    do
        err = wake_once(w, all, scope);
    while (err == EINTR || (err == EFAULT && ++faults < FAULTS_MAX));
    switch (err) {
    case 0:
        return true;
    case EINVAL: /* as in fs_futex_wait: nobody can sleep there */
        if (scope == FS_SCOPE_PRIVATE && (uintptr_t)w % sizeof *w == 0)
            fs_fatal("macOS wake by address", err);
        return false;
    case ENOENT: /* nobody sleeps there */
    case EFAULT: /* the memory is gone, and so is who slept on it */
    case EPERM:
    case ENOSYS:
        return false;
    default:
        fs_fatal("macOS wake by address", err);
    }
}

/* Of all, one at least is known to have been woken. */
int fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    int woken = 0;

    if (count == FS_WAKE_ALL)
        return wake(w, true, scope) ? 1 : 0;
    while (woken < count && wake(w, false, scope))
        woken++;
    return woken;
}

/* Sleepers have no bits here, so all of them are woken. Whether one of those who are meant was
   among them is not known: 0 lets the caller look further. */
int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    if (bits == FS_MATCH_ANY)
        return fs_futex_wake(w, count, scope);
    if (count > 0)
        wake(w, true, scope);
    return 0;
}
