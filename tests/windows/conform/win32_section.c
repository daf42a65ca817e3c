/* SPDX-License-Identifier: MIT */
/* Win32's critical sections: who enters, how often, what a program may read in one and write into
   it, and which ones are not the library's. */
#include "check.h"

#include <windows.h>

static CRITICAL_SECTION section;

static int try_it(void *it)
{
    int entered = TryEnterCriticalSection(it);

    if (entered)
        LeaveCriticalSection(it);
    return entered;
}

static int enter_it(void *it)
{
    EnterCriticalSection(it);
    LeaveCriticalSection(it);
    return 0;
}

typedef void any(void);
typedef BOOL NTAPI is(CRITICAL_SECTION *section);
typedef void *NTAPI process_block(void);
typedef LONG NTAPI lock_loader(ULONG flags, ULONG *how, ULONG_PTR *cookie);
typedef LONG NTAPI unlock_loader(ULONG flags, ULONG_PTR cookie);

static any *find(const char *name)
{
    return (any *)GetProcAddress(GetModuleHandleA("ntdll"), name);
}

static void the_holder_enters_again_and_others_do_not(void)
{
    InitializeCriticalSection(&section);
    for (int depth = 1; depth <= 5; depth++) {
        if (depth % 2)
            EnterCriticalSection(&section);
        else
            CHECK(TryEnterCriticalSection(&section));
        CHECK_INT(in_thread(try_it, &section), 0);
    }
    for (int depth = 5; depth >= 1; depth--) {
        CHECK_INT(in_thread(try_it, &section), 0);
        LeaveCriticalSection(&section);
    }
    CHECK_INT(in_thread(try_it, &section), 1);
    DeleteCriticalSection(&section);
}

static void whoever_has_to_wait_gets_in(void)
{
    struct thread threads[3];

    InitializeCriticalSection(&section);
    EnterCriticalSection(&section);
    for (int i = 0; i < 3; i++)
        thread_start(&threads[i], enter_it, &section);
    check_pause(20);
    LeaveCriticalSection(&section);
    for (int i = 0; i < 3; i++)
        OK(thread_join(&threads[i]));
    DeleteCriticalSection(&section);
}

static void the_holder_and_its_depth_can_be_read(void)
{
    is *is_locked = (is *)find("RtlIsCriticalSectionLocked");
    is *is_mine = (is *)find("RtlIsCriticalSectionLockedByThread");

    InitializeCriticalSection(&section);
    CHECK_INT(is_locked(&section), FALSE);
    for (int depth = 1; depth <= 3; depth++) {
        EnterCriticalSection(&section);
        CHECK_INT((intptr_t)section.OwningThread, GetCurrentThreadId());
        CHECK_INT(section.RecursionCount, depth);
        CHECK_INT(is_locked(&section), TRUE);
        CHECK_INT(is_mine(&section), TRUE);
    }
    for (int depth = 0; depth < 3; depth++)
        LeaveCriticalSection(&section);
    CHECK_INT((intptr_t)section.OwningThread, 0);
    CHECK_INT(section.RecursionCount, 0);
    CHECK_INT(is_locked(&section), FALSE);
    CHECK_INT(is_mine(&section), FALSE);
    DeleteCriticalSection(&section);
}

/* -1 when nobody holds it; else not, and bit 0 is clear. */
static void a_count_tells_whether_it_is_held(void)
{
    struct thread threads[3];

    InitializeCriticalSection(&section);
    CHECK_INT(section.LockCount, -1);
    for (int i = 0; i < 2; i++) {
        EnterCriticalSection(&section);
        CHECK(section.LockCount != -1);
        CHECK_INT(section.LockCount & 1, 0);
        LeaveCriticalSection(&section);
        CHECK_INT(section.LockCount, -1);
        CHECK(TryEnterCriticalSection(&section));
        CHECK(section.LockCount != -1);
        LeaveCriticalSection(&section);
        CHECK_INT(section.LockCount, -1);
    }
    EnterCriticalSection(&section);
    for (int i = 0; i < 3; i++)
        thread_start(&threads[i], enter_it, &section);
    check_pause(20);
    CHECK(section.LockCount != -1);
    LeaveCriticalSection(&section);
    for (int i = 0; i < 3; i++)
        OK(thread_join(&threads[i]));
    CHECK_INT(section.LockCount, -1);
    DeleteCriticalSection(&section);
}

