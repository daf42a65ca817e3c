/* SPDX-License-Identifier: MIT */
/* Many threads, more than processors, at Win32's locks: nobody is inside with another, nothing that
   is handed over is lost, and no wake-up. What each thread does next comes from a seed that is
   printed, and may be given in TEST_SEED. FASTSYNC_SOAK=1 goes round more often. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#define THREADS 12

static int rounds;
static uint32_t seed;

static void start(int short_rounds)
{
    const char *soak = getenv("FASTSYNC_SOAK"), *given = getenv("TEST_SEED");

    rounds = short_rounds * (soak && *soak && *soak != '0' ? 50 : 1);
    seed = given ? (uint32_t)strtoul(given, NULL, 10) : GetTickCount();
    printf("  TEST_SEED=%lu\n", (unsigned long)seed);
}

/* A number below the limit. */
static uint32_t draw(uint32_t *state, uint32_t limit)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % limit;
}

static void run(int (*body)(void *))
{
    struct thread threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        thread_start(&threads[i], body, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        OK(thread_join(&threads[i]));
}

/* ---- exclusion -------------------------------------------------------------------- */

static CRITICAL_SECTION section;
static SRWLOCK lock;
static int inside, readers, count;

static int enter_and_leave(void *me)
{
    uint32_t state = seed + (uint32_t)(intptr_t)me;

    for (int i = 0; i < rounds; i++) {
        int depth = 1 + (int)draw(&state, 3);

        if (draw(&state, 4) == 0)
            while (!TryEnterCriticalSection(&section))
                check_pause(0);
        else
            EnterCriticalSection(&section);
        for (int again = 1; again < depth; again++)
            EnterCriticalSection(&section);
        CHECK_INT(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
        count++;
        if (draw(&state, 64) == 0)
            check_pause(0);
        __atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
        while (depth-- > 0)
            LeaveCriticalSection(&section);
    }
    return 0;
}

static void a_critical_section_has_one_inside(void)
{
    start(8000);
    InitializeCriticalSection(&section);
    count = 0;
    run(enter_and_leave);
    CHECK_INT(count, THREADS * rounds);
    DeleteCriticalSection(&section);
}

static void write_once(uint32_t *state)
{
    if (draw(state, 4) == 0)
        while (!TryAcquireSRWLockExclusive(&lock))
            check_pause(0);
    else
        AcquireSRWLockExclusive(&lock);
    CHECK_INT(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
    CHECK_INT(check_load(&readers), 0);
    count++;
    if (draw(state, 64) == 0)
        check_pause(0);
    __atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
    ReleaseSRWLockExclusive(&lock);
}

static void read_once(uint32_t *state)
{
    if (draw(state, 4) == 0)
        while (!TryAcquireSRWLockShared(&lock))
            check_pause(0);
    else
        AcquireSRWLockShared(&lock);
    check_add(&readers, 1);
    CHECK_INT(check_load(&inside), 0);
    if (draw(state, 64) == 0)
        check_pause(0);
    check_add(&readers, -1);
    ReleaseSRWLockShared(&lock);
}

static int read_and_write(void *me)
{
    uint32_t state = seed + (uint32_t)(intptr_t)me;

    for (int i = 0; i < rounds; i++) {
        for (uint32_t reads = draw(&state, 5); reads > 0; reads--)
            read_once(&state);
        write_once(&state);
    }
    return 0;
}

static void an_srw_lock_has_one_writer_or_readers_inside(void)
{
    start(4000);
    count = 0;
    run(read_and_write);
    CHECK_INT(count, THREADS * rounds);
    CHECK(!lock.Ptr);
}

/* ---- a queue ---------------------------------------------------------------------- */

#define PLACES 3
static CONDITION_VARIABLE filled, emptied;
static bool by_section;
static int items, produced, consumed;

static void acquire(void)
{
    if (by_section)
        EnterCriticalSection(&section);
    else
        AcquireSRWLockExclusive(&lock);
}

static void release(void)
{
    if (by_section)
        LeaveCriticalSection(&section);
    else
        ReleaseSRWLockExclusive(&lock);
}

/* Now and then with a time-out: who gives up must not take a wake-up with it. */
static void sleep_on(CONDITION_VARIABLE *condition, uint32_t *state)
{
    DWORD ms = draw(state, 8) == 0 ? draw(state, 3) : INFINITE;
    BOOL woken = by_section ? SleepConditionVariableCS(condition, &section, ms)
                            : SleepConditionVariableSRW(condition, &lock, ms, 0);

    CHECK(woken || (ms != INFINITE && GetLastError() == ERROR_TIMEOUT));
}

static void wake(CONDITION_VARIABLE *condition, uint32_t *state)
{
    if (draw(state, 16) == 0)
        WakeAllConditionVariable(condition);
    else
        WakeConditionVariable(condition);
}

static int produce_or_consume(void *me)
{
    uint32_t state = seed + (uint32_t)(intptr_t)me;
    bool produces = (intptr_t)me % 2;

    for (int i = 0; i < rounds; i++) {
        bool early = draw(&state, 2);

        acquire();
        while (produces ? items == PLACES : items == 0)
            sleep_on(produces ? &emptied : &filled, &state);
        items += produces ? 1 : -1;
        *(produces ? &produced : &consumed) += 1;
        CHECK(items >= 0 && items <= PLACES);
        if (early)
            wake(produces ? &filled : &emptied, &state);
        release();
        if (!early)
            wake(produces ? &filled : &emptied, &state);
    }
    return 0;
}

static void hand_over_everything(bool with_section)
{
    start(4000);
    by_section = with_section;
    items = produced = consumed = 0;
    InitializeCriticalSection(&section);
    InitializeConditionVariable(&filled);
    InitializeConditionVariable(&emptied);
    run(produce_or_consume);
    CHECK_INT(produced, THREADS / 2 * rounds);
    CHECK_INT(consumed, THREADS / 2 * rounds);
    CHECK_INT(items, 0);
    DeleteCriticalSection(&section);
}

static void a_queue_under_a_critical_section(void)
{
    hand_over_everything(true);
}

static void a_queue_under_an_srw_lock(void)
{
    hand_over_everything(false);
}

/* ---- generations of readers ---------------------------------------------------------- */

static CONDITION_VARIABLE turned;
static int generation, arrived;

/* Whoever is the last of a generation wakes the others, who wait as readers. */
static int turn(void *me)
{
    for (int i = 0; i < rounds; i++) {
        AcquireSRWLockExclusive(&lock);
        if (++arrived == THREADS) {
            arrived = 0;
            generation++;
            ReleaseSRWLockExclusive(&lock);
            WakeAllConditionVariable(&turned);
            continue;
        }
        ReleaseSRWLockExclusive(&lock);
        AcquireSRWLockShared(&lock);
        while (generation == i)
            CHECK(SleepConditionVariableSRW(&turned, &lock, INFINITE,
                                            CONDITION_VARIABLE_LOCKMODE_SHARED));
        ReleaseSRWLockShared(&lock);
    }
    return 0;
}

static void readers_that_wait_are_all_woken(void)
{
    start(800);
    generation = arrived = 0;
    run(turn);
    CHECK_INT(generation, rounds);
    CHECK(!lock.Ptr);
}

static const struct check_case cases[] = {
    CHECK_CASE(a_critical_section_has_one_inside),
    CHECK_CASE(an_srw_lock_has_one_writer_or_readers_inside),
    CHECK_CASE(a_queue_under_a_critical_section),
    CHECK_CASE(a_queue_under_an_srw_lock),
    CHECK_CASE(readers_that_wait_are_all_woken),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
