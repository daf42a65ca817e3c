/* SPDX-License-Identifier: MIT */
/* What a lock asks of Windows besides sleeping and waking: the calling thread, the processors, the
   clocks and memory. No order by priority is kept here, and there is no fork whose child could find
   the memory in use.

   The clocks are those that winpthreads tells its programs: a wait that ends by its deadline ends
   when they say so, too. */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "futex/thread.h"
#include "futex/windows_ticks.h"

/* ClientId.UniqueThread of the block that the thread's segment register points at. */
#ifdef _WIN64
#define ID_OFFSET 0x48
#else
#define ID_OFFSET 0x24
#endif

/* From 1601, when the system's wall clock begins, to 1970. */
#define SECONDS_TO_1970 INT64_C(11644473600)
#define TICKS_PER_SEC 10000000
#define NS_PER_TICK 100

static const char not_alone;

uintptr_t fs_thread_id_offset = ID_OFFSET;
const char *fs_single_threaded_flag = &not_alone;
fs_byte fs_may_be_alone;

uint32_t fs_system_thread_id(void)
{
    return fs_thread_id_known();
}

unsigned fs_system_thread_priority(void)
{
    return 0;
}

bool fs_system_order_threads(void)
{
    FlushProcessWriteBuffers();
    return true;
}

void fs_system_yield(void)
{
    SwitchToThread();
}

unsigned fs_system_processor_count(void)
{
    DWORD_PTR process = 0;
    DWORD_PTR all = 0;
    unsigned count = 0;

    /* None where the process runs on several groups of processors. */
    if (GetProcessAffinityMask(GetCurrentProcess(), &process, &all))
        count = (unsigned)__builtin_popcountll(process);
    if (count == 0) {
        SYSTEM_INFO info;

        GetSystemInfo(&info);
        count = info.dwNumberOfProcessors;
    }
    return count > 0 ? count : 1;
}

struct fs_deadline fs_deadline_of_ticks(int64_t ticks)
{
    return (struct fs_deadline){ticks / TICKS_PER_SEC - SECONDS_TO_1970,
                                ticks % TICKS_PER_SEC * NS_PER_TICK, FS_CLOCK_REALTIME};
}

static struct fs_deadline wall_clock(void)
{
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
    return fs_deadline_of_ticks((int64_t)((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime));
}

struct fs_deadline fs_system_now(enum fs_clock clock)
{
    LARGE_INTEGER count;
    LARGE_INTEGER per_sec;

    if (clock == FS_CLOCK_REALTIME)
        return wall_clock();
    QueryPerformanceFrequency(&per_sec);
    QueryPerformanceCounter(&count);
    return (struct fs_deadline){
        count.QuadPart / per_sec.QuadPart,
        count.QuadPart % per_sec.QuadPart * FS_NSEC_PER_SEC / per_sec.QuadPart, FS_CLOCK_MONOTONIC};
}

void *fs_system_map_wiped(size_t size, bool *wiped)
{
    DWORD saved = GetLastError();
    void *address = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    SetLastError(saved);
    *wiped = true;
    return address;
}

bool fs_system_has(enum fs_futex_feature feature)
{
    return false;
}
