/* SPDX-License-Identifier: MIT */
/* LeaveCriticalSectionWhenCallbackReturns: the section is held until a callback of a pool of
   threads returns, by the thread that runs it, and free afterwards, for those who wait as well. */
#include "check.h"

#include <windows.h>

static CRITICAL_SECTION section;
static int inside, go, done;

typedef void any(void);
typedef void NTAPI leave_on_completion(PTP_CALLBACK_INSTANCE instance, CRITICAL_SECTION *section);

static int try_it(void *nothing)
{
    int entered = TryEnterCriticalSection(&section);

    if (entered)
        LeaveCriticalSection(&section);
    return entered;
}

static int enter_it(void *nothing)
{
    EnterCriticalSection(&section);
    CHECK_INT(check_load(&inside), 0);
    check_add(&done, 1);
    LeaveCriticalSection(&section);
    return 0;
}

static PTP_WORK begin(PTP_WORK_CALLBACK body, int times)
{
    PTP_WORK work = CreateThreadpoolWork(body, NULL, NULL);

    inside = go = done = 0;
    for (int i = 0; i < times; i++)
        SubmitThreadpoolWork(work);
    return work;
}

static void end(PTP_WORK work)
{
    WaitForThreadpoolWorkCallbacks(work, FALSE);
    CloseThreadpoolWork(work);
}

/* ---- until it returns ------------------------------------------------------------- */

static void CALLBACK stay_inside(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    EnterCriticalSection(&section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    check_add(&inside, 1);
    check_until(&go, 1);
    check_add(&inside, -1);
}

static void it_is_held_until_the_callback_returns(void)
{
    InitializeCriticalSection(&section);
    for (int i = 0; i < 5; i++) {
        PTP_WORK work = begin(stay_inside, 1);
        struct thread threads[3];

        check_until(&inside, 1);
        CHECK_INT(in_thread(try_it, NULL), 0);
        for (int j = 0; j < 3; j++)
            thread_start(&threads[j], enter_it, NULL);
        check_pause(10);
        CHECK_INT(check_load(&done), 0);
        CHECK_INT(in_thread(try_it, NULL), 0);
        check_add(&go, 1);
        for (int j = 0; j < 3; j++)
            OK(thread_join(&threads[j]));
        end(work);
        CHECK_INT(in_thread(try_it, NULL), 1);
    }
    DeleteCriticalSection(&section);
}

static void it_is_free_when_the_callbacks_are_awaited(void)
{
    for (int i = 0; i < 20; i++) {
        PTP_WORK work;

        InitializeCriticalSection(&section);
        work = begin(stay_inside, 1 + i % 2);
        check_add(&go, 1);
        end(work);
        if (i % 4 < 2)
            CHECK_INT(in_thread(try_it, NULL), 1);
        DeleteCriticalSection(&section);
    }
}

/* ---- what else the callback may do -------------------------------------------------- */

static void CALLBACK enter_again(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    EnterCriticalSection(&section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    check_add(&inside, 1);
    check_until(&go, 1);
    for (int i = 0; i < 3; i++) {
        EnterCriticalSection(&section);
        CHECK(TryEnterCriticalSection(&section));
        CHECK_INT(in_thread(try_it, NULL), 0);
        LeaveCriticalSection(&section);
        LeaveCriticalSection(&section);
        CHECK_INT(in_thread(try_it, NULL), 0);
    }
    check_add(&inside, -1);
}

static void the_callback_enters_again_while_others_wait(void)
{
    struct thread threads[2];
    PTP_WORK work;

    InitializeCriticalSection(&section);
    work = begin(enter_again, 1);
    check_until(&inside, 1);
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], enter_it, NULL);
    check_pause(10);
    check_add(&go, 1);
    for (int i = 0; i < 2; i++)
        OK(thread_join(&threads[i]));
    end(work);
    DeleteCriticalSection(&section);
}

