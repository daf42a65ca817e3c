/* SPDX-License-Identifier: MIT */
/* A program whose first library has objects in use when ours comes, which is the second: they stay
   the system's as long as they are in use, and can be used on by everybody. */
#include <stdio.h>
#include <windows.h>

__declspec(dllimport) extern CRITICAL_SECTION held_section, free_section, initial_section,
    late_section, found_section;
__declspec(dllimport) extern SRWLOCK written_lock, read_lock, free_lock;
__declspec(dllimport) extern CONDITION_VARIABLE woken_condition;
__declspec(dllimport) void before_use(void);
__declspec(dllimport) void before_enter(CRITICAL_SECTION *section);
__declspec(dllimport) void before_leave(CRITICAL_SECTION *section);
__declspec(dllimport) void before_wake(void);
__declspec(dllimport) const char *fastsync_version(void);

static int wrong;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("before_main.c:%d: not so: " #condition "\n", __LINE__);                        \
            wrong = 1;                                                                             \
        }                                                                                          \
    } while (0)

/* In another thread: bit 0 to 2, sections; 3 and 4, the locks as a writer; 5, as a reader. */
static DWORD WINAPI try_all(void *nothing)
{
    CRITICAL_SECTION *sections[] = {&held_section, &free_section, &initial_section};
    DWORD got = 0;

    for (int i = 0; i < 3; i++)
        if (TryEnterCriticalSection(sections[i])) {
            LeaveCriticalSection(sections[i]);
            got |= 1u << i;
        }
    if (TryAcquireSRWLockExclusive(&written_lock)) {
        ReleaseSRWLockExclusive(&written_lock);
        got |= 8;
    }
    if (TryAcquireSRWLockExclusive(&read_lock)) {
        ReleaseSRWLockExclusive(&read_lock);
        got |= 16;
    }
    if (TryAcquireSRWLockShared(&read_lock)) {
        ReleaseSRWLockShared(&read_lock);
        got |= 32;
    }
    return got;
}

static DWORD WINAPI wait_for_all(void *nothing)
{
    EnterCriticalSection(&held_section);
    LeaveCriticalSection(&held_section);
    EnterCriticalSection(&initial_section);
    LeaveCriticalSection(&initial_section);
    AcquireSRWLockExclusive(&written_lock);
    ReleaseSRWLockExclusive(&written_lock);
    AcquireSRWLockExclusive(&read_lock);
    ReleaseSRWLockExclusive(&read_lock);
    AcquireSRWLockShared(&read_lock);
    ReleaseSRWLockShared(&read_lock);
    return 0;
}

static DWORD in_thread(DWORD WINAPI body(void *))
{
    HANDLE thread = CreateThread(NULL, 0, body, NULL, 0, NULL);
    DWORD result = 0;

    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &result);
    CloseHandle(thread);
    return result;
}

static void give_everything_back(void)
{
    HANDLE thread = CreateThread(NULL, 0, wait_for_all, NULL, 0, NULL);

    Sleep(20);
    EnterCriticalSection(&held_section); /* once more */
    LeaveCriticalSection(&held_section);
    LeaveCriticalSection(&held_section);
    Sleep(5);
    LeaveCriticalSection(&initial_section);
    Sleep(5);
    ReleaseSRWLockExclusive(&written_lock);
    Sleep(5);
    ReleaseSRWLockShared(&read_lock);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}

static int is_of_system(const CRITICAL_SECTION *section)
{
    return (uintptr_t)section->LockSemaphore >> 32 == 0;
}

/* Of this module, so that it could become ours, but for that the library holds it just then. */
static CRITICAL_SECTION own_section = {(void *)-1, -1, 0, 0, 0, 0};

static DWORD WINAPI try_own(void *nothing)
{
    BOOL entered = TryEnterCriticalSection(&own_section);

    if (entered)
        LeaveCriticalSection(&own_section);
    return (DWORD)entered;
}

static void meet_the_library_in_a_section(void)
{
    before_enter(&own_section);
    CHECK(in_thread(try_own) == 0);
    before_leave(&own_section);
    CHECK(in_thread(try_own) == 1);
    CHECK(is_of_system(&own_section));
    EnterCriticalSection(&own_section);
    LeaveCriticalSection(&own_section);
    CHECK(is_of_system(&own_section));
    DeleteCriticalSection(&own_section);
}

static int flag;
static CRITICAL_SECTION section;

struct waker {
    CRITICAL_SECTION *section;
    int by_library;
};

static DWORD WINAPI set_flag(void *argument)
{
    struct waker *how = argument;

    EnterCriticalSection(how->section);
    flag = 1;
    LeaveCriticalSection(how->section);
    if (how->by_library)
        before_wake();
    else
        WakeConditionVariable(&woken_condition);
    return 0;
}

static void wait_with(CRITICAL_SECTION *with, int by_library)
{
    struct waker how = {with, by_library};
    DWORD before = GetTickCount();
    HANDLE thread;

    flag = 0;
    EnterCriticalSection(with);
    while (SleepConditionVariableCS(&woken_condition, with, 40))
        ;
    CHECK(GetLastError() == ERROR_TIMEOUT && GetTickCount() - before >= 20);
    thread = CreateThread(NULL, 0, set_flag, &how, 0, NULL);
    while (!flag)
        CHECK(SleepConditionVariableCS(&woken_condition, with, INFINITE));
    LeaveCriticalSection(with);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}

int main(void)
{
    InitializeCriticalSection(&section);
    CHECK(fastsync_version() != NULL);
    CHECK((intptr_t)written_lock.Ptr > 0); /* the linker has put the libraries in the right order */
    CHECK((in_thread(try_all) & ~32u) == 2); /* the library leaves a reader of the system's alone */
    give_everything_back();
    CHECK(in_thread(try_all) == 63);
    CHECK(!written_lock.Ptr && !read_lock.Ptr);
    before_use();
    CHECK(is_of_system(&found_section));
    CHECK(found_section.LockCount == -1);
    meet_the_library_in_a_section();
    EnterCriticalSection(&free_section);
    CHECK(!(in_thread(try_all) & 2));
    LeaveCriticalSection(&free_section);
    before_use();
    wait_with(&section, 0);
    wait_with(&free_section, 0);
    wait_with(&free_section,
              1); /* that library's wake reaches those whose lock is the system's too */
    /* What is free by now is ours; but a section in an older library is that library's. */
    AcquireSRWLockExclusive(&written_lock);
    printf("written_lock is %s\n", (intptr_t)written_lock.Ptr < 0 ? "ours" : "the system's");
    ReleaseSRWLockExclusive(&written_lock);
    EnterCriticalSection(&late_section);
    LeaveCriticalSection(&late_section);
    printf("late_section is %s\n", is_of_system(&late_section) ? "the system's" : "ours");
    printf("before: %d\n", wrong);
    return wrong;
}
