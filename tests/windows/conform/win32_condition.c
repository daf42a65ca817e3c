/* SPDX-License-Identifier: MIT */
/* Win32's condition variables with critical sections and SRW locks: whom a wake reaches, what a
   time-out answers, and how the lock is held before and after. */
#include "check.h"

#include <windows.h>

#define STATUS_OF_TIMEOUT 0x102
#define TICKS_PER_MS 10000

enum how { SECTION, EXCLUSIVE, SHARED, HOWS };
static const char *const names[] = {"a critical section", "a writer", "a reader"};

static CONDITION_VARIABLE changed = CONDITION_VARIABLE_INIT;
static CRITICAL_SECTION section = {(void *)-1, -1, 0, 0, 0, 0};
static SRWLOCK lock = SRWLOCK_INIT;

static void acquire(enum how how)
{
    if (how == SECTION)
        EnterCriticalSection(&section);
    else if (how == EXCLUSIVE)
        AcquireSRWLockExclusive(&lock);
    else
        AcquireSRWLockShared(&lock);
}

static void release(enum how how)
{
    if (how == SECTION)
        LeaveCriticalSection(&section);
    else if (how == EXCLUSIVE)
        ReleaseSRWLockExclusive(&lock);
    else
        ReleaseSRWLockShared(&lock);
}

static BOOL sleep_on(enum how how, DWORD ms)
{
    if (how == SECTION)
        return SleepConditionVariableCS(&changed, &section, ms);
    return SleepConditionVariableSRW(&changed, &lock, ms,
                                     how == SHARED ? CONDITION_VARIABLE_LOCKMODE_SHARED : 0);
}

/* Whether another thread could enter just now, as a writer. */
static int is_free(void *how)
{
    int entered;

    if ((enum how)(intptr_t)how == SECTION) {
        entered = TryEnterCriticalSection(&section);
        if (entered)
            LeaveCriticalSection(&section);
    } else {
        entered = TryAcquireSRWLockExclusive(&lock);
        if (entered)
            ReleaseSRWLockExclusive(&lock);
    }
    return entered;
}

static void a_time_out_comes_and_the_lock_is_held(void)
{
    static const DWORD times[] = {0, 1, 15, 40};

    for (int how = 0; how < HOWS; how++)
        for (int i = 0; i < 4; i++) {
            int64_t before = check_now_ms();
            BOOL done;

            check_context(names[how]);
            acquire(how);
            do {
                SetLastError(4711);
                done = sleep_on(how, times[i]);
            } while (done); /* spurious */
            CHECK_INT(GetLastError(), ERROR_TIMEOUT);
            CHECK(check_now_ms() - before >= (int64_t)times[i] - 1);
            CHECK_INT(in_thread(is_free, (void *)(intptr_t)how), 0);
            release(how);
            CHECK_INT(in_thread(is_free, (void *)(intptr_t)how), 1);
        }
}

static int waiting, go, done, wrong;

static int wait_for_go(void *argument)
{
    enum how how = (enum how)(intptr_t)argument;

    acquire(how);
    check_add(&waiting, 1);
    while (!check_load(&go)) {
        SetLastError(4711);
        if (!sleep_on(how, INFINITE) || GetLastError() != 4711)
            check_add(&wrong, 1);
    }
    release(how);
    check_add(&done, 1);
    return 0;
}

/* As readers several can be inside, so that "waiting" says only that they are about to. */
static void start_waiters(enum how how, struct thread *threads, int count)
{
    go = waiting = done = wrong = 0;
    check_context(names[how]);
    for (int i = 0; i < count; i++)
        thread_start(&threads[i], wait_for_go, (void *)(intptr_t)how);
    check_until(&waiting, count);
    if (how == SHARED)
        how = EXCLUSIVE;
    acquire(how); /* after the last of them has left the lock */
    go = 1;
    release(how);
}

