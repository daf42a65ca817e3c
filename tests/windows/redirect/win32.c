/* SPDX-License-Identifier: MIT */
/* A program that calls each of Win32's lock functions three times, found in the way that it is
   told: imported from kernel32 or from ntdll, or looked up in a module by name. Without a way it
   only says that it was there. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

#define TIMES 3
#define TIMED_OUT 0x102

typedef void any(void);

/* By both names: kernel32's, and ntdll's behind "Rtl". */
#define EACH_OF_BOTH(X)                                                                            \
    X(0, LONG, InitializeCriticalSection, (CRITICAL_SECTION *))                                    \
    X(1, LONG, EnterCriticalSection, (CRITICAL_SECTION *))                                         \
    X(2, BOOL, TryEnterCriticalSection, (CRITICAL_SECTION *))                                      \
    X(3, LONG, LeaveCriticalSection, (CRITICAL_SECTION *))                                         \
    X(4, LONG, DeleteCriticalSection, (CRITICAL_SECTION *))                                        \
    X(5, DWORD, SetCriticalSectionSpinCount, (CRITICAL_SECTION *, DWORD))                          \
    X(6, void, InitializeSRWLock, (SRWLOCK *))                                                     \
    X(7, void, AcquireSRWLockExclusive, (SRWLOCK *))                                               \
    X(8, void, AcquireSRWLockShared, (SRWLOCK *))                                                  \
    X(9, BOOLEAN, TryAcquireSRWLockExclusive, (SRWLOCK *))                                         \
    X(10, BOOLEAN, TryAcquireSRWLockShared, (SRWLOCK *))                                           \
    X(11, void, ReleaseSRWLockExclusive, (SRWLOCK *))                                              \
    X(12, void, ReleaseSRWLockShared, (SRWLOCK *))                                                 \
    X(13, void, InitializeConditionVariable, (CONDITION_VARIABLE *))                               \
    X(14, void, WakeConditionVariable, (CONDITION_VARIABLE *))                                     \
    X(15, void, WakeAllConditionVariable, (CONDITION_VARIABLE *))                                  \
    X(16, LONG, InitializeCriticalSectionAndSpinCount, (CRITICAL_SECTION *, DWORD))                \
    X(17, LONG, InitializeCriticalSectionEx, (CRITICAL_SECTION *, DWORD, DWORD))                   \
    X(18, LONG, SleepConditionVariableCS, (CONDITION_VARIABLE *, CRITICAL_SECTION *, intptr_t))    \
    X(19, LONG, SleepConditionVariableSRW, (CONDITION_VARIABLE *, SRWLOCK *, intptr_t, ULONG))

#define DECLARE(number, type, name, arguments)                                                     \
    __declspec(dllimport) any Rtl##name;                                                           \
    typedef type WINAPI call_##name arguments;
EACH_OF_BOTH(DECLARE)

static any *found[20];
static const char *const names[] = {
#define NAME(number, type, name, arguments) "Rtl" #name,
    EACH_OF_BOTH(NAME)};

#define CALL(number, name) ((call_##name *)found[number])

static void find_imported(void)
{
#define OF_KERNEL32(number, type, name, arguments) found[number] = (any *)name;
    EACH_OF_BOTH(OF_KERNEL32)
}

static void find_imported_from_ntdll(void)
{
#define OF_NTDLL(number, type, name, arguments) found[number] = Rtl##name;
    EACH_OF_BOTH(OF_NTDLL)
}

/* Where a module of that name says so itself; some have a part of them only. */
static void look_up(const char *file)
{
    HMODULE module = LoadLibraryA(file);

    for (int i = 0; i < 20; i++)
        found[i] = (any *)GetProcAddress(module, names[i] + (strcmp(file, "ntdll") ? 3 : 0));
}

static int find(const char *way)
{
    if (strcmp(way, "kernel32") == 0)
        find_imported();
    else if (strcmp(way, "ntdll") == 0)
        find_imported_from_ntdll();
    else if (strncmp(way, "look:", 5) == 0)
        look_up(way + 5);
    else
        return 1;
    for (int i = 0; i < 20; i++)
        if (!found[i])
            return 2 + i;
    return 0;
}

/* The two agree on what is in range of the other's arguments: 1 ms, or, ntdll's, long ago. */
static int use(intptr_t timeout, LONG success, LONG failure)
{
    CRITICAL_SECTION section;
    SRWLOCK lock = {(void *)-1};
    CONDITION_VARIABLE condition = {(void *)-1};
    int wrong = 0;

    CALL(0, InitializeCriticalSection)(&section);
    CALL(1, EnterCriticalSection)(&section);
    wrong |= !CALL(2, TryEnterCriticalSection)(&section);
    CALL(3, LeaveCriticalSection)(&section);
    CALL(13, InitializeConditionVariable)(&condition);
    wrong |= 2 * (CALL(18, SleepConditionVariableCS)(&condition, &section, timeout) != failure);
    CALL(3, LeaveCriticalSection)(&section);
    CALL(4, DeleteCriticalSection)(&section);
    wrong |= 4 * (CALL(16, InitializeCriticalSectionAndSpinCount)(&section, 5) != success);
    wrong |= 8 * (CALL(5, SetCriticalSectionSpinCount)(&section, 6) != 5);
    CALL(4, DeleteCriticalSection)(&section);
    wrong |= 16 * (CALL(17, InitializeCriticalSectionEx)(&section, 0, 0) != success);
    CALL(4, DeleteCriticalSection)(&section);

    CALL(6, InitializeSRWLock)(&lock);
    CALL(7, AcquireSRWLockExclusive)(&lock);
    wrong |= 32 * (CALL(19, SleepConditionVariableSRW)(&condition, &lock, timeout, 0) != failure);
    CALL(11, ReleaseSRWLockExclusive)(&lock);
    CALL(8, AcquireSRWLockShared)(&lock);
    wrong |= 64 * !CALL(10, TryAcquireSRWLockShared)(&lock);
    wrong |= 64 * CALL(9, TryAcquireSRWLockExclusive)(&lock);
    CALL(12, ReleaseSRWLockShared)(&lock);
    CALL(12, ReleaseSRWLockShared)(&lock);
    CALL(14, WakeConditionVariable)(&condition);
    CALL(15, WakeAllConditionVariable)(&condition);
    return wrong;
}

int main(int count, char **arguments)
{
    static LARGE_INTEGER past = {.QuadPart = 1};
    int of_ntdll = count > 1 && strstr(arguments[1], "ntdll") != NULL;
    int wrong = count > 1 ? find(arguments[1]) : 0;

    if (wrong) {
        printf("win32: not found, %d\n", wrong);
        return 1;
    }
    for (int i = 0; i < TIMES && count > 1; i++)
        wrong |= of_ntdll ? use((intptr_t)&past, 0, TIMED_OUT) : use(1, TRUE, FALSE);
    printf("win32: %d\n", wrong);
    return wrong;
}

#ifdef PLUGIN
__declspec(dllexport) int plugin(void);

int plugin(void)
{
    int wrong = 0;

    find_imported();
    for (int i = 0; i < TIMES; i++)
        wrong |= use(1, TRUE, FALSE);
    return wrong;
}
#endif
