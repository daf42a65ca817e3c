/* SPDX-License-Identifier: MIT */
/* Win32's condition variables: lock/wait.c's wait with a critical section or an SRW lock of either
   library, which it leaves and enters by the calls that know whose it is. Whose a condition
   variable is stands in windows_win32.h. One that is in use by the original goes there with a lock
   that is the original's too; with one of ours its waiters queue here, at a condition variable of
   ours that stands for it, and a wake reaches both. */
#include "futex/relative.h"
#include "futex/windows_ticks.h"
#include "interpose/windows_start.h"
#include "interpose/windows_time.h"
#include "interpose/windows_win32.h"
#include "lock/wait.h"

#define SUCCEEDED_WAIT ((NTSTATUS)0)
#define TIMED_OUT ((NTSTATUS)0x102)

#define TICKS_PER_SEC 10000000 /* of NT's time-outs */
#define NS_PER_TICK 100
#define TICKS_PER_MS 10000
#define NS_PER_MS INT64_C(1000000)

static fs_wide *view(RTL_CONDITION_VARIABLE *condition)
{
    return (fs_wide *)(void *)condition;
}

static struct fs_condition *condition_in(RTL_CONDITION_VARIABLE *condition)
{
    return (struct fs_condition *)(void *)fs_wide_high(view(condition));
}

static bool is_theirs(RTL_CONDITION_VARIABLE *condition)
{
    return (fs_wide_load_relaxed(view(condition)) & ~FS_CV_WAITED) != 0;
}

/* Others may share it: whoever is woken for them looks again. */
static struct fs_condition *stand_in_for(const RTL_CONDITION_VARIABLE *condition)
{
    static struct fs_condition conditions[64];

    return &conditions[((uintptr_t)condition / sizeof(*condition)) % 64];
}

/* ---- the locks, as a wait takes them ------------------------------------------------ */

/* A mutex of a kind whose word nobody looks at, and what it stands for. */
struct stand_in {
    struct fs_mutex mutex;
    void *lock;
};

static void *lock_of(struct fs_mutex *m)
{
    return ((struct stand_in *)(void *)m)->lock;
}

/* One level: a section that is held more than once stays held during the wait. */
static int leave_section(struct fs_mutex *m)
{
    fs_RtlLeaveCriticalSection(lock_of(m));
    return 0;
}

static int enter_section(struct fs_mutex *m)
{
    fs_RtlEnterCriticalSection(lock_of(m));
    return 0;
}

static int release_exclusive(struct fs_mutex *m)
{
    fs_RtlReleaseSRWLockExclusive(lock_of(m));
    return 0;
}

static int acquire_exclusive(struct fs_mutex *m)
{
    fs_RtlAcquireSRWLockExclusive(lock_of(m));
    return 0;
}

static int release_shared(struct fs_mutex *m)
{
    fs_RtlReleaseSRWLockShared(lock_of(m));
    return 0;
}

static int acquire_shared(struct fs_mutex *m)
{
    fs_RtlAcquireSRWLockShared(lock_of(m));
    return 0;
}

/* ---- waiting ------------------------------------------------------------------- */

/* How a moment or, below zero, a time-out is told. */
static struct fs_deadline deadline_of(int64_t ticks)
{
    uint64_t after = 0 - (uint64_t)ticks;

    if (ticks < 0)
        return fs_time_after((int64_t)(after / TICKS_PER_SEC),
                             (int64_t)(after % TICKS_PER_SEC) * NS_PER_TICK);
    return fs_deadline_of_ticks(ticks);
}

#define LONGEST_SLEEP_MS 1000 /* the wall clock may step */

/* Nobody is left who could wake the caller, and the queues may be half changed. Without a time-out
   it is woken for no reason, after a moment. */
static NTSTATUS wait_at_end(struct stand_in *with, const struct fs_waiter *who,
                            const struct fs_deadline *deadline)
{
    int64_t ns;

    who->release(&with->mutex);
    if (!deadline)
        Sleep(1);
    while (deadline && (ns = fs_relative_ns(deadline)) > 0)
        Sleep(ns < LONGEST_SLEEP_MS * NS_PER_MS ? (DWORD)((ns + NS_PER_MS - 1) / NS_PER_MS)
                                                : LONGEST_SLEEP_MS);
    who->acquire(&with->mutex);
    return deadline ? TIMED_OUT : SUCCEEDED_WAIT;
}

static NTSTATUS wait(RTL_CONDITION_VARIABLE *condition, struct stand_in *with,
                     struct fs_waiter *who, const LARGE_INTEGER *timeout)
{
    struct fs_deadline at;
    const struct fs_deadline *deadline = NULL;
    struct fs_condition *c =
        is_theirs(condition) ? stand_in_for(condition) : condition_in(condition);
    int err;