static void a_wake_reaches_one_and_the_next_another(void)
{
    for (int how = 0; how < HOWS; how++) {
        struct thread threads[4];

        start_waiters(how, threads, 4);
        for (int i = 1; i <= 4; i++) {
            check_pause(5);
            if (check_has_library())
                CHECK_INT(check_load(&done), i - 1); /* ours wake nobody for no reason */
            WakeConditionVariable(&changed);
            check_until(&done, i);
        }
        for (int i = 0; i < 4; i++)
            OK(thread_join(&threads[i]));
        OK(wrong);
    }
}

static void a_wake_of_all_reaches_all(void)
{
    for (int how = 0; how < HOWS; how++) {
        struct thread threads[10];

        start_waiters(how, threads, 10);
        WakeAllConditionVariable(&changed);
        for (int i = 0; i < 10; i++)
            OK(thread_join(&threads[i]));
        OK(wrong);
    }
}

static int meet_inside(void *nothing)
{
    AcquireSRWLockShared(&lock);
    check_add(&waiting, 1);
    while (!check_load(&go))
        CHECK(SleepConditionVariableSRW(&changed, &lock, INFINITE,
                                        CONDITION_VARIABLE_LOCKMODE_SHARED));
    check_add(&done, 1);
    check_until(&done, 2);
    ReleaseSRWLockShared(&lock);
    return 0;
}

static void readers_that_wait_come_back_as_readers(void)
{
    struct thread threads[2];

    go = waiting = done = 0;
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], meet_inside, NULL);
    check_until(&waiting, 2);
    AcquireSRWLockExclusive(&lock);
    go = 1;
    ReleaseSRWLockExclusive(&lock);
    WakeAllConditionVariable(&changed);
    for (int i = 0; i < 2; i++)
        OK(thread_join(&threads[i]));
}

/* Both may wait on one condition variable, with locks of their own. */
static void waiters_of_several_locks_are_all_reached(void)
{
    struct thread threads[HOWS * 2];

    go = waiting = done = wrong = 0;
    for (int i = 0; i < HOWS * 2; i++)
        thread_start(&threads[i], wait_for_go, (void *)(intptr_t)(i % HOWS));
    check_until(&waiting, HOWS * 2);
    EnterCriticalSection(&section);
    AcquireSRWLockExclusive(&lock);
    go = 1;
    ReleaseSRWLockExclusive(&lock);
    LeaveCriticalSection(&section);
    WakeAllConditionVariable(&changed);
    for (int i = 0; i < HOWS * 2; i++)
        OK(thread_join(&threads[i]));
    OK(wrong);
}

static void a_wake_for_nobody_is_forgotten(void)
{
    WakeConditionVariable(&changed);
    WakeAllConditionVariable(&changed);
    for (int how = 0; how < HOWS; how++) {
        acquire(how);
        CHECK_INT(sleep_on(how, 20), FALSE);
        CHECK_INT(GetLastError(), ERROR_TIMEOUT);
        release(how);
    }
}

static int try_while_waiting(void *count)
{
    check_until(&waiting, 1);
    for (int i = 0; i < 20; i++) {
        check_add(count, is_free((void *)SECTION));
        check_pause(1);
    }
    return 0;
}

static void a_section_that_is_held_twice_stays_held_during_a_wait(void)
{
    struct thread thread;
    int entered = 0;

    waiting = 0;
    EnterCriticalSection(&section);
    EnterCriticalSection(&section);
    thread_start(&thread, try_while_waiting, &entered);
    check_add(&waiting, 1);
    CHECK_INT(SleepConditionVariableCS(&changed, &section, 50), FALSE);
    CHECK_INT(section.RecursionCount, 2);
    OK(thread_join(&thread));
    CHECK_INT(entered, 0);
    LeaveCriticalSection(&section);
    CHECK_INT(in_thread(is_free, (void *)SECTION), 0);
    LeaveCriticalSection(&section);
    CHECK_INT(in_thread(is_free, (void *)SECTION), 1);
}

/* ---- by ntdll's names --------------------------------------------------------------- */

