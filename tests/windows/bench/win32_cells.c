/* SPDX-License-Identifier: MIT */
/* The cells of Win32's own locks: critical section, slim reader-writer lock, condition variable. */
#include "worker.h"

static _Alignas(LINE) SRWLOCK srw = SRWLOCK_INIT;
static _Alignas(LINE) CRITICAL_SECTION section;
static _Alignas(LINE) CONDITION_VARIABLE my_turn[2] = {CONDITION_VARIABLE_INIT,
                                                       CONDITION_VARIABLE_INIT};
static _Alignas(LINE) volatile int turn;
static _Alignas(LINE) volatile unsigned long guarded;

static void __attribute__((constructor)) make_section(void)
{
    InitializeCriticalSection(&section);
}

static void enter_section(struct seat *seat)
{
    PAIRS(seat, EnterCriticalSection(&section);
          guarded = guarded + 1, LeaveCriticalSection(&section));
}

static void acquire_exclusive(struct seat *seat)
{
    PAIRS(seat, AcquireSRWLockExclusive(&srw);
          guarded = guarded + 1, ReleaseSRWLockExclusive(&srw));
}

static void acquire_shared(struct seat *seat)
{
    PAIRS(seat, AcquireSRWLockShared(&srw), ReleaseSRWLockShared(&srw));
}

static void take_turns_in_section(struct seat *seat)
{
    TURNS(seat, EnterCriticalSection(&section), LeaveCriticalSection(&section),
          SleepConditionVariableCS(&my_turn[seat->number], &section, INFINITE),
          WakeConditionVariable(&my_turn[!seat->number]));
}

static void take_turns_with_srw(struct seat *seat)
{
    TURNS(seat, AcquireSRWLockExclusive(&srw), ReleaseSRWLockExclusive(&srw),
          SleepConditionVariableSRW(&my_turn[seat->number], &srw, INFINITE, 0),
          WakeConditionVariable(&my_turn[!seat->number]));
}

static void wake_both(void)
{
    WakeConditionVariable(&my_turn[0]);
    WakeConditionVariable(&my_turn[1]);
}

static void end_turns_in_section(void)
{
    EnterCriticalSection(&section);
    wake_both();
    LeaveCriticalSection(&section);
}

static void end_turns_with_srw(void)
{
    AcquireSRWLockExclusive(&srw);
    wake_both();
    ReleaseSRWLockExclusive(&srw);
}

const struct cell win32_cells[] = {
    {"section", enter_section, NULL},
    {"srw-exclusive", acquire_exclusive, NULL},
    {"srw-shared", acquire_shared, NULL},
    {"section-pingpong", take_turns_in_section, end_turns_in_section},
    {"srw-pingpong", take_turns_with_srw, end_turns_with_srw},
    {NULL, NULL, NULL},
};
