/* SPDX-License-Identifier: MIT */
/* The futex contract on Windows: sleeping and waking by WaitOnAddress and its like (Windows 8).
   They count time-outs in milliseconds, do not say how many were woken, and know neither bits nor
   moves: see without_move.c. They answer a word that differs like a wake-up, so it is looked at
   before.

   Wakes do not reach another process: a shared wait looks at its word every few milliseconds
   instead. Nothing interrupts a wait (no EINTR), and an unmapped word faults (no EFAULT). The
   clocks are windows_system.c's. */
#define WIN32_LEAN_AND_MEAN
#define _WIN32_WINNT 0x0602
#include <windows.h>

#include "base/fatal.h"
#include "futex/futex.h"
#include "futex/poll.h"
#include "futex/relative.h"

/* How long a shared wait does not look at its word. */
#define SHARED_LOOK_NS (INT64_C(5) * 1000000)
#define NS_PER_MS 1000000

/* More wakes by one are not done one by one. */
#define SINGLE_WAKES_MAX 1000

/* 0 when woken, ETIMEDOUT, or EPERM where the system refuses. The caller's last error stays. */
static int sleep_once(fs_word *w, uint32_t expected, DWORD timeout_ms)
{
    DWORD saved = GetLastError();
    DWORD answer;

    if (WaitOnAddress(w, &expected, sizeof *w, timeout_ms))
        return 0;
    answer = GetLastError();
    SetLastError(saved);
    switch (answer) {
    case ERROR_TIMEOUT:
        return ETIMEDOUT;
    case ERROR_ACCESS_DENIED:
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
        return EPERM;
    default:
        fs_fatal("WaitOnAddress", (long)answer);
    }
}

/* The time-out of one sleep; *whole tells whether its end is the deadline's. Rounded up: nobody is
   to wake early, and look again in vain. */
static DWORD next_timeout(const struct fs_deadline *deadline, int64_t remaining, bool shared,
                          bool *whole)
{
    int64_t slice = INT64_MAX;

    *whole = false;
    if (deadline)
        slice = fs_relative_slice(deadline, remaining, whole);
    if (shared && slice > SHARED_LOOK_NS) {
        *whole = false;
        slice = SHARED_LOOK_NS;
    }
    return slice == INT64_MAX ? INFINITE : (DWORD)((slice + NS_PER_MS - 1) / NS_PER_MS);
}

/* A time-out does not say that nobody has woken the thread: a wake can come between the end of the
   sleep and the sleeper leaving the queue, and is lost to the others (Wine). Whoever gives up wakes
   another, mostly in vain; only the word's address is used. */
static void pass_on(fs_word *w)
{
    WakeByAddressSingle(w);
}

int fs_futex_wait(fs_word *w, uint32_t expected, const struct fs_deadline *deadline,
                  enum fs_scope scope)
{
    bool shared = scope == FS_SCOPE_SHARED;

    for (;;) {
        int64_t remaining = 0;
        bool whole;
        int err;

        /* Relaxed: only the answer depends on it; the system compares again. */
        if (fs_load_relaxed(w) != expected)
            return EAGAIN;
        if (deadline && (remaining = fs_relative_ns(deadline)) == 0)
            return ETIMEDOUT;
        err = sleep_once(w, expected, next_timeout(deadline, remaining, shared, &whole));
        if (err == EPERM)
            return fs_futex_poll(w, expected, deadline);
        if (err == 0)
            return 0;
        /* The system measures by a clock of its own: the deadline's decides. */
        if (whole && fs_system_is_past(deadline)) {
            if (!shared)
                pass_on(w);
            return ETIMEDOUT;
        }
        if (!shared)
            return 0;
    }
}

/* How many of them slept is not told: 0 lets the caller look further. */
int fs_futex_wake(fs_word *w, int count, enum fs_scope scope)
{
    if (count > SINGLE_WAKES_MAX)
        WakeByAddressAll(w);
    else
        for (; count > 0; count--)
            WakeByAddressSingle(w);
    return 0;
}

/* Sleepers have no bits here: where bits are meant all are woken. */
int fs_futex_wake_bitset(fs_word *w, int count, uint32_t bits, enum fs_scope scope)
{
    return fs_futex_wake(w, count > 0 && bits != FS_MATCH_ANY ? FS_WAKE_ALL : count, scope);
}