typedef void any(void);
typedef LONG NTAPI sleep_with_section(CONDITION_VARIABLE *, CRITICAL_SECTION *, LARGE_INTEGER *);
typedef LONG NTAPI sleep_with_lock(CONDITION_VARIABLE *, SRWLOCK *, LARGE_INTEGER *, ULONG);
typedef LONG NTAPI of_section(CRITICAL_SECTION *);
typedef void NTAPI of_lock(SRWLOCK *);
typedef void NTAPI of_condition(CONDITION_VARIABLE *);

static any *find(const char *name)
{
    return (any *)GetProcAddress(GetModuleHandleA("ntdll"), name);
}

static int64_t wall_clock(void)
{
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
    return (int64_t)((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime);
}

static void moments_and_time_outs_of_ntdlls_calls(void)
{
    sleep_with_section *with_section = (sleep_with_section *)find("RtlSleepConditionVariableCS");
    sleep_with_lock *with_lock = (sleep_with_lock *)find("RtlSleepConditionVariableSRW");

    for (int i = 0; i < 4; i++) {
        int64_t before = check_now_ms(), end = wall_clock() + 20 * TICKS_PER_MS;
        LARGE_INTEGER time = {.QuadPart = i % 2 ? end : -20 * TICKS_PER_MS};

        EnterCriticalSection(&section);
        AcquireSRWLockShared(&lock);
        CHECK_INT(i < 2 ? with_section(&changed, &section, &time)
                        : with_lock(&changed, &lock, &time, 1),
                  STATUS_OF_TIMEOUT);
        if (i % 2)
            CHECK(wall_clock() >= end - (check_has_library() ? 0 : TICKS_PER_MS));
        else
            CHECK(check_now_ms() - before >= 19);
        time.QuadPart = 1; /* long ago */
        CHECK_INT(with_section(&changed, &section, &time), STATUS_OF_TIMEOUT);
        time.QuadPart = 0;
        CHECK_INT(with_lock(&changed, &lock, &time, 1), STATUS_OF_TIMEOUT);
        ReleaseSRWLockShared(&lock);
        LeaveCriticalSection(&section);
    }
    CHECK_INT(in_thread(is_free, (void *)SECTION), 1);
    CHECK_INT(in_thread(is_free, (void *)EXCLUSIVE), 1);
}

static void functions_that_are_looked_up_know_the_same_objects(void)
{
    of_section *enter = (of_section *)find("RtlEnterCriticalSection");
    of_section *leave = (of_section *)find("RtlLeaveCriticalSection");
    of_lock *acquire_it = (of_lock *)find("RtlAcquireSRWLockExclusive");
    of_lock *release_it = (of_lock *)find("RtlReleaseSRWLockExclusive");
    of_condition *wake = (of_condition *)find("RtlWakeConditionVariable");
    struct thread thread;

    enter(&section);
    CHECK_INT(in_thread(is_free, (void *)SECTION), 0);
    LeaveCriticalSection(&section);
    EnterCriticalSection(&section);
    leave(&section);
    CHECK_INT(in_thread(is_free, (void *)SECTION), 1);
    acquire_it(&lock);
    ReleaseSRWLockExclusive(&lock);
    AcquireSRWLockExclusive(&lock);
    release_it(&lock);
    CHECK_INT(in_thread(is_free, (void *)EXCLUSIVE), 1);
    start_waiters(SECTION, &thread, 1);
    wake(&changed);
    OK(thread_join(&thread));
}

static const struct check_case cases[] = {
    CHECK_CASE(a_time_out_comes_and_the_lock_is_held),
    CHECK_CASE(a_wake_reaches_one_and_the_next_another),
    CHECK_CASE(a_wake_of_all_reaches_all),
    CHECK_CASE(readers_that_wait_come_back_as_readers),
    CHECK_CASE(waiters_of_several_locks_are_all_reached),
    CHECK_CASE(a_wake_for_nobody_is_forgotten),
    CHECK_CASE(a_section_that_is_held_twice_stays_held_during_a_wait),
    CHECK_CASE(moments_and_time_outs_of_ntdlls_calls),
    CHECK_CASE(functions_that_are_looked_up_know_the_same_objects),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
