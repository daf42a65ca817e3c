/* SPDX-License-Identifier: MIT */
/* See waits.h. Who waits is kept in a table: a thread puts its word there before it asks the
   system, and takes it out after. A wake marks one entry of the word, or all, since the system does
   not tell whom it has woken: any that leaves takes one mark with it. */
#include "waits.h"

#undef fs_futex_wake /* see target.h */

#include <stdlib.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define WAITERS_MAX 256

BOOL WINAPI __real_WaitOnAddress(volatile void *address, void *expected, SIZE_T size, DWORD ms);
BOOL WINAPI __wrap_WaitOnAddress(volatile void *address, void *expected, SIZE_T size, DWORD ms);

VOID WINAPI __real_WakeByAddressSingle(void *address);
VOID WINAPI __wrap_WakeByAddressSingle(void *address);
VOID WINAPI __real_WakeByAddressAll(void *address);
VOID WINAPI __wrap_WakeByAddressAll(void *address);

static struct waiter {
    const volatile void *address; /* null: nobody */
    bool woken;
} waiters[WAITERS_MAX];

static fs_word guard;
static fs_word calls;
static waits_answer *the_answer;

static void lock(void)
{
    while (fs_exchange_acquire(&guard, 1) != 0)
        SwitchToThread();
}

static void unlock(void)
{
    fs_store_release(&guard, 0);
}

/* One who waits on the word and has been woken or not; null where there is none. */
static struct waiter *find(const volatile void *address, bool woken)
{
    for (int i = 0; i < WAITERS_MAX; i++)
        if (waiters[i].address == address && waiters[i].woken == woken)
            return &waiters[i];
    return NULL;
}

static struct waiter *enter(const volatile void *address)
{
    struct waiter *me;

    lock();
    me = find(NULL, false);
    if (!me)
        abort();
    me->address = address;
    unlock();
    return me;
}

static void leave(struct waiter *me)
{
    lock();
    if (!me->woken) {
        struct waiter *other = find(me->address, true);

        if (other)
            other->woken = false;
    }
    *me = (struct waiter){NULL, false};
    unlock();
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
    struct waiter *me;
    BOOL result;

    if (error != WAITS_ASK_THE_SYSTEM && error != WAITS_LOSE_A_WAKE) {
        if (error != 0)
            SetLastError(error);
        return error == 0;
    }
    if (is_disturbed())
        return TRUE;
    me = enter(address);
    if (error == WAITS_LOSE_A_WAKE)
        ms = INFINITE;
    result = __real_WaitOnAddress(address, expected, size, ms);
    leave(me);
    if (error == WAITS_LOSE_A_WAKE && result) {
        SetLastError(ERROR_TIMEOUT);
        return FALSE;
    }
    return result;
}

void waits_answer_by(waits_answer *answer)
{
    __atomic_store_n(&the_answer, answer, __ATOMIC_RELEASE);
}

VOID WINAPI __wrap_WakeByAddressSingle(void *address)
{
    struct waiter *one;

    lock();
    one = find(address, false);
    if (one)
        one->woken = true;
    __real_WakeByAddressSingle(address);
    unlock();
}

VOID WINAPI __wrap_WakeByAddressAll(void *address)
{
    lock();
    for (struct waiter *one; (one = find(address, false));)
        one->woken = true;
    __real_WakeByAddressAll(address);
    unlock();
}

int waits_on(const fs_word *w)
{
    int count = 0;

    lock();
    for (int i = 0; i < WAITERS_MAX; i++)
        count += waiters[i].address == w && !waiters[i].woken;
    unlock();
    return count;
}

int waits_count_woken(fs_word *w, int count, enum fs_scope scope)
{
    int before = waits_on(w);

    fs_futex_wake(w, count, scope);
    return before - waits_on(w);
}