    if (timeout) {
        at = deadline_of(timeout->QuadPart);
        deadline = &at;
    }
    if (fs_process_is_ending())
        return wait_at_end(with, who, deadline);
    fs_store_relaxed(&with->mutex.kind, FS_KIND_LIBCS);
    do { /* until no thread is cancelled just now: none of these */
        who->epoch = fs_wait_epoch_now();
        err = fs_wait_once(c, &with->mutex, who, deadline);
    } while (err == FS_WAIT_NOT_BEGUN);
    return err == ETIMEDOUT ? TIMED_OUT : SUCCEEDED_WAIT;
}

NTSTATUS NTAPI fs_RtlSleepConditionVariableCS(RTL_CONDITION_VARIABLE *condition,
                                              RTL_CRITICAL_SECTION *section,
                                              const LARGE_INTEGER *timeout)
{
    struct fs_waiter who = {.acquire = enter_section, .release = leave_section};
    struct stand_in with = {.lock = section};

    if (is_theirs(condition) && !fs_section_settle(section))
        return FS_ORIGINAL_LIKE(RtlSleepConditionVariableCS,
                                fs_RtlSleepConditionVariableCS)(condition, section, timeout);
    return wait(condition, &with, &who, timeout);
}

NTSTATUS NTAPI fs_RtlSleepConditionVariableSRW(RTL_CONDITION_VARIABLE *condition, RTL_SRWLOCK *lock,
                                               const LARGE_INTEGER *timeout, ULONG flags)
{
    struct fs_waiter exclusive = {.acquire = acquire_exclusive, .release = release_exclusive};
    struct fs_waiter shared = {.acquire = acquire_shared, .release = release_shared};
    struct stand_in with = {.lock = lock};

    if (is_theirs(condition) && fs_srw_is_theirs(lock))
        return FS_ORIGINAL_LIKE(RtlSleepConditionVariableSRW,
                                fs_RtlSleepConditionVariableSRW)(condition, lock, timeout, flags);
    return wait(condition, &with, flags & CONDITION_VARIABLE_LOCKMODE_SHARED ? &shared : &exclusive,
                timeout);
}

/* What kernel32 makes of milliseconds, and of the result. */
static const LARGE_INTEGER *ticks_of(DWORD ms, LARGE_INTEGER *ticks)
{
    ticks->QuadPart = -(int64_t)ms * TICKS_PER_MS;
    return ms == INFINITE ? NULL : ticks;
}

static BOOL answer(NTSTATUS status)
{
    if (status == TIMED_OUT)
        SetLastError(ERROR_TIMEOUT);
    else if (status != SUCCEEDED_WAIT)
        SetLastError(RtlNtStatusToDosError(status));
    return status == SUCCEEDED_WAIT;
}

BOOL WINAPI fs_SleepConditionVariableCS(RTL_CONDITION_VARIABLE *condition,
                                        RTL_CRITICAL_SECTION *section, DWORD ms)
{
    LARGE_INTEGER ticks;

    return answer(fs_RtlSleepConditionVariableCS(condition, section, ticks_of(ms, &ticks)));
}

BOOL WINAPI fs_SleepConditionVariableSRW(RTL_CONDITION_VARIABLE *condition, RTL_SRWLOCK *lock,
                                         DWORD ms, ULONG flags)
{
    LARGE_INTEGER ticks;

    return answer(fs_RtlSleepConditionVariableSRW(condition, lock, ticks_of(ms, &ticks), flags));
}

/* ---- waking ------------------------------------------------------------------------ */

/* At the end of the process the waiters are gone, and the queue may be half changed. */
static bool may_have_waiters(const struct fs_condition *c)
{
    return fs_load_acquire(&c->queued) != 0 && !fs_process_is_ending();
}

static FS_COLD void wake_stand_in(const RTL_CONDITION_VARIABLE *condition)
{
    if (may_have_waiters(stand_in_for(condition)))
        fs_condition_broadcast(stand_in_for(condition));
}

void NTAPI fs_RtlWakeConditionVariable(RTL_CONDITION_VARIABLE *condition)
{
    if (is_theirs(condition)) {
        FS_ORIGINAL_LIKE(RtlWakeConditionVariable, fs_RtlWakeConditionVariable)(condition);
        wake_stand_in(condition);
    } else if (may_have_waiters(condition_in(condition))) {
        fs_condition_signal(condition_in(condition));
    }
}

void NTAPI fs_RtlWakeAllConditionVariable(RTL_CONDITION_VARIABLE *condition)
{
    if (is_theirs(condition)) {
        FS_ORIGINAL_LIKE(RtlWakeAllConditionVariable, fs_RtlWakeAllConditionVariable)(condition);
        wake_stand_in(condition);
    } else if (may_have_waiters(condition_in(condition))) {
        fs_condition_broadcast(condition_in(condition));
    }
}

void NTAPI fs_RtlInitializeConditionVariable(RTL_CONDITION_VARIABLE *condition)
{
    fs_wide_store_relaxed(view(condition), 0);
}
