/* SPDX-License-Identifier: MIT */
/* See waits.h. Who waits is kept in a table whose entries are the words' addresses; a thread takes
   one before it asks the system, and gives it back after. */
#include "waits.h"

#include <stdlib.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define WAITERS_MAX 256

BOOL WINAPI __real_WaitOnAddress(volatile void *address, void *expected, SIZE_T size, DWORD ms);
BOOL WINAPI __wrap_WaitOnAddress(volatile void *address, void *expected, SIZE_T size, DWORD ms);

static fs_pointer waiters[WAITERS_MAX];
static waits_answer *the_answer;
static fs_word calls;

static fs_pointer *enter(volatile void *address)
{
    for (;;)
        for (int i = 0; i < WAITERS_MAX; i++) {
            void *nobody = NULL;

            if (fs_cas_pointer_acq_rel(&waiters[i], &nobody, (void *)(uintptr_t)address))
                return &waiters[i];
        }
}

static bool is_disturbed(void)
{
    static fs_word known; /* 1 yes, 2 no */

    if (fs_load_relaxed(&known) == 0)
        fs_store_relaxed(&known, getenv("FASTSYNC_DISTURB") ? 1 : 2);
    return fs_load_relaxed(&known) == 1 && fs_add_seq_cst(&calls, 1) % 4 == 0;
}

BOOL WINAPI __wrap_WaitOnAddress(volatile void *address, void *expected, SIZE_T size, DWORD ms)
{
    waits_answer *answer = __atomic_load_n(&the_answer, __ATOMIC_ACQUIRE);
    uint32_t error = answer ? answer(ms) : WAITS_ASK_THE_SYSTEM;
    fs_pointer *entry;
    BOOL result;

    if (error != WAITS_ASK_THE_SYSTEM) {
        if (error != 0)
            SetLastError(error);
        return error == 0;
    }
    if (is_disturbed())
        return TRUE;
    entry = enter(address);
    result = __real_WaitOnAddress(address, expected, size, ms);
    fs_store_pointer_release(entry, NULL);
    return result;
}

void waits_answer_by(waits_answer *answer)
{
    __atomic_store_n(&the_answer, answer, __ATOMIC_RELEASE);
}

unsigned waits_on(const fs_word *w)
{
    unsigned count = 0;

    for (int i = 0; i < WAITERS_MAX; i++)
        count += fs_load_pointer_acquire(&waiters[i]) == w;
    return count;
}

int waits_count_woken(fs_word *w, int count, enum fs_scope scope)
{
    unsigned before = waits_on(w);
    unsigned woken = count < 0 ? 0 : (unsigned)count < before ? (unsigned)count : before;

    (fs_futex_wake)(w, count, scope);
    while (waits_on(w) > before - woken)
        Sleep(1);
    return (int)woken;
}