/* Some programs do without the record, and say so in their own way. */
static void a_record_can_be_taken_away(void)
{
    for (int i = 0; i < 4; i++) {
        void *record = i % 2 ? NULL : (void *)-1;

        CHECK(InitializeCriticalSectionEx(&section, 0, CRITICAL_SECTION_NO_DEBUG_INFO));
        if (i < 2)
            section.DebugInfo = record;
        EnterCriticalSection(&section);
        section.DebugInfo = record;
        CHECK_INT(in_thread(try_it, &section), 0);
        EnterCriticalSection(&section);
        LeaveCriticalSection(&section);
        CHECK_INT(in_thread(try_it, &section), 0);
        LeaveCriticalSection(&section);
        CHECK_INT(in_thread(try_it, &section), 1);
        OK(in_thread(enter_it, &section));
        DeleteCriticalSection(&section);
    }
}

static void a_name_can_be_written_into_the_record(void)
{
    InitializeCriticalSection(&section);
    if (check_that(section.DebugInfo != NULL, "there is a record", __FILE__, __LINE__) &&
        section.DebugInfo != (void *)-1) {
        section.DebugInfo->Flags = 4711;
        OK(in_thread(enter_it, &section));
        section.DebugInfo->Flags = 0;
    }
    DeleteCriticalSection(&section);
    CHECK(!section.DebugInfo || section.DebugInfo == (void *)-1);
}

static void spin_counts_are_told_back(void)
{
    CHECK(InitializeCriticalSectionAndSpinCount(&section, 400));
    CHECK_INT(section.SpinCount, 400);
    CHECK_INT(SetCriticalSectionSpinCount(&section, 17), 400);
    CHECK_INT(SetCriticalSectionSpinCount(&section, 0), 17);
    DeleteCriticalSection(&section);
    CHECK(InitializeCriticalSectionEx(&section, 500, 0));
    CHECK_INT(SetCriticalSectionSpinCount(&section, 1), 500);
    OK(in_thread(enter_it, &section));
    DeleteCriticalSection(&section);
}

static void a_section_can_be_initialised_again(void)
{
    for (int i = 0; i < 3; i++) {
        InitializeCriticalSection(&section);
        EnterCriticalSection(&section);
        CHECK_INT(in_thread(try_it, &section), 0);
        LeaveCriticalSection(&section);
        DeleteCriticalSection(&section);
        CHECK_INT(section.LockCount, -1);
    }
}

static void a_section_that_is_left_too_often_stays_free(void)
{
    InitializeCriticalSection(&section);
    for (int i = 0; i < 3; i++) {
        LeaveCriticalSection(&section);
        CHECK_INT(in_thread(try_it, &section), 1);
        EnterCriticalSection(&section);
        CHECK_INT(in_thread(try_it, &section), 0);
        LeaveCriticalSection(&section);
    }
    DeleteCriticalSection(&section);
}

static int leave_it(void *it)
{
    LeaveCriticalSection(it);
    return 0;
}

static void anybody_may_leave(void)
{
    InitializeCriticalSection(&section);
    EnterCriticalSection(&section);
    OK(in_thread(leave_it, &section));
    CHECK_INT(in_thread(try_it, &section), 1);
    DeleteCriticalSection(&section);
}

/* ---- becoming ours -------------------------------------------------------------- */

#define SECTIONS 200
static CRITICAL_SECTION initial[SECTIONS];
static int arrived, inside, entered;