static void CALLBACK hold_twice(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    EnterCriticalSection(&section);
    EnterCriticalSection(&section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    CHECK_INT(in_thread(try_it, NULL), 0);
    LeaveCriticalSection(&section);
    CHECK_INT(in_thread(try_it, NULL), 0);
}

static void one_level_is_left(void)
{
    PTP_WORK work;

    InitializeCriticalSection(&section);
    work = begin(hold_twice, 1);
    WaitForThreadpoolWorkCallbacks(work, FALSE);
    CHECK_INT(in_thread(try_it, NULL), 1);
    end(work);
    DeleteCriticalSection(&section);
}

static void CALLBACK ask_twice(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    EnterCriticalSection(&section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    CHECK_INT(in_thread(try_it, NULL), 0);
}

static void what_is_asked_for_twice_is_done_once(void)
{
    InitializeCriticalSection(&section);
    end(begin(ask_twice, 1));
    CHECK_INT(in_thread(try_it, NULL), 1);
    DeleteCriticalSection(&section);
}

static CONDITION_VARIABLE condition;
static int flag; /* guarded by the section */

static int wake_it(void *nothing)
{
    EnterCriticalSection(&section);
    flag = 1;
    WakeAllConditionVariable(&condition);
    LeaveCriticalSection(&section);
    return 0;
}

static void CALLBACK wait_inside(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    EnterCriticalSection(&section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    check_add(&inside, 1);
    while (!flag)
        CHECK(SleepConditionVariableCS(&condition, &section, 20000));
}

static void the_callback_waits_and_is_woken(void)
{
    PTP_WORK work;

    InitializeCriticalSection(&section);
    InitializeConditionVariable(&condition);
    flag = 0;
    work = begin(wait_inside, 1);
    check_until(&inside, 1);
    OK(in_thread(wake_it, NULL));
    end(work);
    CHECK_INT(in_thread(try_it, NULL), 1);
    DeleteCriticalSection(&section);
}

static void CALLBACK leave_and_come_back(PTP_CALLBACK_INSTANCE instance, void *nothing,
                                         PTP_WORK work)
{
    EnterCriticalSection(&section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    for (int i = 0; i < 3; i++) {
        LeaveCriticalSection(&section);
        CHECK_INT(in_thread(try_it, NULL), 1);
        EnterCriticalSection(&section);
        CHECK_INT(in_thread(try_it, NULL), 0);
    }
}

static void the_callback_leaves_and_comes_back(void)
{
    InitializeCriticalSection(&section);
    end(begin(leave_and_come_back, 1));
    CHECK_INT(in_thread(try_it, NULL), 1);
    DeleteCriticalSection(&section);
}

static void CALLBACK ask_first(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    check_add(&done, 1);
    EnterCriticalSection(&section);
    CHECK_INT(check_load(&inside), 0);
}

static void it_may_be_asked_for_before_the_section_is_entered(void)
{
    PTP_WORK work;

    InitializeCriticalSection(&section);
    EnterCriticalSection(&section);
    work = begin(ask_first, 1);
    check_add(&inside, 1);
    check_until(&done, 1);
    check_pause(10);
    CHECK_INT(in_thread(try_it, NULL), 0);
    check_add(&inside, -1);
    LeaveCriticalSection(&section);
    end(work);
    CHECK_INT(in_thread(try_it, NULL), 1);
    DeleteCriticalSection(&section);
}

#define TRIES 20000

static void CALLBACK try_inside(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    EnterCriticalSection(&section);
    LeaveCriticalSectionWhenCallbackReturns(instance, &section);
    check_add(&inside, 1);
    check_until(&done, 2);
    for (int i = 0; i < TRIES; i++) {
        CHECK(TryEnterCriticalSection(&section));
        LeaveCriticalSection(&section);
    }
    check_add(&go, 1);
}

static int try_till_told(void *nothing)
{
    check_add(&done, 1);
    while (check_load(&go) == 0)
        try_it(NULL); /* it succeeds once the callback has returned */
    return 0;
}

static void the_callbacks_own_try_never_fails(void)
{
    struct thread threads[2];
    PTP_WORK work;

    InitializeCriticalSection(&section);
    work = begin(try_inside, 1);
    check_until(&inside, 1);
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], try_till_told, NULL);
    end(work);
    for (int i = 0; i < 2; i++)
        thread_join(&threads[i]);
    DeleteCriticalSection(&section);
}

/* ---- many ----------------------------------------------------------------------- */

#define CALLBACKS 200

static int count;

static void CALLBACK count_up(PTP_CALLBACK_INSTANCE instance, void *nothing, PTP_WORK work)
{
    leave_on_completion *by_ntdll = (leave_on_completion *)(any *)GetProcAddress(
        GetModuleHandleA("ntdll"), "TpCallbackLeaveCriticalSectionOnCompletion");

    EnterCriticalSection(&section);
    by_ntdll(instance, &section);
    CHECK_INT(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
    count++;
    if (count % 16 == 0)
        check_pause(0);
    __atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
}

static void callbacks_exclude_each_other_and_threads(void)
{
    PTP_WORK work;

    count = 0;
    section = (CRITICAL_SECTION){(void *)-1, -1, 0, 0, 0, 0};
    work = begin(count_up, CALLBACKS);
    for (int i = 0; i < CALLBACKS; i++) {
        EnterCriticalSection(&section);
        CHECK_INT(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
        count++;
        __atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
        LeaveCriticalSection(&section);
    }
    end(work);
    CHECK_INT(count, 2 * CALLBACKS);
    CHECK_INT(in_thread(try_it, NULL), 1);
    DeleteCriticalSection(&section);
}

static const struct check_case cases[] = {
    CHECK_CASE(it_is_held_until_the_callback_returns),
    CHECK_CASE(it_is_free_when_the_callbacks_are_awaited),
    CHECK_CASE(the_callback_enters_again_while_others_wait),
    CHECK_CASE(one_level_is_left),
    CHECK_CASE(what_is_asked_for_twice_is_done_once),
    CHECK_CASE(the_callback_waits_and_is_woken),
    CHECK_CASE(the_callback_leaves_and_comes_back),
    CHECK_CASE(it_may_be_asked_for_before_the_section_is_entered),
    CHECK_CASE(the_callbacks_own_try_never_fails),
    CHECK_CASE(callbacks_exclude_each_other_and_threads),
    CHECK_END,
};

int main(int argc, char **argv)
{
    return check_main(argc, argv, cases);
}