static int enter_all(void *nothing)
{
    check_add(&arrived, 1);
    check_until(&arrived, 4);
    for (int i = 0; i < SECTIONS; i++) {
        EnterCriticalSection(&initial[i]);
        CHECK_INT(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
        entered++;
        if (i % 2) /* others come to it while it is held */
            check_pause(0);
        __atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
        LeaveCriticalSection(&initial[i]);
        check_add(&arrived, 1);
        check_until(&arrived, 4 * (i + 2)); /* all go to the next at once */
    }
    return 0;
}

static void several_threads_are_the_first_at_once(void)
{
    struct thread threads[4];

    for (int i = 0; i < SECTIONS; i++)
        initial[i] = (CRITICAL_SECTION){(void *)-1, -1, 0, 0, 0, 0};
    for (int i = 0; i < 4; i++)
        thread_start(&threads[i], enter_all, NULL);
    for (int i = 0; i < 4; i++)
        OK(thread_join(&threads[i]));
    CHECK_INT(entered, 4 * SECTIONS);
    for (int i = 0; i < SECTIONS; i++)
        CHECK_INT(check_is_of_library(initial[i].DebugInfo), check_has_library());
}

static void one_that_names_a_record_of_its_module_stays_the_originals(void)
{
    static CRITICAL_SECTION_DEBUG record;
    static CRITICAL_SECTION own = {&record, -1, 0, 0, 0, 0};

    record.CriticalSection = &own;
    EnterCriticalSection(&own);
    CHECK(own.DebugInfo == &record);
    CHECK_INT(in_thread(try_it, &own), 0);
    LeaveCriticalSection(&own);
    CHECK_INT(own.LockCount, -1);
    CHECK_INT(in_thread(try_it, &own), 1);
}

/* Newer systems leave that value in all of theirs, and this one may be of an older module. */
static void one_on_the_heap_stays_the_originals(void)
{
    CRITICAL_SECTION *one = HeapAlloc(GetProcessHeap(), 0, sizeof *one);

    if (!CHECK(one != NULL))
        return;
    *one = (CRITICAL_SECTION){(void *)-1, -1, 0, 0, 0, 0};
    EnterCriticalSection(one);
    CHECK(one->DebugInfo == (void *)-1);
    CHECK_INT(in_thread(try_it, one), 0);
    LeaveCriticalSection(one);
    CHECK(one->DebugInfo == (void *)-1);
    CHECK_INT(one->LockCount, -1);
    CHECK_INT((uintptr_t)one->LockSemaphore >> 32, 0);
    OK(in_thread(enter_it, one));
    DeleteCriticalSection(one);
    HeapFree(GetProcessHeap(), 0, one);
}

static int asked, tried = -1;

static int try_loader_lock(void *lock)
{
    check_until(&asked, 1);
    tried = try_it(lock);
    check_add(&asked, 1);
    return 0;
}

/* At offset 0x110 of the process's block there is its address. */
static CRITICAL_SECTION *find_loader_lock(void)
{
    process_block *block = (process_block *)find("RtlGetCurrentPeb");

    return ((CRITICAL_SECTION **)block())[0x110 / sizeof(void *)];
}

/* ntdll's own function takes it. */
static void the_loaders_lock_stays_ntdlls(void)
{
    lock_loader *take = (lock_loader *)find("LdrLockLoaderLock");
    unlock_loader *give = (unlock_loader *)find("LdrUnlockLoaderLock");
    CRITICAL_SECTION *lock = find_loader_lock();
    struct thread thread;
    ULONG_PTR cookie;

    thread_start(&thread, try_loader_lock, lock);
    check_pause(20); /* a thread that begins needs the lock */
    EnterCriticalSection(lock);
    CHECK(!check_is_of_library(lock->DebugInfo));
    OK(take(0, NULL, &cookie));
    LeaveCriticalSection(lock);
    check_add(&asked, 1);
    check_until(&asked, 2);
    CHECK_INT(tried, 0);
    OK(give(0, cookie));
    OK(thread_join(&thread));
    CHECK_INT(in_thread(try_it, lock), 1);
}

static void a_free_section_of_ntdlls_stays_ntdlls(void)
{
    CRITICAL_SECTION *lock = find_loader_lock();
    RTL_CRITICAL_SECTION_DEBUG *record = lock->DebugInfo;

    EnterCriticalSection(lock);
    lock->DebugInfo = (void *)-1; /* as some versions have it */
    LeaveCriticalSection(lock);
    EnterCriticalSection(lock);
    CHECK(lock->DebugInfo == (void *)-1);
    lock->DebugInfo = record;
    LeaveCriticalSection(lock);
}

static const struct check_case cases[] = {
    CHECK_CASE(the_holder_enters_again_and_others_do_not),
    CHECK_CASE(whoever_has_to_wait_gets_in),
    CHECK_CASE(the_holder_and_its_depth_can_be_read),
    CHECK_CASE(a_count_tells_whether_it_is_held),
    CHECK_CASE(a_record_can_be_taken_away),
    CHECK_CASE(a_name_can_be_written_into_the_record),
    CHECK_CASE(spin_counts_are_told_back),
    CHECK_CASE(a_section_can_be_initialised_again),
    CHECK_CASE_OURS(a_section_that_is_left_too_often_stays_free, "the original counts below zero"),
    CHECK_CASE(anybody_may_leave),
    CHECK_CASE(several_threads_are_the_first_at_once),
    CHECK_CASE(one_that_names_a_record_of_its_module_stays_the_originals),
    CHECK_CASE(one_on_the_heap_stays_the_originals),
    CHECK_CASE(the_loaders_lock_stays_ntdlls),
    CHECK_CASE(a_free_section_of_ntdlls_stays_ntdlls),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
